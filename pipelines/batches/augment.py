"""Augmentation, in-graph and stateless: the same seed always gives the same crop."""

import tensorflow as tf

from pipelines.batches import decoding
from pipelines.color import spaces

# Shares of crops that get each flaw, if all crops are aged.
_OTHER_FILM, _CONTRAST, _BLUR, _GRAIN, _DUST, _JPEG, _BORDER = 0.6, 0.6, 0.3, 0.5, 0.15, 0.25, 0.1


def random_resized_crop(encoded, seed, size, smallest_area, flip, turn=None):
    """Cuts a random part of a picture, or alike of a pair, and resizes it to `size` by `size`.

    The picture's bytes and `turn` are as for `decoding.decode_window`, and so are the result and
    errors; `seed` is of shape `(2,)`. `smallest_area` is the share of the picture's area that is
    drawn at least, in `(0, 1]`: what of the drawn window lies outside the picture, or makes it
    longer than 4:3, is cut away. `flip` mirrors half of the results.

    Source: Szegedy et al., "Going Deeper with Convolutions", 2015, section 6.
    """
    draws = tf.random.stateless_uniform([5], seed)

    def window(shape):
        return _random_window(shape, draws[:4], smallest_area)

    crop = resize(decoding.decode_window(encoded, window, size, turn), size)
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

    Arguments, result and errors are those of `random_resized_crop`.
    """

    def window(shape):
        square = tf.repeat(tf.reduce_min(shape), 2)
        return tf.concat([(shape - square) // 2, square], axis=0)

    return resize(decoding.decode_window(encoded, window, size, turn), size)


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

    `condition` is of shape `(batch, height, width, condition_channels)`, as `codec` makes it, and
    so is the result; `seed` is of shape `(2,)`. `amount` is the largest change, as a share: 0.1
    draws gammas in `[0.9, 1.1]` and keeps at least 90 % of the range. `shard` is a pair `(number,
    count)`: which of so many equal shares of a batch this is. A picture gets the same change in a
    share as in the whole batch.
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


def age(picture, seed, share=1.0):
    """Makes the gray of an aged print of a crop.

    What people bring is faded, grainy, blurred, scratched, scanned with its paper and saved as
    JPEG, and film before the 1930s saw red as dark. A network trained on clean lightness alone
    takes all of this for what the picture shows.

    The picture is uint8 of shape `(size, size, 3)`, `seed` of shape `(2,)`; `share` of crops, in
    `[0, 1]`, are aged at all, the others give their own gray. Returns uint8 of shape `(size, size,
    4)`: the picture, gray where a border hides it, and the gray level of its print behind it.
    """
    picture = tf.convert_to_tensor(picture)
    size = picture.shape[0]
    draws = tf.random.stateless_uniform([24], seed)
    is_aged = draws[0] < share

    def aged():
        value = _film(picture, draws)
        value = _contrast(value, draws)
        value = _chosen(draws[7], _BLUR, lambda: _blur(value, draws[8], size), value)
        value = _chosen(draws[9], _GRAIN, lambda: value + _grain(seed, draws, size), value)
        value = _chosen(draws[12], _DUST, lambda: _dust(value, seed, draws, size), value)
        gray = tf.cast(tf.round(255 * tf.clip_by_value(value, 0.0, 1.0)), tf.uint8)
        gray = _chosen(
            draws[15],
            _JPEG,
            lambda: tf.image.adjust_jpeg_quality(gray, tf.cast(25 + 65 * draws[16], tf.int32)),
            gray,
        )
        both = tf.concat([picture, gray], axis=-1)
        return _chosen(draws[17], _BORDER, lambda: _border(both, draws, size), both)

    def clean():
        value = _light_to_gray(spaces.srgb_to_linear(picture), spaces.RGB_TO_XYZ[1])
        gray = tf.cast(tf.round(255 * tf.clip_by_value(value, 0.0, 1.0)), tf.uint8)
        return tf.concat([picture, gray], axis=-1)

    result = tf.cond(is_aged, aged, clean)
    result.set_shape([size, size, 4])
    return result


def _chosen(draw, share, change, unchanged):
    return tf.cond(draw < share, change, lambda: unchanged)


def _light_to_gray(linear, weights):
    """Gamma-encoded gray of linear light, weighed over its channels."""
    weights = tf.reshape(tf.cast(weights, tf.float32), [3, 1])
    shape = tf.shape(linear)
    light = tf.reshape(tf.matmul(tf.reshape(linear, [-1, 3]), weights), [shape[0], shape[1], 1])
    return spaces.linear_to_srgb(light)


def _film(picture, draws):
    """Gray as another film would have it: ortho sees no red, and no two see alike."""
    luminance = tf.constant(spaces.RGB_TO_XYZ[1], tf.float32)
    ortho = tf.constant([0.02, 0.5, 0.48])
    any_film = draws[1:4] / tf.reduce_sum(draws[1:4])
    other = tf.where(draws[4] < 0.5, ortho, any_film)
    # Halfway at most for any film, all the way for ortho.
    amount = draws[5] * tf.where(draws[4] < 0.5, 1.0, 0.5)
    amount = tf.where(draws[6] < _OTHER_FILM, amount, 0.0)
    weights = luminance + amount * (other - luminance)
    return _light_to_gray(spaces.srgb_to_linear(picture), weights)


def _contrast(value, draws):
    """Fades and lifts, or burns out, with another gamma."""
    changed = tf.pow(tf.clip_by_value(value, 1e-4, 1.0), tf.exp(0.5 * (draws[19] - 0.5)))
    gain = tf.where(draws[20] < 0.3, 1 + 0.5 * draws[21], 1 - 0.4 * draws[21])
    # Faded values stay within the range; burnt-out ones are cut at both of its ends.
    changed = (changed - draws[22]) * gain + draws[22]
    return tf.where(draws[23] < _CONTRAST, changed, value)


def _blur(value, draw, size):
    small = tf.cast(tf.round(size / (1.2 + 1.0 * draw)), tf.int32)
    return tf.image.resize(tf.image.resize(value, [small, small], antialias=True), [size, size])


def _grain(seed, draws, size):
    sigma = 0.07 * tf.square(draws[10])
    fine = tf.random.stateless_normal([size, size, 1], seed + [0, 1])
    # Of scanned film grain is coarser than a pixel.
    coarse = tf.image.resize(1.6 * fine[: size // 2, : size // 2], [size, size])
    return sigma * tf.where(draws[11] < 0.5, fine, coarse)


def _dust(value, seed, draws, size):
    specks = tf.random.stateless_uniform([1, size, size, 1], seed + [0, 2]) < 0.002 * draws[13]
    lines = tf.random.stateless_uniform([1, 1, size, 1], seed + [0, 3]) < 0.02 * draws[13]
    mask = tf.cast(tf.logical_or(specks, tf.logical_and(lines, draws[13] < 0.5)), tf.float32)
    mask = tf.nn.avg_pool2d(tf.nn.max_pool2d(mask, 2, 1, "SAME"), 2, 1, "SAME")[0]
    level = tf.where(draws[14] < 0.7, 0.95, 0.05)
    return value + mask * (level - value)


def _border(both, draws, size):
    """Covers up to 8 % of each side with paper or black."""
    width = tf.cast(tf.floor(size * (0.01 + 0.07 * draws[18])), tf.int32)
    inside = tf.pad(
        tf.ones([size - 2 * width, size - 2 * width, 1], tf.uint8),
        [[width] * 2, [width] * 2, [0, 0]],
    )
    level = tf.where(draws[16] < 0.7, 255 - 30 * draws[14], 30 * draws[14])
    return inside * both + (1 - inside) * tf.cast(level, tf.uint8)
