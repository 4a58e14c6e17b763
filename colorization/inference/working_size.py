"""What the network sees of a photo: its lightness, at the working size."""

import cv2
import numpy as np

from pipelines.color import arrays

MAX_ASPECT = 4
# Rows or columns of the result that are made at a time, so that few are kept as floats.
_BLOCK = 8


def working_shape(height, width, working_size, size_multiple):
    """Height and width that the network sees: never larger than the photo, save for rounding.

    Args:
        height: Rows of the photo.
        width: Columns of the photo.
        working_size: Short side of what the network sees, in pixels.
        size_multiple: What both sides are rounded to a multiple of.
    """
    sides = np.array([height, width], np.float32)
    limit = np.float32(working_size)
    shrink = min(limit / sides.min(), MAX_ASPECT * limit / sides.max(), np.float32(1))
    # Half to even, as TensorFlow rounds.
    multiples = np.maximum(np.round(sides * shrink / np.float32(size_multiple)), 1)
    return tuple(int(multiple) * size_multiple for multiple in multiples)


def lightness(rgb, shape):
    """Lightness of a photo at the working size.

    Averages as `tf.image.resize` does with `antialias`: by triangles as wide as two pixels of the
    result, of the gamma-encoded levels.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`.
        shape: `(h, w)`.

    Returns:
        Float array of shape `(1, h, w, 1)`: L*.
    """
    width = rgb.shape[1]
    narrow = np.empty((shape[0], width, 3), np.float32)
    for start, stop, first, weights in _blocks(rgb.shape[0], shape[0]):
        block = rgb[first : first + weights.shape[1]]
        planes = cv2.split(block)
        if np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2]):
            planes = planes[:1]
        for channel, plane in enumerate(planes):
            narrow[start:stop, :, channel] = weights @ plane.astype(np.float32)
        narrow[start:stop, :, len(planes) :] = narrow[start:stop, :, :1]
    small = np.empty((*shape, 3), np.float32)
    for start, stop, first, weights in _blocks(width, shape[1]):
        block = narrow[:, first : first + weights.shape[1]]
        small[:, start:stop] = np.einsum("ok,hkc->hoc", weights, block, optimize=True)
    return arrays.rgb_to_lightness(small / np.iinfo(rgb.dtype).max)[None]


def _blocks(size, new_size):
    """Yields `(start, stop, first, weights)`: places of the result, and how they are made.

    `weights` is of shape `(stop - start, number)`, for as many places from `first` on.
    """
    scale = size / new_size
    reach = max(scale, 1.0)
    for start in range(0, new_size, _BLOCK):
        stop = min(start + _BLOCK, new_size)
        centers = (np.arange(start, stop) + 0.5) * scale
        first = max(int(np.floor(centers[0] - reach - 0.5)), 0)
        last = min(int(np.ceil(centers[-1] + reach + 0.5)), size)
        places = np.arange(first, last) + 0.5
        weights = np.maximum(1 - np.abs(places - centers[:, None]) / reach, 0)
        weights /= weights.sum(axis=1, keepdims=True)
        yield start, stop, first, weights.astype(np.float32)
