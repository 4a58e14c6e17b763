"""Luminance of pictures of integer levels, by tables: ten times as fast as by `arrays`.

Pictures are uint8 or uint16 arrays of shape `(height, width, 3)`, sRGB.
"""

import functools

import cv2
import numpy as np

from pipelines.color import arrays


def lightness(picture):
    """L* of each pixel, as a float32 array of shape `(height, width)`."""
    return 116 * of(picture)[1] - 16


def of(picture):
    """Luminance of each pixel.

    Args:
        picture: As above.

    Returns:
        Pair of float32 arrays of shape `(height, width)`: Y as a share of white, and `f` of it, the
        cube root of L*a*b*.
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
    # Not by OpenCV, which takes a picture of one pixel for a constant.
    above = np.maximum(y, np.float32(arrays.KNEE**3))
    f = cv2.exp(cv2.log(above) * np.float32(1 / 3))
    # Below the knee, what `above` added is taken off again along the line.
    f += (y - above) * np.float32(arrays.SLOPE)
    return y, f


def are_equal(planes):
    """Whether the channels of a picture are the same, so that one tells it all."""
    return all(cv2.norm(planes[0], plane, cv2.NORM_INF) == 0 for plane in planes[1:])


@functools.cache
def _gray_tables(depth):
    """Y and f of each level of gray."""
    y = arrays.srgb_to_linear(_levels(depth)) * arrays.RGB_TO_WHITE[:, 1].sum(dtype=float)
    return _table(y), _table(arrays.compress(y))


@functools.cache
def _channel_tables(depth):
    """What each level of red, green and blue adds to Y."""
    light = arrays.srgb_to_linear(_levels(depth))
    return [_table(light * weight) for weight in arrays.RGB_TO_WHITE[:, 1].astype(float)]


def _levels(depth):
    most = np.iinfo(depth).max
    return np.arange(most + 1) / most


def _table(values):
    return values.astype(np.float32)[None]
