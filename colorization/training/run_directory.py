"""The run directory: what was asked, on what, with which versions."""

import csv
import importlib.metadata
import json
import os
import sys

from colorization.training.checkpoints import TrainingError
from pipelines.files import write_text

RECIPE, ENVIRONMENT, FINISHED = "recipe.flags", "environment.json", "finished"
PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "opencv-python-headless")


def open_run(model_dir, recipe, read, is_chief=True):
    """Makes a run directory, or checks that one belongs to this command.

    Args:
        model_dir: Path of the directory.
        recipe: Text of the run's flagfile, one flag a line.
        read: Function from the path of an earlier run's flagfile to its text as this version would
            have written it: knobs that came since at their defaults.
        is_chief: Whether this process writes. Of several workers one does, before the others come.

    Raises:
        TrainingError: If the directory holds another run, or something else; or if it is not there
            and others write it.
    """
    path = os.path.join(model_dir, RECIPE)
    if os.path.exists(path):
        _compare(model_dir, read(path), recipe)
    elif not is_chief:
        raise TrainingError(
            "--model_dir is in a file system that all workers share, under one path. Received: "
            f"{model_dir}, where this worker finds no {RECIPE} of the chief's. Share it."
        )
    elif os.path.exists(model_dir) and (not os.path.isdir(model_dir) or os.listdir(model_dir)):
        raise TrainingError(
            "--model_dir is a new directory, or one that this command made. Received: "
            f"{model_dir}, which has no {RECIPE}. Choose another."
        )
    if not is_chief:
        return
    try:
        os.makedirs(model_dir, exist_ok=True)
        if not os.path.exists(path):
            write_text(path, recipe)
        os.makedirs(os.path.join(model_dir, "samples"), exist_ok=True)
    except OSError as error:
        raise TrainingError(f"--model_dir={model_dir} can't be made: {error.strerror}.") from error


def _compare(model_dir, old, new):
    differing = [
        f"{was} there, {now} here"
        for was, now in zip(old.splitlines(), new.splitlines(), strict=True)
        if was != now
    ]
    if differing:
        raise TrainingError(
            f"{model_dir} holds a run of another recipe: {'; '.join(differing)}. "
            "Give the same flags to resume it, or another --model_dir."
        )


def write_environment(model_dir, fingerprint, seed):
    """Notes the versions, the data and the seed of a run."""
    versions = {name: _version(name) for name in PACKAGES}
    versions["python"] = sys.version.split()[0]
    facts = {"versions": versions, "data_fingerprint": fingerprint, "seed": seed}
    write_text(os.path.join(model_dir, ENVIRONMENT), json.dumps(facts, indent=1) + "\n")


def mark_finished(model_dir):
    """Notes that a run has had its last epoch, be it by early stopping."""
    write_text(os.path.join(model_dir, FINISHED), "")


def is_finished(model_dir):
    """Whether a run has had its last epoch."""
    return os.path.exists(os.path.join(model_dir, FINISHED))


def seconds(model_dir, epochs):
    """Sum of the seconds of a run's first epochs by its history; NaN where one does not tell."""
    with open(os.path.join(model_dir, "history.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= epochs]
    return sum(float(row.get("seconds") or "nan") for row in rows)


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None  # Installed under another name, such as tensorflow-cpu.
