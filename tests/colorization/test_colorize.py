import json
import os
import pathlib
import re
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from colorization import colorize
from colorization.inference import colorizer
from pipelines import decode

ROOT = pathlib.Path(__file__).parents[2]


class Inverter(tf.Module):
    """Stands in for an exported model; what it does to a photo is easy to tell."""

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.uint8)])
    def predict(self, images):
        return tf.zeros([tf.shape(images)[0], 1, 1, 4])

    @tf.function(
        input_signature=[
            tf.TensorSpec((None, None, None, 3), tf.uint8),
            tf.TensorSpec((None, None, None, 4), tf.float32),
            tf.TensorSpec((), tf.int32),
            tf.TensorSpec((), tf.int32),
        ]
    )
    def apply(self, rows, coefficients, top, height):
        return 255 - rows


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tf.saved_model.save(Inverter(), str(folder))
    (folder / "assets.extra").mkdir()
    (folder / colorizer.DESCRIPTION).write_text(json.dumps({"name": "inverter"}))
    return folder


def photo(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.fixture
def run(tmp_path, model, monkeypatch, capfd):
    """Runs the command in a folder with an album; gives status, output lines and error lines."""
    monkeypatch.chdir(tmp_path)
    pathlib.Path("album/1931").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.png", "1931/c.png")):
        decode.write_picture(f"album/{name}", photo(seed))

    def call(*arguments):
        status = colorize.main(["colorize", *arguments, f"--model={model}"])
        output, errors = capfd.readouterr()
        # TensorFlow, imported before the command could quiet it, logs what it fails to decode.
        lines = [line for line in errors.splitlines() if not re.match(r"[WE]\d{4} ", line)]
        return status, output.splitlines(), lines

    return call


def written(path):
    return decode.read_picture(path)


def test_one_photo_says_where_it_lies(run):
    assert run("album/a.png", "--output=out.png") == (0, ["Colored album/a.png: out.png"], [])
    np.testing.assert_array_equal(written("out.png"), 255 - photo())
    assert run("--output", "deep/er", "album/a.png")[0] == 0
    np.testing.assert_array_equal(written("deep/er/a.png"), 255 - photo())


def test_a_folder_is_mirrored(run):
    assert run("album", "--output=out") == (0, ["Colored 3 of 3 photos, in out."], [])
    np.testing.assert_array_equal(written("out/1931/c.png"), 255 - photo(2))
    assert sorted(os.listdir("out")) == ["1931", "a.png", "b.png"]


def test_goes_on_past_damaged_files_and_names_each(run):
    whole = pathlib.Path("album/a.png").read_bytes()
    pathlib.Path("album/torn.png").write_bytes(whole[:-30])
    pathlib.Path("album/void.jpg").touch()
    status, output, errors = run("album", "--output=out")
    assert status == 1 and output == ["Colored 3 of 5 photos, in out."]
    assert [line.partition(":")[0] for line in errors] == ["album/torn.png", "album/void.jpg"]
    assert sorted(os.listdir("out")) == ["1931", "a.png", "b.png"]


def test_existing_files_are_kept_unless_told_otherwise(run, monkeypatch):
    run("album", "--output=out")
    decode.write_picture("out/a.png", photo(9), overwrite=True)
    with monkeypatch.context() as patch:
        patch.setattr(colorizer, "Colorizer", None)  # With nothing to do no model is loaded.
        status, output, errors = run("album", "--output=out")
    assert status == 1 and output == ["Colored 0 of 3 photos, in out."]
    assert len(errors) == 3 and all("--overwrite" in line for line in errors)
    np.testing.assert_array_equal(written("out/a.png"), photo(9))
    assert run("album", "--output=out", "--overwrite")[0] == 0
    np.testing.assert_array_equal(written("out/a.png"), 255 - photo())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["album/none.png", "--output=out"], "none.png: .*no such file"),
        (["empty", "--output=out"], "empty: expected a folder with pictures"),
        (["album"], "--output"),
        (["--output=out"], "Expected a photo"),
        (["album", "--output=out", "--outptu=x"], "Unknown .*outptu.*--help"),
        (["album", "--output=out", "--overwrite=maybe"], "overwrite.*--help"),
        (["album", "--output=album", "--overwrite"], "among their originals"),
        (["album/a.png", "--output=album/a.png", "--overwrite"], "itself a photo"),
        (["album/a.png", "--output=album/b.png/c.png"], "album/b.png: cannot be made"),
    ],
)
def test_mistakes_are_named_in_one_line(run, arguments, message):
    pathlib.Path("empty").mkdir()
    before = sorted(pathlib.Path().rglob("*"))
    status, output, errors = run(*arguments)
    assert (status, output) == (1, []) and len(errors) == 1
    assert re.search(message, errors[0])
    assert sorted(pathlib.Path().rglob("*")) == before


def test_a_model_that_is_none(run, capfd):
    assert colorize.main(["colorize", "album", "--output=out", "--model=album"]) == 1
    assert "colorization.json" in capfd.readouterr().err
    assert not os.path.exists("out")


def test_an_interruption_leaves_whole_files_only(run, monkeypatch):
    colorize_one = colorizer.Colorizer.colorize

    def interrupted(self, path):
        if path.name == "b.png":
            raise KeyboardInterrupt
        return colorize_one(self, path)

    monkeypatch.setattr(colorizer.Colorizer, "colorize", interrupted)
    status, _, errors = run("album", "--output=out")
    assert status == 130 and "Interrupted" in errors[-1]
    assert os.listdir("out") == ["a.png"]


def test_progress_on_a_terminal(run, monkeypatch):
    pathlib.Path("album/void.jpg").touch()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, _, errors = run("album", "--output=out")
    assert status == 1
    assert any("4 of 4 photos, " in line and line.endswith("/s") for line in errors)
    assert any("album/void.jpg" in line and "photos" not in line for line in errors)


def test_as_a_process(run, model):
    command = [sys.executable, "-m", "colorization.colorize"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}

    def start(*arguments):
        return subprocess.run(
            [*command, *arguments], env=environment, capture_output=True, text=True, check=False
        )

    pathlib.Path("album/torn.png").write_bytes(pathlib.Path("album/a.png").read_bytes()[:-30])
    done = start("album", "--output=out", f"--model={model}")
    assert (done.returncode, done.stdout) == (1, "Colored 3 of 4 photos, in out.\n")
    assert done.stderr.startswith("album/torn.png: ") and done.stderr.count("\n") == 1
    np.testing.assert_array_equal(written("out/a.png"), 255 - photo())
    help_text = start("--help")
    assert help_text.returncode == 0 and "--overwrite" in help_text.stdout


def test_help_needs_no_tensorflow():
    code = "import sys, colorization.colorize as c; c.main(['c', '--help']); print('tensorflow' in "
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("False\n")
