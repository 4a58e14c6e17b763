"""Color conversion between sRGB, luma and CIE L*a*b*, in a TensorFlow graph.

Law of the file: images are channels-last tensors of any leading dimensions, and what comes out is
float32. RGB is gamma-encoded sRGB, float in `[0, 1]` unless said otherwise; Lab is L* in
`[0, 100]` with a* and b* in CIE units under D65 and the 2 degree observer. Gradients are finite
everywhere, black included, and every function compiles under XLA.

Sources: IEC 61966-2-1 (the sRGB curve and primaries), CIE 15 (L*a*b* 1976), ITU-R BT.601 (luma).
"""

import numpy as np
import tensorflow as tf

RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
LUMA = np.array([0.299, 0.587, 0.114])

_RGB_TO_WHITE = (RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)
_WHITE_TO_RGB = np.linalg.inv(RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)
_F_TO_LAB = np.array([[0, 500, 0], [116, -500, 200], [0, 0, -200]], np.float32)

# The cube root of L*a*b* is linear below this cube, where its slope would grow without bound.
_EPSILON = (6 / 29) ** 3
_SLOPE = (29 / 6) ** 2 / 3
_OFFSET = 4 / 29

_LINEAR_TABLE = np.arange(256) / 255
_LINEAR_TABLE = np.where(
    _LINEAR_TABLE <= 0.04045, _LINEAR_TABLE / 12.92, ((_LINEAR_TABLE + 0.055) / 1.055) ** 2.4
).astype(np.float32)


def srgb_to_linear(rgb):
    """Removes the sRGB transfer curve.

    Args:
        rgb: Float tensor of gamma-encoded sRGB in `[0, 1]`, or uint8 tensor in `[0, 255]`, which is
            looked up in a table of 256 entries.

    Returns:
        Float tensor of the same shape: light, in `[0, 1]`. Values outside `[0, 1]` follow the
        curve's own extension and are not clipped.
    """
    rgb = tf.convert_to_tensor(rgb)
    if rgb.dtype == tf.uint8:
        return tf.gather(tf.constant(_LINEAR_TABLE), tf.cast(rgb, tf.int32))
    # The power is taken of a value kept off zero: the branch that `where` drops has a slope too.
    curve = tf.pow((tf.maximum(rgb, 0.04045) + 0.055) / 1.055, 2.4)
    return tf.where(rgb <= 0.04045, rgb / 12.92, curve)


def linear_to_srgb(linear):
    """Applies the sRGB transfer curve to a float tensor of light. Inverse of `srgb_to_linear`."""
    linear = tf.convert_to_tensor(linear)
    curve = 1.055 * tf.pow(tf.maximum(linear, 0.0031308), 1 / 2.4) - 0.055
    return tf.where(linear <= 0.0031308, linear * 12.92, curve)


def rgb_to_lab(rgb):
    """Converts sRGB images to CIE L*a*b* (D65, 2 degree observer).

    Args:
        rgb: Tensor of shape `(..., 3)`: float in `[0, 1]` (not clipped) or uint8 in `[0, 255]`.

    Returns:
        Float32 tensor of the same shape: L* in `[0, 100]`; a* in `[-86.2, 98.3]` and b* in
        `[-107.9, 94.5]` for sRGB colors.

    Raises:
        ValueError: If the last dimension is not 3, or `rgb` holds integers other than uint8.
    """
    rgb = _check(rgb, "rgb_to_lab", integers=True)
    ratio = _mix(srgb_to_linear(rgb), _RGB_TO_WHITE)
    root = tf.pow(tf.maximum(ratio, _EPSILON), 1 / 3)
    f = tf.where(ratio > _EPSILON, root, ratio * _SLOPE + _OFFSET)
    return _mix(f, _F_TO_LAB) - tf.constant([16.0, 0.0, 0.0])


