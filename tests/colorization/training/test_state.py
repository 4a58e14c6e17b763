"""The run directory: made, known again, and refused where it is another's."""

import dataclasses
import importlib.metadata
import json
import os
import shutil

import pytest

from colorization.config import Config, knobs
from colorization.flags import format_flags, parse_flagfile
from colorization.training import state
from colorization.training.state import Run, TrainingError
from pipelines.sources import opener

ASKED = Config(data="folder:/a b", epochs=7, flip=False)


def begin(folder, config=ASKED):
    """Makes a run that has had an epoch."""
    Run(str(folder)).open(config)
    (folder / "history.csv").write_text("epoch,loss\n1,0.5\n")


def test_a_run_is_made_and_known_again(tmp_path):
    folder = tmp_path / "runs" / "first"
    for _ in range(2):
        Run(str(folder)).open(ASKED)
        assert sorted(os.listdir(folder)) == ["recipe.flags", "samples"]
        assert parse_flagfile(folder / state.RECIPE) == ASKED
        os.rmdir(folder / "samples")


def test_an_empty_directory_is_taken(tmp_path):
    Run(str(tmp_path)).open(ASKED)
    assert (tmp_path / "recipe.flags").read_text() == format_flags(ASKED)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"flip": True}, "another recipe: --noflip there, --flip here. Give the same"),
        ({"flip": True, "seed": 3}, "--noflip there, --flip here; --seed=0 there, --seed=3 here"),
        ({"epochs": 6}, "another recipe: --epochs=7 there, --epochs=6 here. .*may be raised"),
    ],
)
def test_another_recipe_is_refused(changes, message, tmp_path):
    begin(tmp_path)
    with pytest.raises(TrainingError, match=message) as caught:
        Run(str(tmp_path)).open(dataclasses.replace(ASKED, **changes))
    assert "\n" not in str(caught.value)
    assert parse_flagfile(tmp_path / state.RECIPE) == ASKED


def test_a_folder_with_a_slash_at_its_end_is_no_other_recipe(tmp_path):
    begin(tmp_path, dataclasses.replace(ASKED, cache="/c"))
    Run(str(tmp_path)).open(dataclasses.replace(ASKED, data="folder:/a b/", cache="/c/"))


def test_a_run_without_an_epoch_takes_corrected_flags(tmp_path):
    mistaken = dataclasses.replace(ASKED, seed=3, val_data="folder:/gray")
    Run(str(tmp_path)).open(mistaken)
    for name in ("survey.json", "val_survey.json", "prior.npy"):
        (tmp_path / name).write_text("of other pictures")
    Run(str(tmp_path)).open(ASKED)
    assert parse_flagfile(tmp_path / state.RECIPE) == ASKED
    assert sorted(os.listdir(tmp_path)) == ["recipe.flags", "samples"]


def test_what_is_known_of_the_pictures_stays_with_the_same_flags(tmp_path):
    for _ in range(2):
        Run(str(tmp_path)).open(ASKED)
        (tmp_path / "survey.json").write_text("of these pictures")
    assert (tmp_path / "survey.json").exists()


def test_paths_of_a_recipe_mean_the_same_in_every_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    asked = dataclasses.replace(
        ASKED,
        data="folder:a b/,pairs:color=c,gray=../g,samples",
        val_data="video:films/*.mp4:5",
        exclude="out.txt",
        cache="memory",
    )
    Run("run").open(asked)
    kept = parse_flagfile("run/recipe.flags")
    above = tmp_path.parent
    assert kept.data == f"folder:{tmp_path}/a b,pairs:color={tmp_path}/c,gray={above}/g,samples"
    assert kept.val_data == f"video:{tmp_path}/films/*.mp4:5"
    assert (kept.exclude, kept.cache) == (f"{tmp_path}/out.txt", "memory")


def test_a_recipe_of_relative_paths_is_resumed_where_it_was_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    begin(tmp_path / "run")
    asked = dataclasses.replace(ASKED, start_from="runs/large")
    (tmp_path / "run/recipe.flags").write_text(format_flags(asked))
    Run("run").open(asked)
    with pytest.raises(TrainingError, match="runs/large there, .*runs/small here"):
        Run("run").open(dataclasses.replace(ASKED, start_from="runs/small"))


