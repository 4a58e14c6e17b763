"""The command `evaluate`: tables, records, exit status, and mistakes in one line."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

from colorization import compare, evaluate
from colorization.config import ConfigError
from colorization.evaluation import EvaluationError, measure, protocol, systems
from pipelines.color.bins import bin_centers
from pipelines.errors import UserError
from pipelines.photos.photo_files import read_picture, write_picture
from tests.command_line import call

ROOT = pathlib.Path(__file__).parents[2]


class Warmer:
    """Stands in for the colorizer: makes photos warm."""

    def __init__(self, model=None):
        name = "warmer" if model is None else pathlib.Path(model).name
        prior = np.full(len(bin_centers()), 1 / len(bin_centers()))
        self.description = {
            "name": name,
            "version": 3,
            "gives_variants": name != "plain",
            "prior": prior.tolist() if name != "plain" else None,
        }
        self.engine = None

    def variants(self, picture, count, *, seed):
        assert (picture == picture[..., :1]).all()
        warm = np.clip(picture + np.array([30, 0, -30]), 0, 255).astype(np.uint8)
        return [warm, picture][:count]


@pytest.fixture
def folder(picture_folder, tmp_path, monkeypatch):
    """A folder of four photos, in which the test runs; the colorizer is a double."""
    from colorization.evaluation import systems

    monkeypatch.setattr(systems, "Colorizer", Warmer)
    monkeypatch.chdir(tmp_path)
    pathlib.Path("album/val").mkdir(parents=True)
    for path in sorted(picture_folder.glob("*.png"))[:4]:
        pathlib.Path("album/val", path.name).write_bytes(path.read_bytes())
    return "folder:album/val"


def columns(text):
    """Dict of a table's columns, each a dict of cells by figure."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines()]
    header, *rows = [row for row in rows if row and not set(row[0]) <= {"-"}]
    return {name: {row[0]: row[i] for row in rows} for i, name in enumerate(header)}


def test_tables_hold_the_model_and_its_baselines(folder, capsys):
    assert evaluate.evaluate(folder, baseline=["gray", "mean", "truth"]) == 0
    output, errors = capsys.readouterr()
    assert output.startswith("### album/val: 4 photos\n\n") and not errors
    found = columns(output)
    assert list(found) == ["figure", "better", "warmer 3", "gray", "mean", "truth"]
    assert found["truth"]["psnr"] == "inf" and found["truth"]["ssim"] == "1.0000"
    assert found["gray"]["colorfulness"] == "0.00"
    assert found["warmer 3"]["psnr"].count("[") == 1


@pytest.mark.slow
def test_records_say_what_the_figures_depend_on(folder, squeezenet_file):
    pathlib.Path("exclude.txt").write_text("album/val/00.png\tduplicate\n")
    status, output, _ = call(
        "colorization.evaluate",
        f"--data={folder},samples",
        "--model=models/some",
        "--baseline=gray",
        f"--features=squeezenet:{squeezenet_file}",
        "--num_variants=2",
        "--limit=3",
        "--exclude=exclude.txt",
        "--output=found.jsonl",
        "--report=page",
        cwd=".",
    )
    assert status == 0 and os.path.exists("page/report.html")
    found = protocol.read("found.jsonl")
    assert [(one["system"]["label"], one["data"]["label"]) for one in found] == [
        ("some 3", "album/val"),
        ("gray", "album/val"),
        ("some 3", "samples"),
        ("gray", "samples"),
    ]
    told = found[0]["protocol"]
    assert told["data"]["photos"] == told["data"]["limit"] == 3
    assert told["variants"] == {"number": 2, "seed": 0}
    assert len(told["networks"]["squeezenet"]["weights_sha256"]) == 64
    assert told["figures"]["squeezenet-kid"] == 1
    assert found[0]["protocol"] == found[1]["protocol"] != found[2]["protocol"]
    assert found[0]["figures"].keys() - found[1]["figures"].keys() == {
        "best-of-n-ab-error",
        "diversity-ab",
        "squeezenet-diversity",
    }
    assert found[0]["versions"].keys() >= {"python", "tensorflow", "numpy"}
    assert "squeezenet-fid over 3 photos is mostly bias" in output
    # Not where anything lies.
    assert os.getcwd() not in pathlib.Path("found.jsonl").read_text()


