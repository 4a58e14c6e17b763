"""Color conversion between sRGB, luma and CIE L*a*b*, in a TensorFlow graph.

Law of the file: images are channels-last tensors of any leading dimensions, and what comes out is
float32. RGB is gamma-encoded sRGB, float in `[0, 1]` unless said otherwise; Lab is L* in
`[0, 100]` with a* and b* in CIE units under D65 and the 2 degree observer. Gradients are finite
everywhere, black included, and every function compiles under XLA. Images of another number of
channels, or of integers that are not levels, raise `ValueError`.

Sources: IEC 61966-2-1 (the sRGB curve and primaries), CIE 15 (L*a*b* 1976), ITU-R BT.601 (luma).
"""

import numpy as np
import tensorflow as tf

from pipelines.color.arrays import RGB_TO_WHITE, RGB_TO_XYZ, WHITE_TO_RGB

LUMA = np.array([0.299, 0.587, 0.114])

# L*a*b* is an affine map of three cube roots f, and they of it.
_F_TO_LAB = np.array([[0, 500, 0], [116, -500, 200], [0, 0, -200]], np.float32)
_LAB_OF_ZERO = np.array([-16, 0, 0], np.float32)
_LAB_TO_F = np.linalg.inv(_F_TO_LAB)
_F_OF_ZERO = -_LAB_OF_ZERO @ _LAB_TO_F

_LUMINANCE = np.repeat(RGB_TO_XYZ[1][:, None], 3, axis=1).astype(np.float32)
_NEXT_CHANNEL = np.roll(np.eye(3, dtype=np.float32), 1, axis=0)

# The cube root of L*a*b* is linear below this cube, where its slope would grow without bound.
_EPSILON = (6 / 29) ** 3
_SLOPE = (29 / 6) ** 2 / 3

# Each curve is a power above its knee and a line below. They are added, each held at the knee where
# the other has its turn: `tf.where` takes longer than all the rest, and would need care for slopes.


def srgb_to_linear(rgb):
    """Removes the sRGB transfer curve of a tensor: float in `[0, 1]`, uint8 or uint16.

    Returns light, a float tensor in `[0, 1]`. Values outside `[0, 1]` follow the curve's own
    extension and are not clipped.
    """
    rgb = _to_unit(tf.convert_to_tensor(rgb))
    curve = _power((tf.maximum(rgb, 0.04045) + 0.055) * (1 / 1.055), 2.4)
    return curve + (tf.minimum(rgb, 0.04045) - 0.04045) * (1 / 12.92)


def linear_to_srgb(linear):
    """Applies the sRGB transfer curve to a float tensor of light. Inverse of `srgb_to_linear`."""
    linear = tf.convert_to_tensor(linear)
    curve = 1.055 * _power(tf.maximum(linear, 0.0031308), 1 / 2.4)
    return curve + (12.92 * tf.minimum(linear, 0.0031308) - (0.055 + 12.92 * 0.0031308))


def rgb_to_lab(rgb):
    """Converts sRGB images to CIE L*a*b* (D65, 2 degree observer).

    Args:
        rgb: Tensor of shape `(..., 3)`: float in `[0, 1]` (not clipped), uint8 in `[0, 255]` or
            uint16 in `[0, 65535]`.

    Returns:
        Float32 tensor of the same shape: L* in `[0, 100]`; a* in `[-86.2, 98.3]` and b* in
        `[-107.9, 94.5]` for sRGB colors.

    Raises:
        ValueError: If the last dimension is not 3, or `rgb` holds other integers.
    """
    rgb = _check(rgb, "rgb_to_lab", integers=True)
    f = _compress(_mix(srgb_to_linear(rgb), RGB_TO_WHITE))
    return _mix(f, _F_TO_LAB, _LAB_OF_ZERO)


def rgb_to_lightness(rgb):
    """Converts sRGB images, as for `rgb_to_lab`, to L*, `(..., 1)`, in half of its time."""
    rgb = _check(rgb, "rgb_to_lightness", integers=True)
    return 116 * _compress(_mix(srgb_to_linear(rgb), RGB_TO_WHITE[:, 1:2])) - 16


