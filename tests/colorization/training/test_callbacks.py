"""Callbacks: figures as the evaluation has them, who follows them, and losses not finite."""

import types

import keras
import numpy as np
import pytest
import skimage.metrics
import tensorflow as tf

from colorization import choices
from colorization.evaluation import features, measure
from colorization.training import callbacks
from colorization.training.callbacks import (
    Figures,
    KeepBest,
    StopAtNonFiniteLoss,
    StopEarly,
    badness,
)
from colorization.training.state import TrainingError
from pipelines.color import codecs, spaces

NAN, INF = float("nan"), float("inf")
KID = features.Features(
    "squeezenet", {}, lambda rgb: rgb[::20, ::20].astype(np.float32).ravel(), None
)


class Loss:
    """A loss that notes when it is looked at, as a device would be waited for."""

    def __init__(self, value, looks):
        self.value, self.looks = value, looks

    def __float__(self):
        self.looks.append(self.value)
        return self.value


def epoch(stop, number, values, looks=None):
    """Shows the callback an epoch; its losses are means, so that a bad one stays bad."""
    stop.on_epoch_begin(number)
    for step, value in enumerate(values):
        made = tf.constant(value) if looks is None else Loss(value, looks)
        stop.on_train_batch_end(step, {"loss": made, "distance": 1.0})
    stop.on_epoch_end(number)


@pytest.mark.parametrize("every", [1, 3, 50])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("first", [0, 2, 3, 6])
def test_the_first_bad_step_is_named(every, bad, first):
    stop = StopAtNonFiniteLoss(7, every)
    epoch(stop, 0, np.ones(7))
    values = [1.0] * first + [bad] * (7 - first)
    expected = rf"^loss is not finite at step {7 + first + 1} \(epoch 2\)"
    with pytest.raises(TrainingError, match=expected):
        epoch(stop, 1, values)


def test_the_device_is_not_waited_for_at_every_step():
    looks, stop = [], StopAtNonFiniteLoss(9, every=4)
    stop.on_epoch_begin(0)
    seen = []
    for step in range(9):
        stop.on_train_batch_end(step, {"loss": Loss(1.0, looks)})
        seen.append(len(looks))
    assert seen == [0, 0, 0, 4, 4, 4, 4, 8, 8]
    # Nothing is saved before the last steps are looked at.
    stop.on_epoch_end(0)
    assert len(looks) == 9


def test_an_interrupted_epoch_leaves_nothing_behind():
    stop = StopAtNonFiniteLoss(3)
    stop.on_epoch_begin(0)
    stop.on_train_batch_end(0, {"loss": NAN})
    epoch(stop, 0, [1.0, 1.0, 1.0])


@pytest.fixture(scope="module")
def pictures():
    small = np.random.default_rng(0).uniform(0.2, 0.8, (12, 3, 3, 3))
    return (keras.ops.image.resize(small, (40, 40)).numpy() * 255).astype(np.uint8)


def network(channels):
    """A generator that paints everything in one color: gray as it is made."""
    inputs = keras.Input((None, None, 1))
    made = keras.Model(inputs, keras.layers.Conv2D(channels, 1, kernel_initializer="zeros")(inputs))
    made.compile("sgd")
    return made


def figures(pictures, every=1, networks=()):
    generator = network(2)
    made = Figures(generator, codecs.CODECS["lab"], pictures, every, networks)
    made.set_model(generator)
    return made


@pytest.mark.parametrize(
    ("name", "worse", "better"),
    [
        ("loss", 2.0, 1.0),
        ("val_loss", 2.0, 1.0),
        ("psnr", 20.0, 21.0),
        ("ciede2000", 9.0, 8.0),
        ("colorfulness-gap", -9.0, 3.0),
        ("colorfulness-gap", 9.0, -3.0),
        ("squeezenet-kid", 0.1, -0.001),
    ],
)
def test_what_is_better_is_known_by_name(name, worse, better):
    assert badness(name, better) < badness(name, worse)


