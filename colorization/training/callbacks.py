"""What happens around steps and epochs: phases, history, metrics, samples, a stop at bad losses.

An epoch either measures a metric or does not log it. Whether more of it is better follows from its
name; inside, it is turned so that less always is.
"""

import csv
import math
import os
import time

import keras
import tensorflow as tf

from colorization.config import ConfigError
from colorization.evaluation import measure, runs
from colorization.evaluation.figures import FIGURES, summarize
from colorization.training.optimizer import averaged_weights
from colorization.training.state import TrainingError
from pipelines import console
from pipelines.files import atomic_write
from pipelines.photos import photo_files


class Phases(keras.callbacks.Callback):
    """Sets before every step which networks of an `AdversarialModel` it updates.

    After `pretrain_epochs` of the generator alone, each is updated at every N-th step, counted
    over the run, so that interruptions change nothing. One of the two N is 1.
    """

    def __init__(self, pretrain_epochs, generator_every, discriminator_every, steps_per_epoch):
        super().__init__()
        self.pretrain_epochs, self.steps_per_epoch = pretrain_epochs, steps_per_epoch
        self.generator_every, self.discriminator_every = generator_every, discriminator_every
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_begin(self, batch, logs=None):
        if self.epoch < self.pretrain_epochs:
            self.model.phase = "pretraining"
            return
        # Counted from 1, so that a critic has had all its steps before the generator's first.
        step = (self.epoch - self.pretrain_epochs) * self.steps_per_epoch + batch + 1
        if step % self.generator_every:
            self.model.phase = "discriminator"
        elif step % self.discriminator_every:
            self.model.phase = "generator"
        else:
            self.model.phase = "both"


class StopAtNonFiniteLoss(keras.callbacks.Callback):
    """Ends the run where a loss is not finite, and names the first such step.

    Reading a loss waits for the device to compute it. So losses are kept as tensors and read
    together, after `every` steps and at the end of an epoch, before anything is saved.
    """

    def __init__(self, steps_per_epoch, every=50):
        super().__init__()
        self.steps_per_epoch, self.every = steps_per_epoch, every
        self.epoch, self._unread = 0, []

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self._unread = epoch, []

    def on_train_batch_end(self, batch, logs=None):
        # Means over the epoch so far, which one NaN turns to NaN.
        self._unread.append((batch, dict(logs)))
        if len(self._unread) >= self.every:
            self._check()

    def on_epoch_end(self, epoch, logs=None):
        self._check()

    def _check(self):
        for batch, losses in self._unread:
            bad = [name for name, value in losses.items() if not math.isfinite(float(value))]
            if bad:
                step = self.epoch * self.steps_per_epoch + batch + 1
                raise TrainingError(
                    f"{bad[0]} is not finite at step {step} (epoch {self.epoch + 1}). Checkpoints "
                    "of earlier epochs are kept. Lower --learning_rate or set --clip_norm=1, in a "
                    "new --model_dir."
                )
        self._unread = []


class History(keras.callbacks.Callback):
    """Keeps one row per epoch in `history.csv` and in TensorBoard's events.

    Rows after `epoch`, that of the restored checkpoint, are dropped: they were left by a run that
    was killed before its next one. `followers`, callbacks that act on the losses, are shown the
    others again, so that their patience survives an interruption; for them alone the rows are kept
    by a process that does not write.
    """

    def __init__(self, model_dir, epoch, followers=(), writes=True):
        super().__init__()
        self.path = os.path.join(model_dir, "history.csv")
        self.followers = followers
        self.rows, self._start = [], 0.0
        if os.path.exists(self.path):
            with open(self.path, newline="") as file:
                self.rows = [row for row in csv.DictReader(file) if int(row["epoch"]) <= epoch]
        events = os.path.join(model_dir, "events")
        self.writer = tf.summary.create_file_writer(events) if writes else None

    def has_stopped(self, model):
        """Whether the followers stopped the run after the rows that are kept."""
        model.stop_training = False
        for callback in (*self.followers, self):
            callback.set_model(model)
            callback.on_train_begin()
        return model.stop_training

    def on_train_begin(self, logs=None):
        """Replays the kept rows to the followers; the checkpoint's own learning rate stays."""
        rate = _learning_rate(self.model)
        for row in self.rows:
            logs = {k: float(v) for k, v in row.items() if k != "epoch" and v != ""}
            for follower in self.followers:
                follower.on_epoch_end(int(row["epoch"]) - 1, dict(logs))
        if _learning_rate(self.model) != rate:
            _set_learning_rate(self.model, rate)

    def on_epoch_begin(self, epoch, logs=None):
        self._start = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        values = {k: float(v) for k, v in logs.items()}
        values["learning_rate"] = _learning_rate(self.model)
        values["seconds"] = round(time.monotonic() - self._start, 1)
        self.rows.append({"epoch": epoch + 1, **values})
        if not self.writer:
            return
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        with atomic_write(self.path, "w", newline="") as file:
            table = csv.DictWriter(file, names, restval="")
            table.writeheader()
            table.writerows(self.rows)
        with self.writer.as_default(step=epoch + 1):
            for name, value in values.items():
                tf.summary.scalar(name, value)
        self.writer.flush()


def badness(name, value):
    """What is monitored, turned so that less is better.

    Its name is `loss`, `val_loss`, a figure of `figures.FIGURES` or a distance that ends in `-kid`.
    """
    is_lower_better = name in ("loss", "val_loss") or name.endswith("-kid")
    better = "lower" if is_lower_better else FIGURES[name].better
    # Of a gap to the truth either side is as bad.
    return {"lower": value, "higher": -value, "truth": abs(value)}[better]


