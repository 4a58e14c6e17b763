"""The state of a run: its directory, and the checkpoints in it.

The directory holds the flags, the fingerprint of the pictures and the versions. A checkpoint is all
that the next step depends on, at the end of an epoch: networks, optimizers with their averages and
counts, and the states of dropout. Schedules and the input chain are functions of the step. All of
it is written in one piece or not at all.
"""

import contextlib
import csv
import dataclasses
import json
import os
import re

import keras
import numpy as np
import tensorflow as tf

from colorization.config import RECIPE, knobs
from colorization.flags import format_flags, parse_flagfile
from pipelines import console
from pipelines.batches import survey
from pipelines.errors import UserError, first_line
from pipelines.files import atomic_write, write_text
from pipelines.sources import opener

ENVIRONMENT, FINISHED = "environment.json", "finished"
PACKAGES = ("tensorflow", "keras", "numpy", "tensorflow-datasets", "opencv-python-headless")

# Knobs that name pictures; and values of knobs of paths that are none.
_PICTURES = ("data", "val_data")
_WORDS = ("", "imagenet", "memory", "none", "released")


class TrainingError(UserError):
    """A run that can't continue. The message says how to fix it."""


class Run:
    """The directory of a run. A dry run has none: nothing is read from it or written to it.

    Of several workers one is the chief and writes, before the others come.
    """

    def __init__(self, model_dir, is_chief=True):
        self.model_dir, self.is_chief = model_dir, is_chief

    def path(self, *names):
        """Path of something in the directory; None if there is no directory."""
        return os.path.join(self.model_dir, *names) if self.model_dir else None

    def open(self, config):
        """Makes the directory, or checks that it holds this run; notes a raised `--epochs`.

        Raises `TrainingError` if the directory holds another run, or something else; or if it is
        missing and others write it.
        """
        if not self.model_dir:
            return
        path = self.path(RECIPE)
        if self.is_chief and os.path.exists(path) and not self.has_begun:
            self._forget_mistakes(config)
        elif os.path.exists(path):
            earlier = parse_flagfile(path)
            _compare(self.model_dir, earlier, config)
            if self.is_chief and config.epochs > earlier.epochs:
                self._raise_epochs(config, earlier)
        elif not self.is_chief:
            raise TrainingError(
                "--model_dir is in a file system that all workers share, under one path. Received: "
                f"{self.model_dir}, where this worker finds no {RECIPE} of the chief's. Share it."
            )
        elif os.path.exists(self.model_dir) and (
            not os.path.isdir(self.model_dir) or os.listdir(self.model_dir)
        ):
            raise TrainingError(
                "--model_dir is a new directory, or one that this command made. Received: "
                f"{self.model_dir}, which has no {RECIPE}. Choose another."
            )
        if not self.is_chief:
            return
        try:
            os.makedirs(self.path("samples"), exist_ok=True)
            if not os.path.exists(path):
                self.write_recipe(config)
        except OSError as error:
            raise TrainingError(
                f"--model_dir={self.model_dir} can't be made: {error.strerror}."
            ) from error

    def _forget_mistakes(self, config):
        """Takes other flags in place of the run's, which has no epoch that could be lost."""
        with open(self.path(RECIPE), encoding="utf-8") as file:
            if file.read() == format_flags(absolute(config)):
                return
        for name in (RECIPE, "survey.json", "val_survey.json", "prior.npy"):
            with contextlib.suppress(FileNotFoundError):
                os.remove(self.path(name))

    def write_recipe(self, config):
        """Writes the flags, with absolute paths."""
        if self.model_dir and self.is_chief:
            write_text(self.path(RECIPE), format_flags(absolute(config)))

    def _raise_epochs(self, config, earlier):
        if os.path.exists(self.path(FINISHED)):
            os.remove(self.path(FINISHED))
        self.write_recipe(config)
        course = f" The rest follows the cosine of {config.epochs} epochs."
        course = course if config.schedule == "cosine" else ""
        print(f"--epochs is raised from {earlier.epochs} to {config.epochs}.{course}", flush=True)

    @property
    def is_finished(self):
        """Whether the run has had its last epoch, be it by early stopping."""
        return os.path.exists(self.path(FINISHED))

    def mark_finished(self):
        write_text(self.path(FINISHED), "")

    @property
    def has_checkpoint(self):
        return bool(self.model_dir and tf.train.latest_checkpoint(self.path("checkpoints")))

    @property
    def has_begun(self):
        """Whether the run has had an epoch."""
        has_rows = os.path.exists(self.path("history.csv"))
        return has_rows or self.has_checkpoint or self.is_finished

    def write_environment(self, fingerprint, seed, start=None):
        """Notes the versions, the data, the seed, and what the weights came from.

        `start` is a dict that describes the weights that the run starts from; None keeps what an
        earlier start noted.
        """
        if not self.model_dir or not self.is_chief:
            return
        facts = {
            "versions": console.installed_versions(PACKAGES),
            "data_fingerprint": fingerprint,
            "seed": seed,
        }
        start = start or started_from(self.model_dir)
        if start:
            facts["started_from"] = start
        write_text(self.path(ENVIRONMENT), json.dumps(facts, indent=1) + "\n")

    def survey(self, source, name="survey", white_background=0.0):
        """Surveys a source, or reads the survey that the run keeps of it by a name.

        Raises `TrainingError` if the pictures changed since the run began. They may have moved.
        """
        path, kept = self.path(f"{name}.json"), None
        if path and os.path.exists(path):
            kept = survey.load_survey(path)
            if kept.listing == source.listing:
                return kept
        surveyed = survey.survey(source, white_background)
        if kept and kept.contents != surveyed.contents:
            raise TrainingError(
                f"The pictures of {source.name}, or those that --exclude names, changed since "
                "the run began, so that it can't continue as if never interrupted. Restore "
                "them, or take a new --model_dir."
            )
        if path:
            survey.save_survey(surveyed, path)
        return surveyed

    def prior(self, measure=None):
        """Reads the prior that the run keeps, or keeps the array that `measure` returns."""
        path = self.path("prior.npy")
        if path and os.path.exists(path):
            return np.load(path)
        prior = measure()
        if path:
            with atomic_write(path) as file:
                np.save(file, prior)
        return prior