def test_every_figure_that_can_be_monitored_is_measured(pictures):
    found = figures(pictures, networks=[KID]).measure()
    assert set(choices.MONITORED_FIGURES) < found.keys()
    assert "squeezenet-fid" not in found
    assert all(np.isfinite(badness(name, found[name])) for name in choices.MONITORED_FIGURES)


def test_the_smallest_size_is_that_of_the_evaluation():
    assert choices.MIN_MONITORED_SIZE == measure.MIN_SIZE


def test_gray_has_the_psnr_of_gray_and_lacks_all_colorfulness(pictures):
    found = figures(pictures).measure()
    lightness = spaces.rgb_to_lab(pictures).numpy() * [1, 0, 0]
    gray = np.round(spaces.lab_to_rgb(lightness.astype(np.float32)).numpy() * 255)
    expected = [
        skimage.metrics.peak_signal_noise_ratio(truth, shown.astype(np.uint8))
        for truth, shown in zip(pictures, gray, strict=True)
    ]
    assert found["psnr"] == pytest.approx(np.mean(expected), abs=1e-3)
    assert found["colorfulness"] == pytest.approx(0, abs=0.5) and found["colorfulness-gap"] < -5


def test_the_gray_of_a_pair_is_what_is_colored(pictures):
    dark = np.zeros_like(pictures)
    found = figures(np.concatenate([pictures, dark], axis=-1)).measure()
    assert found["lightness-drift"] > 20 and found["psnr"] < 10


def test_epochs_between_measure_nothing(pictures):
    watched, logs = figures(pictures[:2], every=3), []
    for epoch in range(6):
        logs.append({"loss": 1.0})
        watched.on_epoch_end(epoch, logs[-1])
    assert ["psnr" in one for one in logs] == [False, False, True, False, False, True]


def test_averaged_weights_are_measured(pictures, monkeypatch):
    watched, seen = figures(pictures[:2]), []

    class Lent:
        def __init__(self, *lent):
            seen.append(lent)

        __enter__ = __exit__ = lambda *_: None

    monkeypatch.setattr(callbacks, "averaged_weights", Lent)
    watched.on_epoch_end(0, {})
    assert seen == [(watched.network, watched.model.optimizer)]


def test_epochs_that_measure_nothing_do_not_tire_patience():
    stop = StopEarly("psnr", patience=2, mode="min")
    stop.set_model(types.SimpleNamespace(stop_training=False))
    stop.on_train_begin()
    stopped = []
    for epoch, value in enumerate([20, None, None, None, 21, None, 20.5, None, 20.9]):
        stop.on_epoch_end(epoch, {"loss": 1.0} if value is None else {"psnr": value})
        stopped.append(stop.model.stop_training)
    assert stopped == [False] * 8 + [True]


class Saved:
    """Notes the epochs that are saved."""

    def __init__(self):
        self.epochs = []

    def on_epoch_end(self, epoch):
        self.epochs.append(epoch + 1)


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("val_loss", [3.0, 2.0, 2.0, 2.5, 1.0], [1, 2, 5]),
        ("psnr", [float("nan"), None, 19.0, 19.0, 22.0], [3, 5]),
        ("colorfulness-gap", [None, -9.0, 4.0, -5.0, -3.0], [2, 3, 5]),
    ],
)
@pytest.mark.parametrize("interrupted", [0, 1, 2, 3, 4])
def test_the_best_is_the_same_over_interruptions(name, values, expected, interrupted):
    history, saved = types.SimpleNamespace(rows=[]), Saved()
    for epoch, value in enumerate(values):
        logs = {} if value is None else {name: value}
        if epoch == interrupted:
            # As read from the file.
            history.rows = [{k: str(v) for k, v in row.items()} for row in history.rows]
            history.rows = [{name: ""} | row for row in history.rows]
        history.rows.append({"epoch": epoch + 1, **logs})
        # A new one knows nothing but the rows.
        KeepBest(name, history, saved).on_epoch_end(epoch, logs)
    assert saved.epochs == expected
