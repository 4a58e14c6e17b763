"""What the network sees of a photo: its lightness, at the working size, without a halftone screen.

The dots of printed pictures cost colors. A screen repeats itself over the whole print, so that a
few frequencies stand far above all others. The photo itself keeps its dots.
"""

import concurrent.futures

import cv2
import numpy as np

from pipelines.color import arrays

MAX_ASPECT = 4
# Rows or columns of the result that are made at a time, so that few are kept as floats.
_BLOCK = 4
# Pixels a side that are looked at, from the least on, and the finest and the widest screen, in
# pixels from dot to dot.
_LEAST, _SIDE, _FINEST, _WIDEST = 64, 256, 2.2, 10.0
# A screen's power over the median of frequencies about as high. Of 196 photos without, the most
# were 1,293 and 611; of 8 with screens, at 11 pitches and angles, the least was 5,261.
_STANDS_OUT, _ABOUT = 3000, 1.15
# Least amplitude in L*, and least share of the power that the other direction of a screen has.
_FAINTEST, _SQUARE = 2.0, 0.1
# The deviation of the filter that takes a screen away, in distances from dot to dot.
_REACH = 0.5


def working_shape(height, width, working_size, size_multiple):
    """Height and width that the network sees: never larger than the photo, save for rounding.

    `working_size` is the short side of what it sees, in pixels; both sides are rounded to multiples
    of `size_multiple`.
    """
    sides = np.array([height, width], np.float32)
    limit = np.float32(working_size)
    shrink = min(limit / sides.min(), MAX_ASPECT * limit / sides.max(), np.float32(1))
    # Half to even, as TensorFlow rounds.
    multiples = np.maximum(np.round(sides * shrink / np.float32(size_multiple)), 1)
    return tuple(int(multiple) * size_multiple for multiple in multiples)


def seen(rgb, description):
    """What the network of a model sees of a photo: L* of shape `(1, h, w, 1)`.

    The dots of a print are blurred. `description` is the model's, with `working_size` and
    `size_multiple`.
    """
    sizes = description["working_size"], description["size_multiple"]
    return smooth_screen(lightness(rgb, working_shape(*rgb.shape[:2], *sizes)))


def lightness(rgb, shape):
    """Lightness of a photo at the working size: L* of shape `(1, h, w, 1)`.

    Averages as `tf.image.resize` does with `antialias`: by triangles as wide as two pixels of the
    result, of the gamma-encoded levels.
    """
    height, width = rgb.shape[:2]
    narrow = np.empty((3, shape[0], width), np.float32)

    def shrink(block):
        start, stop, first, weights = block
        planes = cv2.split(rgb[first : first + weights.shape[1]])
        if arrays.are_equal(planes):
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


def smooth_screen(lightness):
    """Blurs a halftone screen away, and nothing where there is none.

    L* is of shape `(1, height, width, 1)`, at the size that the network sees, and so is the result.
    """
    plane = lightness[0, ..., 0]
    pitch = measure_screen(plane)
    if pitch is None:
        return lightness
    return cv2.GaussianBlur(plane, (0, 0), _REACH * pitch)[None, ..., None]


def measure_screen(plane):
    """Measures a halftone screen in L* of shape `(height, width)`: pixels from dot to dot.

    None where there is no screen, or too little of the picture.
    """
    height, width = (min(side, _SIDE) for side in plane.shape)
    if min(height, width) < _LEAST:
        return None
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    part = np.float32(plane[top : top + height, left : left + width])
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    power = np.abs(np.fft.rfft2((part - part.mean()) * window)) ** 2
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.hypot(down, across)
    is_screen = (frequency > 1 / _WIDEST) & (frequency < 1 / _FINEST)
    peak = np.unravel_index(np.argmax(np.where(is_screen, power, -1)), power.shape)
    ratio = frequency / frequency[peak]
    usual = np.median(power[(ratio > 1 / _ABOUT) & (ratio < _ABOUT)])
    if power[peak] < max(_STANDS_OUT * usual, (_FAINTEST * height * width / 8) ** 2):
        return None
    # Dots repeat at right angles too; fences and blinds do not.
    turned = np.array([across[peak[1]], -down[peak[0], 0]])
    turned *= np.sign(turned[1]) or 1
    is_turned = np.hypot(down - turned[0], across - turned[1]) < 2 / min(height, width)
    return 1 / frequency[peak] if power[is_turned].max() > _SQUARE * power[peak] else None
