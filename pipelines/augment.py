"""Augmentation, in-graph and stateless: the same seed gives the same crop, whatever came before."""

import tensorflow as tf


def random_resized_crop(picture, seed, size, smallest_area, flip):
    """Cuts a random part of a picture and resizes it.

    Args:
        picture: uint8 tensor of shape `(height, width, 3)`, at least 1 by 1.
        seed: Integer tensor of shape `(2,)`.
        size: Height and width of the result, in pixels.
        smallest_area: Share of the picture's area that is drawn at least, in `(0, 1]`. What of the
            drawn window lies outside the picture, or makes it longer than 4:3, is cut away.
        flip: Whether to mirror half of the results.

    Returns:
        uint8 tensor of shape `(size, size, 3)`.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2015, section 6.
    """
    draws = tf.random.stateless_uniform([5], seed)
    shape = tf.shape(picture)
    height, width = tf.cast(shape[0], tf.float32), tf.cast(shape[1], tf.float32)
    area = height * width * (smallest_area + (1 - smallest_area) * draws[0])
    # A picture much longer than wide is cut to a window of about its shorter side's shape.
    ratio = tf.exp((2 * draws[1] - 1) * tf.math.log(4 / 3))
    crop_height = tf.cast(tf.round(tf.minimum(tf.sqrt(area / ratio), height)), tf.int32)
    crop_width = tf.cast(tf.round(tf.minimum(tf.sqrt(area * ratio), width)), tf.int32)
    crop_height, crop_width = _limit_aspect(crop_height, crop_width)
    crop_height, crop_width = tf.maximum(crop_height, 1), tf.maximum(crop_width, 1)
    top = tf.cast(draws[2] * tf.cast(shape[0] - crop_height + 1, tf.float32), tf.int32)
    left = tf.cast(draws[3] * tf.cast(shape[1] - crop_width + 1, tf.float32), tf.int32)
    crop = picture[top : top + crop_height, left : left + crop_width]
    if flip:
        crop = tf.cond(draws[4] < 0.5, lambda: crop[:, ::-1], lambda: crop)
    return resize(crop, size)


def center_crop(picture, size):
    """Cuts the central square of a picture and resizes it.

    Args:
        picture: uint8 tensor of shape `(height, width, 3)`.
        size: Height and width of the result, in pixels.

    Returns:
        uint8 tensor of shape `(size, size, 3)`.
    """
    shape = tf.shape(picture)
    side = tf.minimum(shape[0], shape[1])
    top, left = (shape[0] - side) // 2, (shape[1] - side) // 2
    return resize(picture[top : top + side, left : left + side], size)


def resize(picture, size):
    """Resizes a uint8 picture to a square, antialiased where it shrinks much.

    Up to a reduction of two, bilinear sampling misses no pixel, and costs a third.
    """
    much = tf.reduce_max(tf.shape(picture)[:2]) > 2 * size
    resized = tf.cond(
        much,
        lambda: tf.image.resize(picture, [size, size], antialias=True),
        lambda: tf.image.resize(picture, [size, size]),
    )
    resized = tf.cast(tf.round(tf.clip_by_value(resized, 0.0, 255.0)), tf.uint8)
    resized.set_shape([size, size, 3])
    return resized


def jitter_lightness(condition, seed, amount, codec):
    """Changes gamma and range of lightness, a random one for each picture. Chroma has no part.

    Args:
        condition: Float tensor of shape `(batch, height, width, 1)`, as `codec` makes it.
        seed: Integer tensor of shape `(2,)`.
        amount: Largest change, as a share: 0.1 draws gammas in `[0.9, 1.1]` and keeps at least 90 %
            of the range.
        codec: The `Codec` of the condition.

    Returns:
        Float tensor of the same shape, in the same range.
    """
    draws = tf.random.stateless_uniform([3, tf.shape(condition)[0], 1, 1, 1], seed)
    top = 100.0 if codec.condition == "lightness" else 1.0
    value = tf.clip_by_value(codec.condition_scaling.invert(condition) / top, 0.0, 1.0)
    value = tf.pow(tf.maximum(value, 1e-6), 1 + amount * (2 * draws[0] - 1))
    kept = 1 - amount * draws[1]
    value = value * kept + (1 - kept) * draws[2]
    return codec.condition_scaling.apply(value * top)


def _limit_aspect(height, width):
    limit = tf.minimum(height, width) * 4 // 3
    return tf.minimum(height, limit), tf.minimum(width, limit)
