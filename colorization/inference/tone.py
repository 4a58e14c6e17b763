"""Prints: whether a photo has colors or only a tone, and what fading took of its contrast."""

import cv2
import numpy as np
import tensorflow as tf

from pipelines.color import spaces

_SIDE = 128
_LEVELS = 16
_DISTANCE = 8.0
_SHARE = 0.02
COMMON_RANGE, FLAT_RANGE = 80.0, 10.0


def has_colors(rgb):
    """Tells color photos from gray and toned ones.

    A sepia or faded print has one color for each lightness; colors show as chroma that parts from
    the median of its lightness. Uneven stains stronger than 8 units of ab count as colors.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`, sRGB.

    Returns:
        Whether over 2 % of the pixels, at 128 pixels a side, are more than 8 units of ab away from
        the median ab of the pixels about as light.
    """
    height, width = rgb.shape[:2]
    shrink = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) / np.float32(
        np.iinfo(rgb.dtype).max
    )
    lab = spaces.rgb_to_lab(small).numpy().reshape(-1, 3)
    by_lightness = lab[np.argsort(lab[:, 0]), 1:]
    levels = np.array_split(by_lightness, min(_LEVELS, len(by_lightness)))
    parted = [np.linalg.norm(ab - np.median(ab, axis=0), axis=1) > _DISTANCE for ab in levels]
    return bool(np.concatenate(parted).mean() > _SHARE)


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