class Figures(keras.callbacks.Callback):
    """Measures the figures of the evaluation every few epochs and adds them to the epoch's logs.

    Pictures are colored at the size of the crops, as the sheet of samples is, and rounded to 8
    bits; what is measured of them is what `colorization.evaluate` measures, so that the figures
    mean the same, but they stand beside others of this run only. There are at least 2, uint8 of
    shape `(num_pictures, size, size, 3)`, or pairs, with the gray pictures as three channels more.
    """

    def __init__(self, network, codec, pictures, every, networks=()):
        super().__init__()
        self.network, self.codec, self.every = network, codec, every
        self.pictures, self.networks = pictures, list(networks)
        extracting = [one for one in self.networks if one.extract is not None]
        self._true_vectors = {
            one.name: [one.extract(picture) for picture in pictures[..., :3]] for one in extracting
        }

    def on_epoch_end(self, epoch, logs=None):
        # With the averaged weights, as the exported model would be.
        if (epoch + 1) % self.every == 0:
            with averaged_weights(self.network, self.model.optimizer):
                logs.update(self.measure())

    def measure(self):
        """Colors and measures the pictures: figures by name, kernel distances not times 1,000."""
        colored = runs.color_pictures(self.network, self.codec, self.pictures)
        measured = [
            measure.measure(measure.Picture(truth), [measure.Picture(rgb)], self.networks)
            for truth, rgb in zip(self.pictures[..., :3], colored, strict=True)
        ]
        found = summarize(measured, self._true_vectors, self.networks)
        # Over so few pictures a Frechet distance is bias.
        return {k: value.value for k, value in found.items() if not k.endswith("-fid")}


class Following:
    """Makes a callback of Keras follow what is monitored: it is called for epochs that measure it.

    Comes before the callback among the bases; the callback is made with `mode="min"`.
    """

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor in logs:
            bad = badness(self.monitor, logs[self.monitor])
            super().on_epoch_end(epoch, logs | {self.monitor: bad})


class StopEarly(Following, keras.callbacks.EarlyStopping):
    """Ends the run where progress stops."""


class DropOnPlateau(Following, keras.callbacks.ReduceLROnPlateau):
    """Lowers the learning rate of both optimizers where progress stops."""

    def on_epoch_end(self, epoch, logs=None):
        super().on_epoch_end(epoch, logs)
        _set_learning_rate(self.model, _learning_rate(self.model))


def _learning_rate(model):
    # A variable mirrored over devices is no number by itself.
    return float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))


def _set_learning_rate(model, rate):
    for name in ("optimizer", "discriminator_optimizer"):
        if hasattr(model, name):
            getattr(model, name).learning_rate = rate


class KeepBest(keras.callbacks.Callback):
    """Saves the state after the epoch that did best so far.

    Which one that is follows from the rows of the history alone, so that an interruption changes
    nothing. Among epochs that did equally well it is the first.

    `history`, the `History`, comes before this among the callbacks, and `saved`, `Checkpoints` that
    keep one, before the run's own: a run that is killed between the two resumes from the epoch
    before, and repeats this one.
    """

    def __init__(self, monitor, history, saved):
        super().__init__()
        self.monitor, self.history, self.saved = monitor, history, saved

    def on_epoch_end(self, epoch, logs=None):
        if self.monitor in logs:
            earlier = [
                badness(self.monitor, float(row[self.monitor]))
                for row in self.history.rows
                if int(row["epoch"]) <= epoch and row.get(self.monitor, "") != ""
            ]
            now = badness(self.monitor, logs[self.monitor])
            # NaN is neither good nor in the way of what is.
            if now < float("inf") and not any(bad <= now for bad in earlier):
                self.saved.on_epoch_end(epoch)


class SampleSheet(keras.callbacks.Callback):
    """Draws a sheet after every epoch: pictures in gray, as colored, and as they are, in rows.

    The averaged weights color, as in the exported model. Pictures are uint8 of shape
    `(num_pictures, size, size, 3)`, or pairs, with the gray pictures as three channels more.
    """

    def __init__(self, built, pictures, directory):
        super().__init__()
        self.network, self.codec = built.generator, built.codec
        self.pictures, self.directory = pictures, directory

    def on_epoch_end(self, epoch, logs=None):
        with (
            console.doing("Coloring samples"),
            averaged_weights(self.network, self.model.optimizer),
        ):
            colored = runs.color_pictures(self.network, self.codec, self.pictures)
        path = os.path.join(self.directory, f"epoch_{epoch + 1:04d}.png")
        photo_files.write_picture(path, runs.sheet(self.pictures, colored), overwrite=True)


def build_followers(config):
    """Makes the callbacks that act on what is monitored: learning-rate drops, early stopping."""
    monitor = config.monitor
    if monitor == "auto":
        monitor = "val_loss" if config.val_data else "loss"
    followers = []
    if config.schedule == "plateau":
        followers.append(
            DropOnPlateau(monitor, factor=config.decay_factor, patience=config.patience, mode="min")
        )
    if config.early_stopping:
        followers.append(StopEarly(monitor, patience=config.early_stopping, mode="min"))
    return followers


def build_figures(config, built, pictures, networks):
    """Makes the callbacks that measure metrics on validation pictures, if the run does.

    `networks` are those of the metrics. Raises `ConfigError` if there are fewer than 2 usable
    pictures.
    """
    if not config.monitor_every:
        return []
    source, survey = pictures.validation
    if survey.num_usable < 2:
        raise ConfigError(
            f"--monitor_every measures at least 2 pictures in color. Received: {source.name}, "
            f"which has {survey.num_usable}."
        )
    taken, every = pictures.measured(), config.monitor_every
    return [Figures(built.generator, built.codec, taken, every, networks)]
