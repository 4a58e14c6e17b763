"""Augmentation, in-graph and stateless: the same seed gives the same crop, whatever came before."""

import tensorflow as tf

from pipelines.batches import pixels


def random_resized_crop(encoded, seed, size, smallest_area, flip, turn=None):
    """Cuts a random part of a picture and resizes it.

    Args:
        encoded: Scalar string tensor: a picture file's bytes, as for `pixels.decode_in_graph`. Or
            those of a pair of one size, of shape `(2,)`, which are cut and mirrored alike.
        seed: Integer tensor of shape `(2,)`.
        size: Height and width of the result, in pixels.
        smallest_area: Share of the picture's area that is drawn at least, in `(0, 1]`. What of the
            drawn window lies outside the picture, or makes it longer than 4:3, is cut away.
        flip: Whether to mirror half of the results.
        turn: The Exif orientation of the picture or of each of the pair, as for
            `pixels.decode_window`.

    Returns:
        uint8 tensor of shape `(size, size, 3)`, or of a pair `(size, size, 6)`.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no picture, or damaged where the crop is.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2015, section 6.
    """
    draws = tf.random.stateless_uniform([5], seed)

    def window(shape):
        return _random_window(shape, draws[:4], smallest_area)

    crop = resize(pixels.decode_window(encoded, window, size, turn), size)
    if flip:
        # Not `crop[:, ::-1]`, which takes longer than the resizing.
        crop = tf.cond(draws[4] < 0.5, lambda: tf.reverse(crop, [1]), lambda: crop)
    return crop


def _random_window(shape, draws, smallest_area):
    lengths = tf.cast(shape, tf.float32)
    area = tf.reduce_prod(lengths) * (smallest_area + (1 - smallest_area) * draws[0])
    # A picture much longer than wide is cut to a window of about its shorter side's shape.
    root = tf.exp((2 * draws[1] - 1) * tf.math.log(4 / 3) / 2)
    drawn = tf.sqrt(area) * tf.stack([1 / root, root])
    window = tf.cast(tf.round(tf.minimum(drawn, lengths)), tf.int32)
    window = tf.maximum(tf.minimum(window, tf.reduce_min(window) * 4 // 3), 1)
    start = tf.cast(draws[2:] * tf.cast(shape - window + 1, tf.float32), tf.int32)
    return tf.concat([start, window], axis=0)


def center_crop(encoded, size, turn=None):
    """Cuts the central square of a picture and resizes it.

    Args:
        encoded: As for `random_resized_crop`.
        size: Height and width of the result, in pixels.
        turn: As for `random_resized_crop`.

    Returns:
        uint8 tensor of shape `(size, size, 3)`, or of a pair `(size, size, 6)`.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no picture, or damaged where the crop is.
    """

    def window(shape):
        square = tf.repeat(tf.reduce_min(shape), 2)
        return tf.concat([(shape - square) // 2, square], axis=0)

    return resize(pixels.decode_window(encoded, window, size, turn), size)


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
    # Means of levels are levels, to within rounding.
    resized = tf.cast(tf.round(resized), tf.uint8)
    resized.set_shape([size, size, picture.shape[-1]])
    return resized


def jitter_lightness(condition, seed, amount, codec, shard=(0, 1)):
    """Changes gamma and range of lightness, a random one for each picture. Chroma has no part.

    Args:
        condition: Float tensor of shape `(batch, height, width, condition_channels)`, as `codec`
            makes it.
        seed: Integer tensor of shape `(2,)`.
        amount: Largest change, as a share: 0.1 draws gammas in `[0.9, 1.1]` and keeps at least 90 %
            of the range.
        codec: The `Codec` of the condition.
        shard: Pair `(number, count)`: which of so many equal shares of a batch this is. A picture
            gets the same change in a share as in the whole batch.

    Returns:
        Float tensor of the same shape, in the same range.
    """
    (number, count), size = shard, tf.shape(condition)[0]
    draws = tf.random.stateless_uniform([3, size * count, 1, 1, 1], seed)
    draws = draws[:, number * size : (number + 1) * size]
    top = 100.0 if codec.condition == "lightness" else 1.0
    gray, hints = condition[..., :1], condition[..., 1:]
    value = tf.clip_by_value(codec.condition_scaling.invert(gray) / top, 0.0, 1.0)
    value = tf.pow(tf.maximum(value, 1e-6), 1 + amount * (2 * draws[0] - 1))
    kept = 1 - amount * draws[1]
    value = value * kept + (1 - kept) * draws[2]
    return tf.concat([codec.condition_scaling.apply(value * top), hints], axis=-1)
