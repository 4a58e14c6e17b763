"""What an installation brings: coloring alone, or all of it."""

import configparser
import pathlib
import re
import subprocess
import sys

import pytest
from packaging.requirements import Requirement

from pipelines import console
from pipelines.errors import UserError

ROOT = pathlib.Path(__file__).parents[1]
# Imports a command, and fails if that brought TensorFlow.
LIGHT = """
import importlib, sys
importlib.import_module(sys.argv[1])
sys.exit(", ".join({"tensorflow", "keras"} & set(sys.modules)) or 0)
"""


def requirements(text):
    lines = (re.sub(r"#.*", "", line).strip() for line in text.splitlines())
    return {requirement.name: requirement for requirement in map(Requirement, filter(None, lines))}


def test_what_coloring_takes_is_pinned_within_its_ranges():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    base = requirements(config["options"]["install_requires"])
    pinned = requirements((ROOT / "requirements.txt").read_text())
    assert "tensorflow" not in base and "keras" not in base
    for name, requirement in base.items():
        (pin,) = pinned[name].specifier
        assert pin.operator == "==" and requirement.specifier.contains(pin.version)


@pytest.mark.parametrize("module", ["colorize", "serve", "demo", "__main__"])
def test_what_colors_photos_imports_no_tensorflow(module):
    command = [sys.executable, "-c", LIGHT, f"colorization.{module}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_without_tensorflow_a_command_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    monkeypatch.setattr(console.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"pip install 'colorization\[train\]'"):
        console.import_quietly()