def lab_to_linear(lab):
    """Converts CIE L*a*b* to linear sRGB light, outside `[0, 1]` where the gamut ends."""
    lab = _check(lab, "lab_to_linear")
    f = _mix(lab, _LAB_TO_F, _F_OF_ZERO)
    above = tf.maximum(f, 6 / 29)
    ratio = tf.square(above) * above + (tf.minimum(f, 6 / 29) - 6 / 29) * (1 / _SLOPE)
    return _mix(ratio, WHITE_TO_RGB)


def lab_to_rgb(lab):
    """Converts CIE L*a*b* images to sRGB, beyond `[0, 1]` for Lab values outside the gamut.

    See `reduce_chroma_to_gamut` for what to do with those.
    """
    return linear_to_srgb(lab_to_linear(lab))


def reduce_chroma_to_gamut(linear):
    """Moves light that sRGB cannot show straight toward the gray of the same luminance.

    L* stays, and so does the dominant wavelength; the hue of L*a*b*, which is curved in light,
    moves by a degree or two as a rule. The luminance of `linear` is in `[0, 1]`. The result is in
    `[0, 1]` to within 1e-4; what lies inside is untouched.
    """
    linear = _check(linear, "reduce_chroma_to_gamut")
    # Of three equal channels, since a channel spread over three takes longer than the product.
    luminance = _mix(linear, _LUMINANCE)
    off = linear - luminance
    # How far beyond the end of its range a channel goes, as a multiple of the way there. Neutral
    # white and black miss theirs by rounding.
    excess = tf.maximum(off / (1 + 1e-4 - luminance), off / (-1e-4 - luminance))
    for _ in range(2):
        excess = tf.maximum(excess, _mix(excess, _NEXT_CHANNEL))
    return luminance + off / tf.maximum(excess, 1.0)


def rgb_to_luma(rgb):
    """Weighs gamma-encoded channels into one in `[0, 1]`, as `gray` is commonly made (BT.601)."""
    rgb = _check(rgb, "rgb_to_luma", integers=True)
    return _mix(_to_unit(rgb), LUMA[:, None].astype(np.float32))


def gray_to_lightness():
    """L* of each of the 256 gray levels, a float32 array."""
    ramp = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    # Also when first asked for while a graph is traced.
    with tf.init_scope():
        return rgb_to_lightness(ramp).numpy()[:, 0]


def _compress(ratio):
    """The cube root of L*a*b*, of light as a share of white."""
    root = _power(tf.maximum(ratio, _EPSILON), 1 / 3)
    return root + (tf.minimum(ratio, _EPSILON) - _EPSILON) * _SLOPE


def _power(base, exponent):
    # `tf.pow` is computed number by number, these eight or sixteen at a time.
    return tf.exp(exponent * tf.math.log(base))


def _mix(image, matrix, bias=None):
    """Multiplies the channels of `image` by `matrix`, in one product over all pixels."""
    shape = tf.concat([tf.shape(image)[:-1], [matrix.shape[1]]], axis=0)
    mixed = tf.matmul(tf.reshape(image, [-1, matrix.shape[0]]), tf.constant(matrix, image.dtype))
    if bias is not None:
        mixed = tf.nn.bias_add(mixed, tf.constant(bias, image.dtype))
    mixed = tf.reshape(mixed, shape)
    mixed.set_shape(image.shape[:-1].concatenate(matrix.shape[1]))
    return mixed


def _to_unit(rgb):
    if rgb.dtype.is_floating:
        return rgb
    return tf.cast(rgb, tf.float32) * (1 / rgb.dtype.max)


def _check(image, name, integers=False):
    image = tf.convert_to_tensor(image)
    if image.shape.rank == 0 or image.shape[-1] != 3:
        raise ValueError(f"`{name}` needs 3 channels last. Received: shape={image.shape}.")
    if integers and image.dtype in (tf.uint8, tf.uint16):
        return image
    if not image.dtype.is_floating:
        every = "floats in [0, 1], uint8 in [0, 255] or uint16 in [0, 65535]"
        expected = every if integers else "floats"
        raise ValueError(
            f"`{name}` needs {expected}. Received: dtype={image.dtype.name}. "
            "Convert with tf.cast(image, tf.float32), and scale to the stated range."
        )
    return tf.cast(image, tf.float32)
