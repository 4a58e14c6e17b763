"""Picture files in, pixels out, inside a graph, as training needs it.

Photographs that people want colored are read by `pipelines.photos`, which knows more kinds.
"""

import functools

import tensorflow as tf


def decode_in_graph(encoded):
    """Decodes one file's bytes inside a graph, as `tf.data` needs it.

    Orientation is left as stored: a training set is cropped and flipped anyway.

    Args:
        encoded: Scalar string tensor: a whole JPEG, PNG, GIF, BMP or opaque WebP file.

    Returns:
        uint8 tensor of shape `(height, width, 3)`: of an animation its first picture, of a gray
        file three equal channels.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are truncated, damaged or no picture.
    """
    picture = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    picture.set_shape([None, None, 3])
    return picture


def decode_window(encoded, choose_window, size):
    """Decodes a part of a picture inside a graph, no finer than a crop of `size` pixels needs.

    Of a JPEG only the rows and columns of the window are decoded, and at a half, a quarter or an
    eighth of the size if the window's shorter side is then still `size` or more.

    Of a pair the same window of both is decoded; they must be of one size.

    Args:
        encoded: Scalar string tensor, as for `decode_in_graph`, or two of them, of shape `(2,)`.
        choose_window: Function from a picture's int32 `[height, width]` to its window's int32
            `[top, left, height, width]`, in pixels of the whole picture.
        size: Height and width that the window will be resized to, in pixels.

    Returns:
        uint8 tensor of shape `(height, width, 3)`, or of a pair `(height, width, 6)`.

    Raises:
        tf.errors.InvalidArgumentError: If the bytes are no picture, or damaged where the window is.
    """
    if getattr(encoded, "shape", ()) == (2,):
        return _decode_windows(encoded, choose_window, size)

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


def _decode_windows(pair, choose_window, size):
    parts = tf.unstack(pair)
    # Reduction moves a JPEG by less than a pixel: the same for both, if both are reduced.
    alike = tf.reduce_all([tf.io.is_jpeg(part) for part in parts])
    finest = tf.where(alike, size, tf.int32.max // 8)
    return tf.concat([decode_window(part, choose_window, finest) for part in parts], axis=-1)
