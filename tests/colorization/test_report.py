"""The report of runs: real runs, from their directories to a page."""

import csv
import dataclasses
import pathlib

import pytest

from colorization import flags, report, train
from colorization.config import Config
from tests.command_line import call

RECIPES = pathlib.Path(report.__file__).parent / "recipes"

SMALL = dict(
    generator="unet", depth=4, base_filters=4, image_size=48, batch_size=4, epochs=2, loss="l1"
)


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
    output = tmp_path_factory.mktemp("report") / "results.md"
    folders = {"plain": str(runs / "plain"), "other": str(runs / "other")}
    pairs = [(("plain",), ("other",))]
    report.report(folders, pairs, f"squeezenet:{squeezenet_file}", 2, str(output))
    return output


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
    name, differing = report.nearest_recipe(config)
    assert name == recipe.stem and list(differing.values()) == ["--epochs=3", "--seed=7"]


def test_of_two_recipes_as_near_the_one_that_looks_alike_is_taken():
    recipe = flags.parse_flagfile(str(RECIPES / "colornet_l.flags"))
    config = dataclasses.replace(recipe, codec="lab_offset")
    assert report.nearest_recipe(config) == ("colornet_l", {"codec": "--codec=lab_offset"})


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


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--output=a.md"], "report takes directories of runs. Received: none."),
        (["a", "--output=a.txt"], "--output is a Markdown file (.md). Received: a.txt."),
        (["a", "b/a", "--output=a.md"], "by the names of their folders. Received: a b/a."),
        (["a", "--compare=a:b", "--output=a.md"], "by names of runs given: a. Received: a:b."),
        (["a", "--compare=a", "--output=a.md"], "by names of runs given: a. Received: a."),
        (["a", "--output=a.md"], "names the directory of a run of colorization.train"),
    ],
)
def test_mistakes_are_told_in_a_line(arguments, said, tmp_path):
    status, _, errors = call("colorization.report", *arguments, cwd=tmp_path)
    assert status == 1 and said in errors
    assert errors.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_a_report_that_is_there_stays(tmp_path):
    (tmp_path / "a.md").write_text("mine")
    status, _, errors = call("colorization.report", "a", "--output=a.md", cwd=tmp_path)
    assert status == 1 and "is there already. Set --overwrite." in errors
    assert (tmp_path / "a.md").read_text() == "mine"
