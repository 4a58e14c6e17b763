"""The gradient penalty that holds a critic to a slope of 1."""

import tensorflow as tf


def gradient_penalty(discriminator, condition, real, fake, factors):
    """Squared distance from 1 of the critic's slope between real and generated targets.

    Args:
        discriminator: Model of `[condition, target]`. Without batch norm, so that a logit depends
            on its own picture alone.
        condition: Float tensor of shape `(batch, height, width, 1)`.
        real: Float tensor of shape `(batch, height, width, channels)`.
        fake: Float tensor of the same shape.
        factors: Float tensor of shape `(batch, 1, 1, 1)`, in `[0, 1]`: where between `real`, at 0,
            and `fake`, at 1, each picture's slope is taken.

    Returns:
        Scalar: the mean over the pictures.

    Source: Gulrajani et al., "Improved Training of Wasserstein GANs", 2017, equation 3.
    """
    between = real + factors * (fake - real)
    with tf.GradientTape() as tape:
        tape.watch(between)
        logits = discriminator([condition, between], training=True)
    gradient = tf.cast(tape.gradient(logits, between), tf.float32)
    # Inside the root, since its slope at zero is infinite.
    norms = tf.sqrt(tf.reduce_sum(gradient**2, axis=[1, 2, 3]) + 1e-12)
    return tf.reduce_mean((norms - 1) ** 2)
