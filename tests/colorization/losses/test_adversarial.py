"""Adversarial losses against formulas written again in NumPy, in double precision."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.losses import ADVERSARIAL_LOSSES


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


FORMULAS = {
    "cross_entropy": (
        lambda real, fake: -0.5 * (np.log(sigmoid(real)).mean() + np.log(1 - sigmoid(fake)).mean()),
        lambda fake: -np.log(sigmoid(fake)).mean(),
    ),
    "least_squares": (
        lambda real, fake: 0.5 * np.mean((real - 1) ** 2) + 0.5 * np.mean(fake**2),
        lambda fake: 0.5 * np.mean((fake - 1) ** 2),
    ),
    "hinge": (
        lambda real, fake: -np.minimum(0, real - 1).mean() - np.minimum(0, -fake - 1).mean(),
        lambda fake: -fake.mean(),
    ),
    "wasserstein": (
        lambda real, fake: fake.mean() - real.mean(),
        lambda fake: -fake.mean(),
    ),
}
RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
@pytest.mark.parametrize("shape", [(4,), (4, 1), (2, 30, 30, 1)])
def test_formulas(name, shape):
    real, fake = RANDOM.normal(0, 2, (2, *shape))
    results = losses(name, real, fake)
    formulas = FORMULAS[name][0](real, fake), FORMULAS[name][1](fake)
    for result, expected in zip(results, formulas, strict=True):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
        assert result.shape == () and result.dtype == "float32"


def test_cross_entropy_takes_labels_that_are_not_sure():
    real, fake = RANDOM.normal(0, 2, (2, 4, 3, 3, 1))
    real_labels, fake_labels = RANDOM.uniform(0, 1, (2, 4, 1, 1, 1))
    expected = 0.0
    for logits, labels in ((real, real_labels), (fake, fake_labels)):
        chance = sigmoid(logits)
        expected -= np.mean(labels * np.log(chance) + (1 - labels) * np.log(1 - chance)) / 2
    loss = ADVERSARIAL_LOSSES["cross_entropy"][0](real, fake, real_labels, fake_labels)
    np.testing.assert_allclose(loss, expected, rtol=1e-5)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_one_logit_equals_a_map_of_it(name):
    real, fake = RANDOM.normal(0, 2, (2, 3, 1))
    maps = [np.broadcast_to(x[:, None, None], (3, 5, 7, 1)) for x in (real, fake)]
    np.testing.assert_allclose(losses(name, *maps), losses(name, real, fake), rtol=1e-5)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4, -1e4])
def test_large_logits_stay_finite(name, scale):
    real, fake = tf.fill((2, 3), scale), tf.fill((2, 3), -scale)
    discriminator_loss, generator_loss = ADVERSARIAL_LOSSES[name]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        results = discriminator_loss(real, fake), generator_loss(fake)
    assert np.isfinite(results).all()
    for gradient in (*tape.gradient(results[0], [real, fake]), tape.gradient(results[1], fake)):
        assert np.isfinite(gradient).all()


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_descent_points_the_right_way(name):
    real, fake = tf.zeros((4, 1)), tf.zeros((4, 1))
    discriminator_loss, generator_loss = ADVERSARIAL_LOSSES[name]
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([real, fake])
        judged, fooled = discriminator_loss(real, fake + 0.1), generator_loss(fake)
    to_real, to_fake = tape.gradient(judged, [real, fake])
    assert np.all(to_real < 0) and np.all(to_fake > 0)
    assert np.all(tape.gradient(fooled, fake) < 0)


@pytest.mark.parametrize("name", ADVERSARIAL_LOSSES)
def test_half_precision_is_widened(name):
    logits = tf.cast(RANDOM.normal(0, 2, (2, 8, 8, 1)), "bfloat16")
    widened = tf.cast(logits, "float32")
    assert losses(name, logits, -logits) == losses(name, widened, -widened)


def test_keras_agrees_on_cross_entropy():
    real, fake = RANDOM.normal(0, 2, (2, 4, 6, 6, 1)).astype(np.float32)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    expected = 0.5 * (entropy(np.ones_like(real), real) + entropy(np.zeros_like(fake), fake))
    judged, fooled = losses("cross_entropy", real, fake)
    np.testing.assert_allclose(judged, expected, rtol=1e-5)
    np.testing.assert_allclose(fooled, entropy(np.ones_like(fake), fake), rtol=1e-5)


def losses(name, real, fake):
    discriminator_loss, generator_loss = ADVERSARIAL_LOSSES[name]
    return discriminator_loss(real, fake), generator_loss(fake)