def lab_to_linear(lab):
    """Converts CIE L*a*b* to linear sRGB light, outside `[0, 1]` where the gamut ends."""
    lab = _check(lab, "lab_to_linear")
    lightness, a, b = tf.split(lab, 3, axis=-1)
    fy = (lightness + 16) / 116
    f = tf.concat([fy + a / 500, fy, fy - b / 200], axis=-1)
    ratio = tf.where(f > 6 / 29, f**3, (f - _OFFSET) / _SLOPE)
    return _mix(ratio, _WHITE_TO_RGB)


def lab_to_rgb(lab):
    """Converts CIE L*a*b* images to sRGB.

    Args:
        lab: Float tensor of shape `(..., 3)`.

    Returns:
        Float tensor of the same shape: sRGB, in `[0, 1]` for Lab values inside the gamut and
        beyond it otherwise. See `reduce_chroma_to_gamut` for what to do with those.

    Raises:
        ValueError: If the last dimension is not 3, or `lab` holds integers.
    """
    return linear_to_srgb(lab_to_linear(lab))


def reduce_chroma_to_gamut(lab, num_steps=10):
    """Moves colors that sRGB cannot show toward gray, at the same lightness and hue.

    Args:
        lab: Float tensor of shape `(..., 3)`, L* in `[0, 100]`.
        num_steps: Halvings of the search: chroma is found to one part in `2 ** num_steps`.

    Returns:
        Float tensor of the same shape, inside the sRGB gamut; colors already inside are untouched.
    """
    lab = _check(lab, "reduce_chroma_to_gamut")
    lightness, ab = lab[..., :1], lab[..., 1:]

    def fits(scale):
        linear = lab_to_linear(tf.concat([lightness, ab * scale], axis=-1))
        # Neutral white misses 1 by the rounding of the published matrix.
        inside = (linear >= -1e-4) & (linear <= 1 + 1e-4)
        return tf.reduce_all(inside, axis=-1, keepdims=True)

    def halve(width, low):
        return width / 2, tf.where(fits(low + width), low + width, low)

    # A loop in the graph: unrolled, it would be most of an exported model.
    start = (tf.constant(0.5), tf.zeros_like(lightness))
    _, low = tf.while_loop(lambda *_: True, halve, start, maximum_iterations=num_steps)
    scale = tf.where(fits(tf.ones_like(low)), tf.ones_like(low), low)
    return tf.concat([lightness, ab * scale], axis=-1)


def rgb_to_luma(rgb):
    """Weighs gamma-encoded channels into one, as `gray` is commonly made (BT.601).

    Args:
        rgb: Tensor of shape `(..., 3)`: float in `[0, 1]` or uint8 in `[0, 255]`.

    Returns:
        Float32 tensor of shape `(..., 1)` in `[0, 1]`.
    """
    rgb = _check(rgb, "rgb_to_luma", integers=True)
    if rgb.dtype == tf.uint8:
        rgb = tf.cast(rgb, tf.float32) / 255
    return _mix(rgb, LUMA[:, None].astype(np.float32))


def _mix(image, matrix):
    """Multiplies the channels of `image` by `matrix`, in one product over all pixels."""
    shape = tf.concat([tf.shape(image)[:-1], [matrix.shape[1]]], axis=0)
    mixed = tf.matmul(tf.reshape(image, [-1, matrix.shape[0]]), tf.constant(matrix, image.dtype))
    mixed = tf.reshape(mixed, shape)
    mixed.set_shape(image.shape[:-1].concatenate(matrix.shape[1]))
    return mixed


def _check(image, name, integers=False):
    image = tf.convert_to_tensor(image)
    if image.shape.rank == 0 or image.shape[-1] != 3:
        raise ValueError(f"`{name}` needs 3 channels last. Received: shape={image.shape}.")
    if not (image.dtype.is_floating or (integers and image.dtype == tf.uint8)):
        expected = "floats in [0, 1] or uint8 in [0, 255]" if integers else "floats"
        raise ValueError(
            f"`{name}` needs {expected}. Received: dtype={image.dtype.name}. "
            "Convert with tf.cast(image, tf.float32), and scale to the stated range."
        )
    return image if image.dtype == tf.uint8 else tf.cast(image, tf.float32)
