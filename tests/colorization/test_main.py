"""The command `colorization`, and what a wheel holds."""

import os
import pathlib
import subprocess
import sys

import pytest

import colorization
from colorization.__main__ import COMMANDS
from tests import command_line

ROOT = pathlib.Path(__file__).parents[2]


def call(*words):
    status, output, errors = command_line.call("colorization", *words)
    return status, output.splitlines(), errors.splitlines()


def test_every_command_is_a_module_and_every_module_that_is_run_a_command():
    runnable = set()
    for path in ROOT.glob("*/*.py"):
        if '__name__ == "__main__"' in path.read_text() and path.parent.name in (
            "colorization",
            "pipelines",
        ):
            runnable.add(f"{path.parent.name}.{path.stem}")
    named = {module for module, _ in COMMANDS.values()}
    assert runnable - {"colorization.__main__"} == named


@pytest.mark.parametrize("words", [[], ["--help"], ["help"]])
def test_help_lists_every_command(words):
    status, lines, errors = call(*words)
    assert (status, errors) == (0, [])
    assert [line.split()[0] for line in lines[2:]] == list(COMMANDS)


def test_version():
    assert call("--version") == (0, [f"colorization {colorization.__version__}"], [])
    assert call("colorize", "--version") == (0, [f"colorization {colorization.__version__}"], [])


def test_a_command_that_is_none_is_one_line():
    status, _, (line,) = call("trian", "--data=samples")
    assert status == 1 and line.endswith("Received: trian. Did you mean train?")


def test_words_go_on_to_the_command_and_its_status_comes_back():
    status, lines, (line,) = call("train", "samples")
    assert (status, lines) == (1, [])
    assert line == "Error: train takes flags only. Received: samples."
    status, _, (line,) = call("colorize", "none.jpg")
    assert status == 1 and "no such file" in line


@pytest.mark.slow
def test_a_wheel_holds_recipes_and_the_released_model(tmp_path):
    build = [sys.executable, "setup.py", "--quiet", "build_py", f"--build-lib={tmp_path}/lib"]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    program = (
        "from colorization import flags\n"
        "from colorization.inference import model_folder\n"
        "print(flags.expand_recipe(['train', '--recipe=chroma'])[1])\n"
        "print(model_folder.find('released'))\n"
        "print(model_folder.read_description(model_folder.find())['name'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path / "lib")},
        capture_output=True,
        text=True,
        check=True,
    )
    recipe, model, name = done.stdout.splitlines()
    inside = tmp_path / "lib" / "colorization"
    assert recipe == f"--flagfile={inside}/recipes/chroma.flags"
    assert pathlib.Path(model).parent == inside / "saved_models" / "chroma" and name == "chroma"


def test_importing_the_colorizer_prints_nothing():
    program = "import sys; from colorization import Colorizer; assert 'keras' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
