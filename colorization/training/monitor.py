"""Metrics of the evaluation during training, and the callbacks that follow them.

An epoch either measures a metric or does not log it. Whether more of it is better follows from its
name; inside, it is turned so that less always is.
"""

import keras

from colorization.config import ConfigError
from colorization.evaluation import measure, runs
from colorization.evaluation.features import open_squeezenet
from colorization.evaluation.figures import FIGURES, summarize
from colorization.training.optimizer import averaged_weights
from colorization.training.state import Checkpoints, checkpoint_folder


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
        """Measures with the averaged weights, as the exported model would be."""
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
        """Tells how bad the epoch was, if it was measured."""
        if self.monitor in logs:
            bad = badness(self.monitor, logs[self.monitor])
            super().on_epoch_end(epoch, logs | {self.monitor: bad})


class StopEarly(Following, keras.callbacks.EarlyStopping):
    """Ends the run where progress stops."""


class KeepBest(keras.callbacks.Callback):
    """Saves the state after the epoch that did best so far.

    Which one that is follows from the rows of the history alone, so that an interruption changes
    nothing. Among epochs that did equally well it is the first.

    Args:
        monitor: What the epochs are held against each other by.
        history: `callbacks.History`; comes before this among the callbacks.
        saved: `Checkpoints` that keep one. They come before the run's own: a run that is killed
            between the two resumes from the epoch before, and repeats this one.
    """

    def __init__(self, monitor, history, saved):
        super().__init__()
        self.monitor, self.history, self.saved = monitor, history, saved

    def on_epoch_end(self, epoch, logs=None):
        """Saves if no earlier epoch did as well."""
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


def open_features(config):
    """Opens the networks that a run's metrics need: SqueezeNet by `--feature_weights`, or none."""
    return [open_squeezenet(config.feature_weights)] if config.measures_features else []


def build_figures(config, built, pictures, features):
    """Makes the callbacks that measure metrics on validation pictures, if the run does.

    Raises `ConfigError` if there are fewer than 2 usable pictures.
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
    return [Figures(built.generator, built.codec, taken, every, features)]


def build_best(config, run, model, history):
    """Makes the callbacks that keep the best checkpoint, if `--monitor` names a measure."""
    if config.monitor == "auto":
        return []
    saved = Checkpoints(model, checkpoint_folder(run.model_dir, "best"), 1)
    return [KeepBest(config.monitor, history, saved)]