def test_what_is_written_is_compared(folder, capsys):
    evaluate.evaluate(folder, output="a.jsonl")
    evaluate.evaluate(folder, "models/other", output="b.jsonl")
    evaluate.evaluate(folder, limit=2, output="c.jsonl")
    capsys.readouterr()
    found = compare.compare_records(["a.jsonl", "b.jsonl"])
    assert list(columns(found))[2:] == ["warmer 3", "other 3"]
    with pytest.raises(
        EvaluationError, match="data.fingerprint.*data.photos is 4 there and 2 here"
    ):
        compare.compare_records(["a.jsonl", "c.jsonl"])


def test_damaged_photos_are_named_and_the_others_measured(folder, capsys):
    pathlib.Path("album/val/void.jpg").touch()
    write_picture("album/val/gray.png", np.full((40, 40, 3), 90, np.uint8))
    assert evaluate.evaluate(folder, output="found.jsonl") == 1
    output, errors = capsys.readouterr()
    assert output.startswith("### album/val: 4 photos")
    assert "album/val/void.jpg: " in errors and "Left out 1, gray; the first is" in errors
    (found,) = protocol.read("found.jsonl")
    assert found["data"]["left_out"] == {"damaged": 1, "gray": 1, "small": 0}


@pytest.mark.slow
def test_a_report_tells_of_all_sets_and_of_the_run(folder, capsys):
    assert evaluate.evaluate(folder, baseline=["gray"], report="new/report") == 0
    plain, _ = capsys.readouterr()
    assert evaluate.evaluate(f"{folder},samples", baseline=["gray"], report="new/report") == 0
    # Being watched changes no figure. The last line names the page.
    figures, _, _ = plain.rpartition("\nPictures and figures: ")
    assert capsys.readouterr().out.startswith(figures)
    text = pathlib.Path("new/report/report.html").read_text()
    assert text.index("album/val: 4 photos") < text.index("<h2>samples: ")
    assert "a* and b*, warmer 3" in text and "a* and b*, gray" not in text
    assert sorted(os.listdir("new/report")) == ["report.html", "report.png"]


def test_nothing_is_told_of_a_set_that_was_begun(folder, monkeypatch, capsys):
    real = measure.measure_set

    def interrupted(data, systems, networks, num_variants, stop, on_photo):
        stop.signal = 2
        return real(data, systems, networks, num_variants, stop, on_photo)

    monkeypatch.setattr(measure, "measure_set", interrupted)
    assert evaluate.evaluate(folder, output="found.jsonl") == 130
    output, errors = capsys.readouterr()
    assert not output and "Stopped" in errors and os.listdir() == ["album"]


def test_sets_that_are_done_are_kept_whatever_becomes_of_the_next(folder):
    os.mkdir("gray")
    for name in "ab":
        write_picture(f"gray/{name}.png", np.full((40, 40, 3), 90, np.uint8))
    with pytest.raises(EvaluationError, match="folder:gray: .*0 of 2 .0 damaged, 2 gray"):
        evaluate.evaluate(f"{folder},folder:gray", output="found.jsonl")
    assert [one["data"]["label"] for one in protocol.read("found.jsonl")] == ["album/val"]