def test_validation_is_not_begun_midway(tmp_path):
    begin(tmp_path)
    with pytest.raises(TrainingError, match="--val_data= there, --val_data=folder:/b here"):
        Run(str(tmp_path)).open(dataclasses.replace(ASKED, val_data="folder:/b"))


@pytest.mark.slow
def test_moved_pictures_are_known_again(picture_folder, tmp_path):
    run = Run(str(tmp_path / "run"))
    run.open(ASKED)
    before = run.survey(opener.open_source(f"folder:{picture_folder}"))
    moved = tmp_path / "moved"
    shutil.copytree(picture_folder, moved)
    after = run.survey(opener.open_source(f"folder:{moved}"))
    assert after.contents == before.contents and after.listing != before.listing


def test_what_the_result_does_not_depend_on_may_change(tmp_path):
    Run(str(tmp_path)).open(ASKED)
    changes = {"model_dir": "elsewhere", "data_service": "a:1", "keep_checkpoints": 9}
    changes["dry_run"] = True
    assert set(changes) == set(knobs(free=True))
    Run(str(tmp_path)).open(dataclasses.replace(ASKED, **changes))


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_raised_epochs_continue_a_finished_run(schedule, tmp_path, capsys):
    run, asked = Run(str(tmp_path)), dataclasses.replace(ASKED, schedule=schedule)
    begin(tmp_path, asked)
    run.mark_finished()
    raised = dataclasses.replace(asked, epochs=9)
    run.open(raised)
    assert not run.is_finished and parse_flagfile(tmp_path / state.RECIPE) == raised
    said = capsys.readouterr().out
    assert said.startswith("--epochs is raised from 7 to 9.")
    assert ("cosine of 9 epochs" in said) == (schedule == "cosine")


def test_what_is_no_run_is_refused(tmp_path):
    (tmp_path / "diary.txt").write_text("-")
    message = "--model_dir is a new directory, or one that this command made. Received: "
    for path in (tmp_path, tmp_path / "diary.txt"):
        with pytest.raises(TrainingError, match=message):
            Run(str(path)).open(ASKED)
    assert os.listdir(tmp_path) == ["diary.txt"]


def test_where_no_directory_can_be(tmp_path):
    (tmp_path / "file").write_text("-")
    with pytest.raises(TrainingError, match="--model_dir=.* can't be made: Not a directory"):
        Run(str(tmp_path / "file" / "run")).open(ASKED)


def test_only_the_chief_makes_a_run_directory(tmp_path):
    path = tmp_path / "run"
    other = Run(str(path), is_chief=False)
    with pytest.raises(TrainingError, match="a file system that all workers share"):
        other.open(ASKED)
    assert not path.exists()
    Run(str(path)).open(ASKED)
    before = sorted(path.rglob("*"))
    other.open(ASKED)
    other.write_environment("c0ffee", 7)
    with pytest.raises(TrainingError, match="--seed=0 there, --seed=2 here"):
        other.open(dataclasses.replace(ASKED, seed=2))
    assert sorted(path.rglob("*")) == before


def test_a_dry_run_touches_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run("")
    run.open(ASKED)
    run.write_environment("c0ffee", 7)
    assert run.path("survey.json") is None and not run.has_checkpoint
    assert not list(tmp_path.iterdir())


def test_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "PACKAGES", (*state.PACKAGES, "a-package-of-no-name"))
    Run(str(tmp_path)).write_environment("c0ffee", 7)
    facts = json.loads((tmp_path / "environment.json").read_text())
    assert facts["data_fingerprint"] == "c0ffee" and facts["seed"] == 7
    assert facts["versions"]["keras"] == importlib.metadata.version("keras")
    assert facts["versions"].pop("a-package-of-no-name") is None
    assert None not in facts["versions"].values() and facts["versions"]["python"][:2] == "3."


def test_the_origin_of_the_weights_stays_noted(tmp_path):
    for origin in ({"path": "runs/a", "epochs": 3}, None):
        Run(str(tmp_path)).write_environment("c0ffee", 7, origin)
        facts = json.loads((tmp_path / "environment.json").read_text())
        assert facts["started_from"] == {"path": "runs/a", "epochs": 3}