def started_from(model_dir):
    """What a run keeps of the weights that it started from: a dict, empty if there were none."""
    path = os.path.join(model_dir, ENVIRONMENT)
    if not os.path.exists(path):
        return {}
    with open(path, encoding="utf-8") as file:
        return json.load(file).get("started_from") or {}


def absolute(config):
    """The `Config` with absolute paths: other commands read it in other folders."""
    changes = {name: opener.absolute(getattr(config, name)) for name in _PICTURES}
    for name in ("exclude", "start_from", "encoder_weights", "feature_weights", "cache"):
        value = getattr(config, name)
        if value not in _WORDS and "://" not in value:
            changes[name] = os.path.abspath(value)
    return dataclasses.replace(config, **changes)


def _compare(model_dir, earlier, config):
    # Pictures may move: the survey checks that they are the same.
    kept = {*knobs(free=True), *_PICTURES, "exclude", "epochs"}
    earlier, config = absolute(earlier), absolute(config)
    pairs = zip(format_flags(earlier).splitlines(), format_flags(config).splitlines(), strict=True)
    differing = [
        f"{was} there, {now} here"
        for (was, now), name in zip(pairs, vars(config), strict=True)
        if was != now and name not in kept
    ]
    if bool(earlier.val_data) != bool(config.val_data):
        differing.append(f"--val_data={earlier.val_data} there, --val_data={config.val_data} here")
    if config.epochs < earlier.epochs:
        differing.append(f"--epochs={earlier.epochs} there, --epochs={config.epochs} here")
    if differing:
        raise TrainingError(
            f"{model_dir} holds a run of another recipe: {'; '.join(differing)}. "
            "Give the same flags to resume it (--epochs may be raised), or another --model_dir."
        )


def total_seconds(model_dir, epochs):
    """Sum of the seconds of a run's first epochs by its history; NaN where one has none."""
    with open(os.path.join(model_dir, "history.csv"), newline="") as file:
        rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= epochs]
    return sum(float(row.get("seconds") or "nan") for row in rows)


def checkpoint_folder(model_dir, which="latest"):
    """Folder of a run's `"latest"` checkpoints, or of its `"best"` one."""
    latest = os.path.join(model_dir, "checkpoints")
    return os.path.join(latest, "best") if which == "best" else latest


def checkpoint_epoch(path):
    """Number of epochs before a checkpoint, by its name; 0 for None."""
    return int(re.search(r"-(\d+)$", path).group(1)) if path else 0


def numbered(variables, first=0):
    """What a checkpoint holds of variables.

    Numbered, since layers may share a name, and the order is that of the graph.
    """
    return {f"{first + i:05d}": variable.value for i, variable in enumerate(variables)}


def restore(checkpoint, path, whole=True):
    """Reads variables, a `tf.train.Checkpoint` of `numbered` ones, from the checkpoint at a path.

    `whole` says that it must hold nothing else. Raises `TrainingError` if it is damaged or of
    another network.
    """
    try:
        status = checkpoint.restore(path)
        status.assert_consumed() if whole else status.assert_existing_objects_matched()
    except (tf.errors.OpError, AssertionError, ValueError) as error:
        raise TrainingError(
            f"{path} can't be restored: it is damaged or of another network. Remove its "
            f"line from {os.path.dirname(path)}/checkpoint to continue from the one before. "
            f"({first_line(error)[:120]})"
        ) from error
    if not whole:
        status.expect_partial()


class Checkpoints(keras.callbacks.Callback):
    """Saves a compiled and built model after every epoch, and restores it.

    An adversarial model has `discriminator_optimizer`; the latest `keep` checkpoints are kept.
    """

    def __init__(self, model, directory, keep):
        super().__init__()
        optimizers = [model.optimizer, getattr(model, "discriminator_optimizer", None)]
        variables = list(model.variables)
        for optimizer in filter(None, optimizers):
            variables += optimizer.variables
        self._checkpoint = tf.train.Checkpoint(**numbered(variables))
        self._manager = tf.train.CheckpointManager(self._checkpoint, directory, keep)

    def restore(self):
        """Reads the latest checkpoint, if any, and returns the number of epochs before it."""
        latest = self._manager.latest_checkpoint
        if latest:
            restore(self._checkpoint, latest)
        return checkpoint_epoch(latest)

    def on_epoch_end(self, epoch, logs=None):
        """Saves the state after `epoch + 1` epochs."""
        try:
            self._manager.save(checkpoint_number=epoch + 1)
        except (tf.errors.OpError, OSError) as error:
            raise TrainingError(
                f"The checkpoint of epoch {epoch + 1} could not be written to "
                f"{self._manager.directory}: {first_line(error)[:160]}. Earlier "
                "checkpoints are whole: make room and run the same command again."
            ) from error
