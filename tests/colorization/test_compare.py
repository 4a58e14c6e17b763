"""The command `compare`: records side by side where protocols agree; runs, to a page."""

import copy
import csv
import dataclasses
import json
import pathlib

import pytest

from colorization import compare, flags, train
from colorization.config import Config
from colorization.evaluation import EvaluationError, protocol
from tests.command_line import call

RECIPES = pathlib.Path(compare.__file__).parent / "recipes"
SMALL = dict(
    generator="unet", depth=2, base_filters=4, image_size=48, batch_size=4, epochs=2, loss="l1"
)


def record(system="chroma 1", data="scenes/val", changes=()):
    told = {
        "data": {"fingerprint": data, "photos": 378, "limit": 0},
        "size": "each photo's own",
        "figures": {"psnr": 1},
        "networks": {},
        "variants": {},
    }
    return {
        "format": "colorization-evaluation",
        "version": 1,
        "system": {"label": system},
        "data": {"label": data, "photos": 378},
        "figures": {"psnr": {"value": 25.0, "low": 24.0, "high": 26.0}},
        "warnings": [],
        "protocol": told | dict(changes),
    }


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes records into files a.jsonl, b.jsonl and so on; returns their names."""
    monkeypatch.chdir(tmp_path)

    def write_files(*files):
        names = [f"{letter}.jsonl" for letter, _ in zip("abc", files, strict=False)]
        for name, lines in zip(names, files, strict=True):
            pathlib.Path(name).write_text(protocol.to_lines(copy.deepcopy(lines)))
        return names

    return write_files


def test_systems_of_several_files_stand_side_by_side(write):
    found = compare.compare_records(write([record(), record("gray")], [record("mine 1")]))
    lines = found.splitlines()
    assert lines[0] == "### scenes/val: 378 photos"
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "figure",
        "better",
        "chroma 1",
        "gray",
        "mine 1",
    ]
    assert lines[4].count("25.00 [24.00, 26.00]") == 3


def test_equal_names_are_told_apart_by_their_files(write):
    found = compare.compare_records(write([record()], [record()]))
    header = found.splitlines()[2]
    assert "chroma 1 (a.jsonl)" in header and "chroma 1 (b.jsonl)" in header


def test_every_common_set_has_its_table(write):
    sets = [record(data=name) for name in ("scenes/val", "faces/val")]
    found = compare.compare_records(write(sets, [*sets, record(data="flowers/val")]))
    found = [line for line in found.splitlines() if line.startswith("###")]
    assert found == ["### scenes/val: 378 photos", "### faces/val: 378 photos"]


def test_files_of_one_set_each_are_compared_whatever_it_is_called(write):
    moved = record("mine 1")
    moved["data"]["label"] = "copies/val"
    found = compare.compare_records(write([record()], [moved]))
    assert "mine 1" in found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "128 x 128"}, "size is \"each photo's own\" there and '128 x 128' here"),
        ({"figures": {"psnr": 2}}, "figures.psnr is 1 there and 2 here"),
        (
            {"data": {"fingerprint": "scenes/val", "photos": 40, "limit": 40}},
            "data.limit is 0 there and 40 here; data.photos is 378 there and 40 here",
        ),
    ],
)
def test_other_protocols_are_refused_by_the_field_that_differs(write, changes, message):
    names = write([record()], [record("mine 1"), record("mine 2", changes=changes)])
    with pytest.raises(EvaluationError) as caught:
        compare.compare_records(names)
    assert message in str(caught.value) and "a.jsonl and b.jsonl" in str(caught.value)


def test_files_without_a_common_set_are_refused(write):
    pair = [record(data="faces/val"), record(data="flowers/val")]
    with pytest.raises(
        EvaluationError, match="a.jsonl has scenes/val; b.jsonl has faces/val, flow"
    ):
        compare.compare_records(write([record()], pair))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"figures": {"hue-shift": {"value": 1, "low": 0, "high": 2}}}, "Received: hue-shift, wh"),
        ({"figures": {"psnr-kid-x": {"value": 1, "low": 0, "high": 2}}}, "Received: psnr-kid-x"),
        ({"figures": {"psnr": {"value": "much", "low": 0, "high": 2}}}, "expected lines"),
        ({"figures": {"psnr": 25}}, "expected lines"),
        ({"system": {}}, "expected lines"),
        ({"system": {"label": ["chroma"]}}, "expected lines"),
        ({"data": {"label": None, "photos": 3}}, "expected lines"),
        ({"data": {"label": "val", "photos": "many"}}, "expected lines"),
        ({"warnings": None}, "expected lines"),
    ],
)
def test_records_that_name_what_is_unknown_are_refused_in_one_line(changes, message, tmp_path):
    (tmp_path / "odd.jsonl").write_text(json.dumps(record() | changes))
    status, output, errors = call("colorization.compare", "odd.jsonl", cwd=tmp_path)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("Error: odd.jsonl: ") and message in errors


def test_tables_are_written_to_a_file(write, tmp_path):
    (name,) = write([record()])
    status, output, _ = call("colorization.compare", name, "--output=a.md", cwd=tmp_path)
    assert (status, output) == (0, "")
    assert (tmp_path / "a.md").read_text() == compare.compare_records([name])


@pytest.fixture(scope="module")
def runs(picture_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    data = f"folder:{picture_folder}"
    for name, knobs in {"plain": {}, "other": {"codec": "gray_rgb", "steps_per_epoch": 2}}.items():
        model_dir = str(folder / name)
        train.train(Config(data=data, val_data=data, model_dir=model_dir, **(SMALL | knobs)))
    return folder


@pytest.fixture(scope="module")
def page(runs, squeezenet_file, tmp_path_factory):
    folder = tmp_path_factory.mktemp("compared")
    arguments = [f"--features=squeezenet:{squeezenet_file}", "--num_variants=2"]
    arguments += ["--pairs=plain:other", "--output=results.md"]
    names = [str(runs / name) for name in ("plain", "other")]
    status, output, _ = call("colorization.compare", *names, *arguments, cwd=folder)
    assert (status, output) == (0, "")
    return folder / "results.md"


def rows(text):
    return [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in text.splitlines()
        if line.startswith("|")
    ]


@pytest.mark.slow
def test_a_row_tells_what_a_run_was(page, runs, picture_folder):
    header, _, plain, other, *_ = rows(page.read_text())
    plain, other = (dict(zip(header, row, strict=True)) for row in (plain, other))
    assert plain["data"] == "/".join(picture_folder.parts[-2:])
    assert (plain["steps"], other["steps"]) == ("6", "4")
    with open(runs / "other" / "history.csv", newline="") as file:
        seconds = sum(float(row["seconds"]) for row in csv.DictReader(file))
    assert other["seconds"] == f"{seconds:,.0f}"
    assert "squeezenet-kid x1000" in header and float(plain["psnr"].split()[0]) > 5


@pytest.mark.parametrize("recipe", sorted(RECIPES.glob("*.flags")), ids=lambda path: path.stem)
def test_the_recipe_of_a_run_is_known_by_its_flags(recipe):
    config = dataclasses.replace(
        flags.parse_flagfile(str(recipe)), model_dir="a", data="b", epochs=3, seed=7
    )
    name, differing = compare.nearest_recipe(config)
    assert name == recipe.stem and list(differing.values()) == ["--epochs=3", "--seed=7"]


def test_of_two_recipes_as_near_the_one_that_looks_alike_is_taken():
    recipe = flags.parse_flagfile(str(RECIPES / "colornet_l.flags"))
    config = dataclasses.replace(recipe, codec="lab_offset")
    assert compare.nearest_recipe(config) == ("colornet_l", {"codec": "--codec=lab_offset"})


@pytest.mark.slow
def test_compared_runs_stand_beside_one_another(page):
    text = page.read_text()
    assert "## plain and other" in text
    drift = next(row for row in rows(text) if row[0] == "lightness-drift")
    assert drift[1] == "lower" and float(drift[2]) < 0.5 < float(drift[3])
    assert drift[4].startswith(f"{float(drift[3]) - float(drift[2]):.2f}"[:3])


@pytest.mark.slow
def test_flags_that_no_recipe_has_are_told_once(page):
    text = page.read_text()
    assert text.count("--image_size=48") == 1 and text.count("--codec=gray_rgb") == 1


@pytest.mark.slow
def test_each_run_has_its_sheet(page):
    for name in ("plain", "other"):
        assert (page.parent / "results" / f"{name}.jpg").stat().st_size > 1000
        assert f"](results/{name}.jpg)" in page.read_text()


@pytest.mark.slow
def test_runs_without_a_file_are_printed(runs, capsys):
    status, output, _ = call("colorization.compare", runs / "plain")
    assert status == 0 and output.startswith("# Runs side by side") and "![" not in output


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "directories of runs. Received: none."),
        (["none.jsonl"], "none.jsonl: can't be read"),
        (["a.jsonl"], "a.jsonl: expected lines"),
        (["run", "--output=a.txt"], "--output must be a Markdown file (.md). Received: a.txt."),
        (["run", "b/run", "--output=a.md"], "by the names of their folders. Received: run b/run."),
        (["run", "--pairs=run:b", "--output=a.md"], "names of runs given: run. Received: run:b."),
        (["run", "--pairs=run", "--output=a.md"], "names of runs given: run. Received: run."),
        (["run", "--output=a.md"], "names the directory of a run of colorization.train"),
        (["run", "a.jsonl"], "files, or else directories of runs"),
        (["a.jsonl", "--pairs=a:b"], "files, or else directories of runs"),
        (["run", "--output=old.md"], "--output=old.md exists. Choose another, or set --overwrite."),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, said, tmp_path):
    for name in ("run", "b/run"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "a.jsonl").write_text(json.dumps({"format": "other"}))
    (tmp_path / "old.md").write_text("mine")
    status, output, errors = call("colorization.compare", *arguments, cwd=tmp_path)
    assert (status, output, errors.count("\n")) == (1, "", 1) and said in errors
    assert (tmp_path / "old.md").read_text() == "mine" and not (tmp_path / "a.md").exists()
