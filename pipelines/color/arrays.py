"""Color conversion of NumPy arrays: what `spaces` does in a graph, where TensorFlow is not wanted.

RGB is gamma-encoded sRGB in `[0, 1]`; L*a*b* is in CIE units under D65 and the 2 degree observer.
`luminance` and `lightness` take a picture, a uint8 or uint16 array of shape `(height, width, 3)`,
sRGB, and look its levels up in tables: ten times as fast.

Sources: IEC 61966-2-1 (the sRGB curve and primaries), CIE 15 (L*a*b* 1976).
"""

import functools

import cv2
import numpy as np

RGB_TO_XYZ = np.array(
    [
        [0.412453, 0.357580, 0.180423],
        [0.212671, 0.715160, 0.072169],
        [0.019334, 0.119193, 0.950227],
    ]
)
WHITE = np.array([0.95047, 1.0, 1.08883])
# Light, as shares of white: rows are what red, green and blue add to X, Y and Z, and back.
RGB_TO_WHITE = (RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)
WHITE_TO_RGB = np.linalg.inv(RGB_TO_XYZ / WHITE[:, None]).T.astype(np.float32)
# L*a*b* is an affine map of three cube roots f, each linear below this root.
KNEE = 6 / 29
SLOPE = 1 / (3 * KNEE**2)


def srgb_to_linear(rgb):
    """Removes the sRGB transfer curve of a float array."""
    rgb = np.asarray(rgb, np.float64)
    curve = ((np.maximum(rgb, 0.04045) + 0.055) / 1.055) ** 2.4
    return curve + (np.minimum(rgb, 0.04045) - 0.04045) / 12.92


def linear_to_srgb(linear):
    """Applies the sRGB transfer curve to a float array of light. Inverse of `srgb_to_linear`."""
    linear = np.asarray(linear, np.float64)
    curve = 1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4)
    return curve + (12.92 * np.minimum(linear, 0.0031308) - (0.055 + 12.92 * 0.0031308))


def compress(ratio):
    """The cube root f of L*a*b*, of light as a share of white; L* is 116 f - 16."""
    ratio = np.asarray(ratio, np.float64)
    return np.cbrt(np.maximum(ratio, KNEE**3)) + (np.minimum(ratio, KNEE**3) - KNEE**3) * SLOPE


def rgb_to_lab(rgb):
    """Converts a float array of shape `(..., 3)`; returns float32 of the same shape."""
    f = compress(srgb_to_linear(rgb) @ RGB_TO_WHITE)
    lab = [116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])]
    return np.stack(lab, axis=-1).astype(np.float32)


def rgb_to_lightness(rgb):
    """L* of a float array of shape `(..., 3)`, as float32 of shape `(..., 1)`."""
    f = compress(srgb_to_linear(rgb) @ RGB_TO_WHITE[:, 1:2])
    return (116 * f - 16).astype(np.float32)


def lightness(picture):
    """L* of each pixel, as a float32 array of shape `(height, width)`."""
    return 116 * luminance(picture)[1] - 16


def luminance(picture):
    """Luminance of each pixel: Y as a share of white, and `f` of it, the cube root of L*a*b*.

    Both are float32 of shape `(height, width)`.
    """
    planes = cv2.split(picture)
    if are_equal(planes):
        y, f = _gray_tables(picture.dtype)
        return cv2.LUT(planes[0], y), cv2.LUT(planes[0], f)
    y, *others = (
        cv2.LUT(plane, table)
        for plane, table in zip(planes, _channel_tables(picture.dtype), strict=True)
    )
    for other in others:
        y += other
    # A row, by which NumPy is faster than by a number. OpenCV takes one pixel for a constant.
    above = np.maximum(y, np.full(y.shape[1], KNEE**3, np.float32))
    f = cv2.log(above)
    f *= np.float32(1 / 3)
    cv2.exp(f, f)
    # Below the knee, what `above` added is taken off again along the line.
    np.subtract(y, above, out=above)
    above *= np.float32(SLOPE)
    f += above
    return y, f


def are_equal(planes):
    """Whether the channels of a picture are the same, so that one tells it all."""
    return all(cv2.norm(planes[0], plane, cv2.NORM_INF) == 0 for plane in planes[1:])


@functools.cache
def _gray_tables(depth):
    """Y and f of each level of gray."""
    y = srgb_to_linear(_levels(depth)) * RGB_TO_WHITE[:, 1].sum(dtype=float)
    return _table(y), _table(compress(y))


@functools.cache
def _channel_tables(depth):
    """What each level of red, green and blue adds to Y."""
    light = srgb_to_linear(_levels(depth))
    return [_table(light * weight) for weight in RGB_TO_WHITE[:, 1].astype(float)]


def _levels(depth):
    most = np.iinfo(depth).max
    return np.arange(most + 1) / most


def _table(values):
    return values.astype(np.float32)[None]
