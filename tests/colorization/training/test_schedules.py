"""Schedules against their formulas."""

import types

import keras
import numpy as np
import pytest

from colorization.training import schedules

PEAK, EPOCHS, STEPS = 3e-3, 6, 15
STEP = np.arange(EPOCHS * STEPS + 20)


def course(**changes):
    """The learning rate of every step of a run, and of some behind its end."""
    defaults = dict(
        schedule="constant",
        learning_rate=PEAK,
        warmup_steps=0,
        epochs=EPOCHS,
        decay_epochs=2,
        decay_factor=0.5,
    )
    config = types.SimpleNamespace(**(defaults | changes))
    schedule = schedules.learning_rate(config, STEPS)
    return schedule, np.array([float(schedule(step)) for step in STEP])


@pytest.mark.parametrize("warmup", [0, 1, 40])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_formulas(schedule, warmup):
    share = {
        "constant": 1,
        "cosine": (1 + np.cos(np.pi * np.minimum(STEP / (EPOCHS * STEPS), 1))) / 2,
        "step": 0.5 ** (STEP // (2 * STEPS)),
    }[schedule]
    rise = np.minimum((STEP + 1) / max(warmup, 1), 1)
    found = course(schedule=schedule, warmup_steps=warmup)[1]
    np.testing.assert_allclose(found, PEAK * share * rise, rtol=1e-5, atol=1e-9)


def test_landmarks():
    cosine = course(schedule="cosine", warmup_steps=10)[1]
    assert cosine[0] == pytest.approx(PEAK / 10) and cosine[:11].argmax() == 9
    assert cosine[EPOCHS * STEPS // 2] == pytest.approx(PEAK / 2)
    assert np.all(cosine[EPOCHS * STEPS :] < 1e-9)
    steps = course(schedule="step", decay_epochs=1, decay_factor=0.1)[1][: EPOCHS * STEPS]
    drops = np.flatnonzero(np.diff(steps)) + 1
    np.testing.assert_array_equal(drops, np.arange(1, EPOCHS) * STEPS)


def test_plateau_is_a_number():
    """Its drops are a callback's, which sets what is no schedule."""
    config = types.SimpleNamespace(schedule="plateau", learning_rate=PEAK)
    assert schedules.learning_rate(config, STEPS) == PEAK


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_schedules_are_kept_with_an_optimizer(schedule):
    built, expected = course(schedule=schedule, warmup_steps=7)
    again = schedules.WarmUp.from_config(built.get_config())
    np.testing.assert_array_equal([float(again(step)) for step in STEP[:30]], expected[:30])


def test_an_optimizer_follows_it():
    optimizer = keras.optimizers.SGD(course(schedule="cosine", warmup_steps=4)[0])
    variable = keras.Variable(0.0)
    steps = []
    for _ in range(6):
        before = float(variable)
        optimizer.apply([keras.ops.ones(())], [variable])
        steps.append(before - float(variable))
    expected = course(schedule="cosine", warmup_steps=4)[1][:6]
    np.testing.assert_allclose(steps, expected, rtol=1e-3)