@pytest.mark.parametrize(
    ("options", "message", "kind"),
    [
        ({"data": "album/val"}, "Did you mean folder:album/val", UserError),
        ({"data": "folder:none"}, "none, which is not one", UserError),
        ({"features": "vgg"}, "squeezenet, inception.*Received: vgg", EvaluationError),
        ({"baseline": ["mean"], "model": "plain"}, "baseline=mean.*plain", EvaluationError),
        ({"model": "plain", "num_variants": 2}, "num_variants=1 is all.*plain", EvaluationError),
        ({"baseline": ["gray", "gray"]}, "different names.*gray, gray", EvaluationError),
        ({"limit": 1}, "at least 2 photos in color.*1 of 1", EvaluationError),
        ({"exclude": "none.txt"}, "none.txt", UserError),
    ],
)
def test_mistakes_are_named_in_one_line(folder, options, message, kind):
    with pytest.raises(kind, match=message) as caught:
        evaluate.evaluate(**{"data": folder, "output": "found.jsonl"} | options)
    assert "\n" not in str(caught.value) and not os.path.exists("found.jsonl")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data=folder:PHOTOS is needed"),
        (["--data=samples", "more"], "flags only. Received: more"),
        (["--data=samples", "--output=none/a.jsonl"], "--output needs a folder.*Received: none"),
        (["--data=samples", "--output=here.jsonl"], "--output: here.jsonl exists.*--overwrite"),
        (["--data=samples", "--output=album", "--overwrite"], "--output: album exists"),
        (["--data=samples", "--report=here.jsonl"], "report needs a folder.*Received: here.jsonl"),
        (["--data=samples", "--report=here.jsonl/a/b"], "report needs a folder.*here.jsonl/a/b"),
        (["--data=samples", "--report=old"], "report: old/report.png exists.*--overwrite"),
    ],
)
def test_wrong_flags_are_one_line_before_anything_is_done(folder, arguments, message):
    pathlib.Path("here.jsonl").write_text("kept")
    pathlib.Path("old").mkdir()
    pathlib.Path("old/report.png").touch()
    status, output, errors = call("colorization.evaluate", *arguments, cwd=".")
    assert (status, output, errors.count("\n")) == (1, "", 1) and re.search(message, errors)
    assert pathlib.Path("here.jsonl").read_text() == "kept" and not os.path.exists("a.jsonl")


def test_existing_files_are_replaced_when_told(folder):
    pathlib.Path("here.jsonl").write_text("old")
    flags = [f"--data={folder}", "--output=here.jsonl", "--report=.", "--overwrite"]
    for _ in range(2):
        assert call("colorization.evaluate", *flags, cwd=".")[0] == 0
    assert len(protocol.read("here.jsonl")) == 1 and os.path.exists("report.html")


def test_help_names_every_flag_and_needs_no_tensorflow():
    code = (
        "import sys, atexit; from colorization import evaluate; from pipelines import console;"
        "atexit.register(lambda: print('tensorflow' in sys.modules));"
        "console.run_command(evaluate.main, evaluate.define_flags)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--helpfull"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.stdout.endswith("False\n")
    names = ("model", "data", "baseline", "features", "num_variants", "limit", "exclude", "output")
    for name in (*names, "report", "overwrite"):
        assert f"--{name}" in done.stdout or f"--[no]{name}" in done.stdout


@pytest.mark.slow
def test_a_run_is_evaluated_as_it_would_be_exported(classified_run, picture_folder, tmp_path):
    run = tmp_path / "mine"
    shutil.copytree(classified_run.model_dir, run)
    output = str(tmp_path / "found.jsonl")
    data = f"folder:{picture_folder}"
    places = {"output": output, "report": str(tmp_path / "report")}
    assert evaluate.evaluate(data, str(run), ["mean"], num_variants=2, **places) == 0
    model, mean = protocol.read(output)
    assert model["system"]["label"] == "mine 1" and model["system"]["run"] == "mine"
    assert mean["system"]["of"] == "mine" and model["figures"]["psnr"]["value"] > 5
    assert "diversity-ab" in model["figures"]
    assert "History of the run" in (tmp_path / "report/report.html").read_text()
    # What it was exported to is gone.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["found.jsonl", "mine", "report"]
    with pytest.raises(ConfigError):
        (run / "recipe.flags").write_text("--nonsense=1\n")
        evaluate.evaluate(data, str(run))


@pytest.mark.slow
def test_the_command_evaluates_the_released_model(tmp_path, picture_folder):
    (tmp_path / "album").mkdir()
    for name in ("00.png", "01.png"):
        write_picture(tmp_path / "album" / name, read_picture(picture_folder / name))
    arguments = ["--data=folder:album", "--baseline=truth", "--output=found.jsonl"]
    status, output, errors = call("colorization.evaluate", *arguments, cwd=tmp_path)
    assert (status, errors) == (0, "")
    _, description = systems.model(None)
    assert list(columns(output))[2:] == [f"chroma {description['version']}", "truth"]
    first = json.loads((tmp_path / "found.jsonl").read_text().splitlines()[0])
    assert first["system"]["name"] == "chroma"
