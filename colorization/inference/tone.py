"""What fading took of a print's contrast, given back."""

import tensorflow as tf

COMMON_RANGE, FLAT_RANGE = 80.0, 10.0


def restore_contrast(lightness):
    """Widens the range of L* of faded photos to what photos commonly have.

    Args:
        lightness: Float tensor of shape `(batch, height, width, 1)`, L*.

    Returns:
        Float tensor of the same shape. Photos whose L* ranges over `COMMON_RANGE` and more, the
        darkest and the lightest hundredth left out, come back as they are, and so do photos of less
        than `FLAT_RANGE`, in which there is nothing to be seen.
    """
    batch = tf.shape(lightness)[0]
    levels = tf.clip_by_value(tf.cast(tf.round(lightness * 2), tf.int32), 0, 200)
    places = tf.reshape(levels + 201 * tf.range(batch)[:, None, None, None], [-1, 1])
    # A histogram of operations that LiteRT knows, too.
    counts = tf.scatter_nd(places, tf.ones_like(places[:, 0], tf.float32), [batch * 201])
    counts = tf.reshape(counts, [batch, 201])
    shares = tf.cumsum(counts / tf.reduce_sum(counts, axis=-1, keepdims=True), axis=-1)
    darkest, lightest = (
        tf.cast(tf.argmax(tf.cast(shares >= share, tf.int32), axis=-1), tf.float32) / 2
        for share in (0.01, 0.99)
    )
    darkest, lightest = darkest[:, None, None, None], lightest[:, None, None, None]
    extent, middle = lightest - darkest, (lightest + darkest) / 2
    gain = tf.where(extent < FLAT_RANGE, 1.0, tf.maximum(COMMON_RANGE / extent, 1.0))
    restored = (lightness - middle) * gain + 50 + (middle - 50) / gain
    return tf.clip_by_value(restored, 0.0, 100.0)
