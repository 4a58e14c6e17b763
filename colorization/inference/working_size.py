"""What the network sees of a photo: its lightness, at the working size."""

import concurrent.futures

import cv2
import numpy as np

from colorization.inference import screens
from pipelines.color import arrays, luminance

MAX_ASPECT = 4
# Rows or columns of the result that are made at a time, so that few are kept as floats.
_BLOCK = 4


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


def seen(rgb, description):
    """What the network of a model sees of a photo.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`.
        description: Of the model: its `working_size` and its `size_multiple`.

    Returns:
        Float array of shape `(1, h, w, 1)`: L*, the dots of a print blurred.
    """
    sizes = description["working_size"], description["size_multiple"]
    return screens.smooth(lightness(rgb, working_shape(*rgb.shape[:2], *sizes)))


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
    height, width = rgb.shape[:2]
    narrow = np.empty((3, shape[0], width), np.float32)

    def shrink(block):
        start, stop, first, weights = block
        planes = cv2.split(rgb[first : first + weights.shape[1]])
        if luminance.are_equal(planes):
            planes = planes[:1]
        for channel, plane in enumerate(planes):
            # Not a product of matrices: its threads wait for one another at full load.
            np.einsum("ok,kw->ow", weights, np.float32(plane), out=narrow[channel, start:stop])
        narrow[len(planes) :, start:stop] = narrow[:1, start:stop]

    with concurrent.futures.ThreadPoolExecutor(cv2.getNumThreads()) as pool:
        for _ in pool.map(shrink, _blocks(height, shape[0])):
            pass
    small = np.empty((3, *shape), np.float32)
    for start, stop, first, weights in _blocks(width, shape[1]):
        block = narrow[..., first : first + weights.shape[1]]
        np.einsum("ok,chk->cho", weights, block, out=small[..., start:stop])
    return arrays.rgb_to_lightness(small.transpose(1, 2, 0) / np.iinfo(rgb.dtype).max)[None]


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
