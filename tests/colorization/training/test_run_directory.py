"""The run directory: made, known again, and refused where it is another's."""

import importlib.metadata
import json
import os
import pathlib

import pytest

from colorization.config import Config
from colorization.flags import format_flags, parse_flagfile
from colorization.training import run_directory
from colorization.training.checkpoints import TrainingError

RECIPE = "--epochs=3\n--flip\n"


def read(path):
    return pathlib.Path(path).read_text()


def test_a_run_is_made_and_known_again(tmp_path):
    run = tmp_path / "runs" / "first"
    for _ in range(2):
        run_directory.open_run(str(run), RECIPE, read)
        assert sorted(os.listdir(run)) == ["recipe.flags", "samples"]
        assert (run / "recipe.flags").read_text() == RECIPE
        os.rmdir(run / "samples")


def test_an_empty_directory_is_taken(tmp_path):
    run_directory.open_run(str(tmp_path), RECIPE, read)
    assert (tmp_path / "recipe.flags").read_text() == RECIPE


def test_the_recipe_gives_the_run_back(tmp_path):
    config = Config(data="folder:a b", epochs=7, flip=False)
    run_directory.open_run(str(tmp_path), format_flags(config), read)
    assert parse_flagfile(tmp_path / run_directory.RECIPE) == config


@pytest.mark.parametrize(
    "recipe, message",
    [
        (
            "--epochs=4\n--flip\n",
            "another recipe: --epochs=3 there, --epochs=4 here. Give the same",
        ),
        (
            "--epochs=4\n--noflip\n",
            "--epochs=3 there, --epochs=4 here; --flip there, --noflip here",
        ),
    ],
)
def test_another_recipe_is_refused(recipe, message, tmp_path):
    run_directory.open_run(str(tmp_path), RECIPE, read)
    with pytest.raises(TrainingError, match=message) as caught:
        run_directory.open_run(str(tmp_path), recipe, read)
    assert "\n" not in str(caught.value)
    assert (tmp_path / "recipe.flags").read_text() == RECIPE


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "diary.txt").write_text("-")
    message = "--model_dir is a new directory, or one that this command made. Received: "
    for path in (tmp_path, tmp_path / "diary.txt"):
        with pytest.raises(TrainingError, match=message):
            run_directory.open_run(str(path), RECIPE, read)
    assert os.listdir(tmp_path) == ["diary.txt"]


def test_where_no_directory_can_be(tmp_path):
    (tmp_path / "file").write_text("-")
    with pytest.raises(TrainingError, match="--model_dir=.* can't be made: Not a directory"):
        run_directory.open_run(str(tmp_path / "file" / "run"), RECIPE, read)


def test_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(run_directory, "PACKAGES", ("keras", "a-package-of-no-name"))
    run_directory.write_environment(str(tmp_path), "c0ffee", 7)
    facts = json.loads((tmp_path / "environment.json").read_text())
    assert facts["data_fingerprint"] == "c0ffee" and facts["seed"] == 7
    assert facts["versions"]["keras"] == importlib.metadata.version("keras")
    assert facts["versions"]["a-package-of-no-name"] is None
    assert facts["versions"]["python"].startswith("3.")


def test_the_named_packages_are_installed(tmp_path):
    run_directory.write_environment(str(tmp_path), "", 0)
    assert None not in json.loads((tmp_path / "environment.json").read_text())["versions"].values()
