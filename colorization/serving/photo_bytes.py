"""Encoded photos to pixels and back, inside a graph that needs no code beside it.

A file is a scalar string tensor, whole; pixels are uint8 or uint16 sRGB. Nothing here fails: a file
that can't be decoded is an empty picture.
"""

import tensorflow as tf

from pipelines.batches import photo_headers
from pipelines.batches.photo_headers import JPEG


def decode(encoded, kind, depth):
    """Decodes a file that `photo_headers.read_header` finds no problem in.

    Args:
        encoded: Scalar string tensor.
        kind: `photo_headers.Header.kind`.
        depth: `tf.uint8`, or `tf.uint16` for a PNG file of 16 bits.

    Returns:
        Tensor of type `depth` and shape `(height, width, 3)`, or 4 where a PNG file has
        transparency; as stored, not turned. Of shape `(0, 0, 0)` where the file is damaged.
    """

    def pixels(data):
        if depth == tf.uint16:
            return _decode_png(data, depth)
        decoders = [_decode_jpeg, _decode_png, _decode_gif, _decode_bmp]
        return tf.switch_case(kind, [lambda read=read: read(data) for read in decoders])

    # A graph has no other way to go on after an operation that fails.
    attempt = tf.data.Dataset.from_tensors(encoded).map(pixels).ignore_errors()
    options = tf.data.Options()
    options.autotune.enabled = False
    options.experimental_optimization.apply_default_optimizations = False
    decoded = attempt.with_options(options).reduce(tf.zeros([0, 0, 0], depth), lambda _, new: new)
    decoded.set_shape([None, None, None])
    return decoded


def encode(pixels, alpha, kind):
    """Encodes a photo.

    Args:
        pixels: uint8 or uint16 tensor of shape `(height, width, 3)`.
        alpha: Tensor of the same type, of shape `(height, width, 0)` or `(height, width, 1)`.
        kind: `photo_headers.Header.kind` of the file that it came in: JPEG gives JPEG, of quality
            95 with chroma at full size; every other gives PNG.

    Returns:
        Scalar string tensor.
    """

    def jpeg():
        # Of uint16 only PNG files come, but both branches of a graph must be there.
        return tf.io.encode_jpeg(tf.cast(pixels, tf.uint8), "rgb", 95, chroma_downsampling=False)

    def png():
        return tf.io.encode_png(tf.concat([pixels, alpha], axis=-1), compression=3)

    return tf.cond(kind == JPEG, jpeg, png)


def _decode_jpeg(encoded):
    # By default TensorFlow takes a faster transform that is off by a level or two.
    return tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")


def _decode_png(encoded, depth=tf.uint8):
    pixels = tf.io.decode_png(encoded, channels=4, dtype=depth)
    # What has no transparency is filled up with its own highest level, under 8 bits, too.
    filler = 2 ** photo_headers.number(encoded, 24, 1) - 1
    is_opaque = tf.reduce_all(tf.cast(pixels[..., 3], tf.int32) == tf.cast(filler, tf.int32))
    return tf.cond(is_opaque, lambda: pixels[..., :3], lambda: pixels)


def _decode_gif(encoded):
    return tf.io.decode_image(encoded, channels=3, expand_animations=False)


def _decode_bmp(encoded):
    pixels = tf.io.decode_bmp(encoded)
    start = 14 + tf.cast(photo_headers.number(encoded, 14, 4, big=False), tf.int32)
    # TensorFlow takes indices into the palette for levels of gray.
    palette = tf.io.decode_raw(photo_headers.text(encoded, start, 1024), tf.uint8)

    def indexed():
        colors = tf.reshape(palette[: tf.size(palette) // 4 * 4], [-1, 4])[:, 2::-1]
        return tf.gather(colors, tf.cast(pixels[..., 0], tf.int32))

    return tf.cond(tf.shape(pixels)[2] == 1, indexed, lambda: pixels[..., :3])
