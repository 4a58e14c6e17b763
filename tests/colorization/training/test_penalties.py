"""The gradient penalty, by critics whose slope is known."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.training.adversarial import gradient_penalty


def linear(scale):
    """A critic of slope `scale * sqrt(number of values)` in every direction that counts."""
    return lambda inputs, training: scale * tf.reduce_sum(inputs[1], axis=[1, 2, 3])


def pictures(batch=3, seed=0):
    random = np.random.default_rng(seed)
    real, fake = random.normal(size=(2, batch, 4, 4, 2)).astype(np.float32)
    return tf.zeros((batch, 4, 4, 1)), tf.constant(real), tf.constant(fake)


@pytest.mark.parametrize("scale", [0.0, 0.1, 1.0])
def test_a_linear_critic_pays_for_its_weights(scale):
    condition, real, fake = pictures()
    penalty = gradient_penalty(linear(scale), condition, real, fake, tf.zeros((3, 1, 1, 1)))
    assert float(penalty) == pytest.approx((scale * np.sqrt(32) - 1) ** 2, rel=1e-4)


def test_a_quadratic_critic_shows_where_between_the_slope_is_taken():
    condition, real, fake = pictures()
    factors = np.float32([0.0, 0.3, 1.0]).reshape(3, 1, 1, 1)

    def critic(inputs, training):
        return tf.reduce_sum(inputs[1] ** 2, axis=[1, 2, 3]) / 2  # Of slope |target|.

    penalty = gradient_penalty(critic, condition, real, fake, tf.constant(factors))
    between = (1 - factors) * real + factors * fake
    norms = np.sqrt(np.sum(np.square(between), axis=(1, 2, 3)))
    assert float(penalty) == pytest.approx(np.mean((norms - 1) ** 2), rel=1e-5)


def test_a_slope_of_zero_gives_a_finite_gradient():
    condition, real, fake = pictures()
    weight = tf.Variable(0.0)
    with tf.GradientTape() as tape:
        critic = linear(weight)
        penalty = gradient_penalty(critic, condition, real, fake, tf.zeros((3, 1, 1, 1)))
    assert np.isfinite(tape.gradient(penalty, weight).numpy())


def test_maps_of_logits_count_as_their_sum():
    condition, real, fake = pictures()

    def critic(inputs, training):
        return 0.1 * inputs[1]

    penalty = gradient_penalty(critic, condition, real, fake, tf.zeros((3, 1, 1, 1)))
    assert float(penalty) == pytest.approx((0.1 * np.sqrt(32) - 1) ** 2, rel=1e-4)
