"""Reconstruction losses against formulas written again in NumPy."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.losses import RECONSTRUCTION_LOSSES, huber

RANDOM = np.random.default_rng(0)
TARGET, PREDICTION = RANDOM.uniform(-1, 1, (2, 2, 4, 6, 2)).astype(np.float32)
FORMULAS = {
    "l1": lambda d: abs(d),
    # The cases of the published code: the square over 2 delta, and the distance less half of delta.
    "huber": lambda d: d * d * 110 / 2 if abs(d) < 1 / 110 else abs(d) - 1 / 220,
    "mse": lambda d: d * d,
}


@pytest.mark.parametrize("name", RECONSTRUCTION_LOSSES)
@pytest.mark.parametrize("scale", [1, 0.005])
def test_formulas(name, scale):
    prediction = TARGET + scale * PREDICTION
    difference = (prediction - TARGET).astype(np.float64)
    expected = np.vectorize(FORMULAS[name])(difference).mean(axis=-1)
    result = RECONSTRUCTION_LOSSES[name](TARGET, prediction)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-8)
    assert result.shape == (2, 4, 6) and result.dtype == "float32"


def test_huber_agrees_with_keras():
    expected = keras.losses.huber(TARGET, PREDICTION, delta=0.3) / 0.3
    np.testing.assert_allclose(huber(TARGET, PREDICTION, delta=0.3), expected, rtol=1e-5)


@pytest.mark.parametrize("name", RECONSTRUCTION_LOSSES)
def test_a_perfect_prediction_costs_nothing(name):
    prediction = tf.constant(TARGET)
    with tf.GradientTape() as tape:
        tape.watch(prediction)
        loss = RECONSTRUCTION_LOSSES[name](TARGET, prediction)
    assert np.all(loss == 0)
    assert np.all(tape.gradient(loss, prediction) == 0)


@pytest.mark.parametrize("name", RECONSTRUCTION_LOSSES)
def test_half_precision_is_widened(name):
    result = RECONSTRUCTION_LOSSES[name](tf.cast(TARGET, "bfloat16"), tf.cast(TARGET, "float16"))
    assert result.dtype == "float32"


@pytest.mark.parametrize("name", RECONSTRUCTION_LOSSES)
def test_keras_compiles_it(name):
    model = keras.Sequential([keras.Input((4, 6, 2)), keras.layers.Identity()])
    model.compile(loss=RECONSTRUCTION_LOSSES[name])
    expected = np.mean(RECONSTRUCTION_LOSSES[name](TARGET, PREDICTION))
    np.testing.assert_allclose(model.evaluate(PREDICTION, TARGET, verbose=0), expected, rtol=1e-5)


@pytest.mark.parametrize("name", RECONSTRUCTION_LOSSES)
def test_other_channels_are_refused(name):
    with pytest.raises(ValueError, match=r"prediction.shape=\(2, 4, 6, 1\)"):
        RECONSTRUCTION_LOSSES[name](TARGET, PREDICTION[..., :1])
