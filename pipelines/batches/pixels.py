"""Picture files in, pixels out, inside a graph, as training needs it.

Photographs that people want colored are read by `pipelines.photos`, which knows more kinds.
"""

import functools

import tensorflow as tf

from pipelines.batches import photo_headers


def decode_in_graph(encoded):
    """Decodes one file's bytes inside a graph, as `tf.data` needs it.

    The file, a scalar string tensor, is a whole JPEG, PNG, GIF, BMP or opaque WebP; orientation is
    left as stored. Returns uint8 of shape `(height, width, 3)`: of an animation its first picture,
    of a gray file three equal channels. Raises `tf.errors.InvalidArgumentError` if the bytes are
    truncated, damaged or no picture.
    """
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    picture.set_shape([None, None, 3])
    return picture


def decode_window(encoded, choose_window, size, turn=None):
    """Decodes a part of an upright picture inside a graph, no finer than a crop needs it.

    Of a JPEG only the rows and columns of the window are decoded, and at a half, a quarter or an
    eighth of the size if the window's shorter side is then still `size` or more.

    Of a pair the same window of both is decoded; upright they must be of one size.

    Args:
        encoded: Scalar string tensor, as for `decode_in_graph`, or two of them, of shape `(2,)`.
        choose_window: Function from a picture's int32 `[height, width]` to its window's int32
            `[top, left, height, width]`, in pixels of the whole, upright picture.
        size: Height and width that the window will be resized to, in pixels.
        turn: Integer tensor: the Exif orientation, 1 to 8; of a pair both, of shape `(2,)`. None:
            the pictures are stored upright.

    Returns:
        uint8 tensor of shape `(height, width, 3)`, or of a pair `(height, width, 6)`.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no picture, or damaged where the window is.
    """
    if getattr(encoded, "shape", ()) == (2,):
        return _decode_windows(encoded, choose_window, size, turn)
    if turn is not None:
        return tf.cond(
            turn > 1,
            lambda: _decode_turned(encoded, choose_window, size, turn),
            lambda: decode_window(encoded, choose_window, size),
        )

    def at_ratio(window, ratio):
        return tf.image.decode_and_crop_jpeg(encoded, window // ratio, channels=3, ratio=ratio)

    def jpeg():
        window = choose_window(tf.io.extract_jpeg_shape(encoded)[:2])
        ratios = [1, 2, 4, 8]
        finer = tf.reduce_min(window[2:]) >= size * tf.constant(ratios[1:])
        branches = [functools.partial(at_ratio, window, ratio) for ratio in ratios]
        return tf.switch_case(tf.reduce_sum(tf.cast(finer, tf.int32)), branches)

    def other():
        picture = decode_in_graph(encoded)
        top, left, height, width = tf.unstack(choose_window(tf.shape(picture)[:2]))
        return picture[top : top + height, left : left + width]

    picture = tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
    picture.set_shape([None, None, 3])
    return picture


def _decode_turned(encoded, choose_window, size, turn):
    is_swapped, over, across = photo_headers.describe_turn(turn)

    def stored_window(shape):
        """The window in pixels of the picture as it is stored."""
        shape = tf.where(is_swapped, shape[::-1], shape)
        window = choose_window(shape)
        start, lengths = window[:2], window[2:]
        start = tf.where(tf.stack([over, across]), shape - start - lengths, start)
        return tf.where(
            is_swapped,
            tf.concat([start[::-1], lengths[::-1]], axis=0),
            tf.concat([start, lengths], axis=0),
        )

    picture = photo_headers.upright(decode_window(encoded, stored_window, size), turn)
    picture.set_shape([None, None, 3])
    return picture


def _decode_windows(pair, choose_window, size, turn):
    parts = tf.unstack(pair)
    turns = [None, None] if turn is None else tf.unstack(turn)
    # Reduction moves a JPEG by less than a pixel: the same for both, if both are reduced and
    # turned alike.
    alike = tf.reduce_all([tf.io.is_jpeg(part) for part in parts])
    if turn is not None:
        alike &= turns[0] == turns[1]
    finest = tf.where(alike, size, tf.int32.max // 8)
    return tf.concat(
        [
            decode_window(part, choose_window, finest, one)
            for part, one in zip(parts, turns, strict=True)
        ],
        axis=-1,
    )
