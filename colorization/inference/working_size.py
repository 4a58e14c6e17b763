"""What the network sees of a photo: its lightness, at the working size, with less grain.

Grain of film and noise of scanners cost colors: the network learned from photos without, and takes
what is covered by grain for things of no color. The photo itself keeps its grain.
"""

import concurrent.futures

import cv2
import numpy as np

from colorization.inference import screens
from pipelines.color import arrays

MAX_ASPECT = 4
# Rows or columns of the result that are made at a time, so that few are kept as floats.
_BLOCK = 4
# Deviations of L*: what photos without grain have in their plainest parts, and beyond what it is
# no grain but a pattern.
_LEAST, _MOST = 0.7, 12.0
# Cells are plain if few others vary less.
_CELL, _PLAIN = 8, 20
# Cells that are nearly black or white hold no grain, as scanners clip it.
_DARKEST, _LIGHTEST, _FEWEST = 5, 95, 16
# The filter: pixels across, the deviation of its weights in pixels, and over lightness in
# deviations of the grain.
_ACROSS, _REACH, _STRENGTH = 7, 2.0, 3.0
# Takes away planes and slopes (Immerkaer, "Fast Noise Variance Estimation", 1996).
_CURVATURE = np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6


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
        Float array of shape `(1, h, w, 1)`: L*, its grain smoothed, the dots of a print blurred.
    """
    sizes = description["working_size"], description["size_multiple"]
    return smooth(screens.smooth(lightness(rgb, working_shape(*rgb.shape[:2], *sizes))))


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
        if all(cv2.norm(planes[0], plane, cv2.NORM_INF) == 0 for plane in planes[1:]):
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


def smooth(lightness):
    """Smooths grain, and nothing in a photo without any.

    Args:
        lightness: Float array of shape `(1, height, width, 1)`, L*, at the size that the network
            sees.

    Returns:
        Float array of the same shape.
    """
    plane = lightness[0, ..., 0]
    deviation = measure(plane)
    if not _LEAST < deviation < _MOST:
        return lightness
    # What a photo without grain has of it is left.
    width = _STRENGTH * np.sqrt(deviation**2 - _LEAST**2)
    return cv2.bilateralFilter(plane, _ACROSS, width, _REACH)[None, ..., None]


def measure(plane):
    """Measures grain.

    Args:
        plane: Float array of shape `(height, width)`, L*.

    Returns:
        Its standard deviation in the plain parts of the photo, in units of L*; 0 where there are
        too few of them.
    """
    rows, columns = (side // _CELL for side in plane.shape)

    def cells(values):
        values = values[: rows * _CELL, : columns * _CELL]
        return values.reshape(rows, _CELL, columns, _CELL)

    means = cells(plane).mean(axis=(1, 3))
    deviations = np.sqrt((cells(cv2.filter2D(plane, -1, _CURVATURE)) ** 2).mean(axis=(1, 3)))
    is_gray = (means > _DARKEST) & (means < _LIGHTEST)
    if is_gray.sum() < _FEWEST:
        return 0.0
    return float(np.percentile(deviations[is_gray], _PLAIN))
