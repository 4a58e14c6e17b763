"""Color at a photo's full size, in NumPy and OpenCV: tables, strips and threads.

What `upsampling` and `graph.ColorizationGraph.apply` do within an exported model, in a quarter of
the time. Chroma is a local linear function of lightness, whose coefficients come at the working
size; strips need no overlap, and memory holds the photo, its result and a few strips of floats.

A photo's light, as a share of white, is X, Y and Z; `f` is its cube root in L*a*b*. Adding chroma
moves f of X and Z; what sRGB cannot show is moved straight toward gray of equal luminance.
"""

import concurrent.futures
import functools

import cv2
import numpy as np

from pipelines.color import arrays

RADIUS, EPSILON = 8, 20.0
# Pixels of a strip: its floats stay within a processor's cache.
_STRIP_PIXELS = 1 << 16
_EDGE = 1e-4
# Light is looked up in 16 bits; below 0 and above 1 lies what rounding leaves beyond the gamut.
_BELOW, _STEPS = 500, 64_500


def fit(lightness, ab):
    """Fits chroma as a local linear function of lightness: `upsampling.fit` for arrays.

    Args:
        lightness: Float array of shape `(1, h, w, 1)`, L*.
        ab: Float array of shape `(n, height, width, 2)`, of any size.

    Returns:
        Float array of shape `(n, h, w, 4)`: the slopes of a and b, then their intercepts at L* = 0.
    """
    lightness = np.ascontiguousarray(lightness[0, ..., 0])
    height, width = lightness.shape
    counts = _sums(np.ones((height, width), np.float32))
    mean = _sums(lightness) / counts
    variance = np.maximum(_sums(lightness**2) / counts - mean**2, 0) + EPSILON
    found = np.empty((len(ab), height, width, 4), np.float32)
    for coefficients, small in zip(found, ab, strict=True):
        for channel in range(2):
            plane = cv2.resize(
                np.ascontiguousarray(small[..., channel]),
                (width, height),
                interpolation=cv2.INTER_LINEAR,
            )
            plane_mean = _sums(plane) / counts
            slope = (_sums(lightness * plane) / counts - mean * plane_mean) / variance
            coefficients[..., channel] = _sums(slope) / counts
            coefficients[..., channel + 2] = _sums(plane_mean - slope * mean) / counts
    return found


def apply(rgb, coefficients, saturation=1.0, mask=None):
    """Colors a photo.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`, of whose colors only the lightness
            is used, and kept.
        coefficients: Float array of shape `(h, w, 4)`, as `fit` makes them.
        saturation: What chroma is multiplied by.
        mask: Float array of shape `(height, width)` that chroma is multiplied by as well, or None.

    Returns:
        Array of the type and shape of `rgb`.
    """
    height, width = rgb.shape[:2]
    colored = np.empty_like(rgb)
    affine = _affine(coefficients, np.float32(saturation))
    step = max(1, _STRIP_PIXELS // width)

    def color(top):
        rows = slice(top, min(top + step, height))
        planes = _enlarge_rows(affine, rows, height, width)
        planes += [] if mask is None else [mask[rows]]
        if width > 1:
            _color_strip(rgb[rows], planes, colored[rows])
            return
        # OpenCV takes a strip of one pixel for a constant.
        twice = np.repeat(rgb[rows], 2, axis=1)
        planes = [np.repeat(plane.reshape(-1, 1), 2, axis=1) for plane in planes]
        result = np.empty_like(twice)
        _color_strip(twice, planes, result)
        colored[rows] = result[:, :1]

    tops = range(0, height, step)
    if len(tops) == 1:
        color(0)
        return colored
    # OpenCV knows how many threads this process may use.
    with concurrent.futures.ThreadPoolExecutor(cv2.getNumThreads()) as pool:
        for _ in pool.map(color, tops):
            pass
    return colored


def apply_to_prints(rgb, places, coefficients, saturation=1.0, mask=None):
    """Colors the prints in a photo, each by its own coefficients, and makes the rest gray.

    Args:
        rgb: As for `apply`.
        places: List of pairs of slices, of rows and of columns: where the prints are.
        coefficients: List of float arrays, as for `apply`, one for each print.
        saturation: As for `apply`.
        mask: As for `apply`.

    Returns:
        Array of the type and shape of `rgb`.
    """
    if rgb[places[0]].shape == rgb.shape:
        return apply(rgb, coefficients[0], saturation, mask)
    colored = apply(rgb, np.zeros((1, 1, 4), np.float32))
    for place, own in zip(places, coefficients, strict=True):
        amount = None if mask is None else mask[place]
        colored[place] = apply(rgb[place], own, saturation, amount)
    return colored


def _sums(plane):
    size = 2 * RADIUS + 1
    return cv2.boxFilter(
        plane, cv2.CV_32F, (size, size), normalize=False, borderType=cv2.BORDER_CONSTANT
    )


def _affine(coefficients, saturation):
    """Turns coefficients of ab over L* into those of f of X and Z over f of Y.

    Returns:
        Float array of shape `(h, w, 4)`: what f of X gains on that of Y is `[..., 0]` times it plus
        `[..., 1]`; Z likewise.
    """
    scale = saturation / np.array([500, -200], np.float32)
    slope, intercept = coefficients[..., :2] * scale, coefficients[..., 2:] * scale
    pairs = np.stack([116 * slope, intercept - 16 * slope], axis=-1)
    return np.ascontiguousarray(pairs.reshape(*coefficients.shape[:2], 4), np.float32)


def _enlarge_rows(affine, rows, height, width):
    """Enlarges coefficients bilinearly; returns some rows, one plane for each coefficient."""
    last = len(affine) - 1
    places = (np.arange(rows.start, rows.stop) + 0.5) * (len(affine) / height) - 0.5
    above = np.floor(places).astype(int)
    weight = (places - above).astype(np.float32)[:, None, None]
    upper, lower = affine[np.clip(above, 0, last)], affine[np.clip(above + 1, 0, last)]
    tall = upper + (lower - upper) * weight
    return list(cv2.split(cv2.resize(tall, (width, len(tall)), interpolation=cv2.INTER_LINEAR)))


def _color_strip(rgb, planes, colored):
    """Colors a strip into `colored`, by the planes of `_affine` and of a mask."""
    y, f = _luminance(rgb)
    x, z = (_light(f, *planes[at : at + 2], planes[4:]) for at in (0, 2))
    # How far each channel is from gray, and how much of that sRGB can show.
    offs = []
    for weights in arrays.WHITE_TO_RGB.T.astype(float):
        off = cv2.addWeighted(x, weights[0], y, weights[1] - 1, 0)
        offs.append(cv2.scaleAdd(z, weights[2], off))
    most = cv2.max(cv2.max(offs[0], offs[1]), offs[2])
    least = cv2.min(cv2.min(offs[0], offs[1]), offs[2])
    most /= cv2.subtract(1 + _EDGE, y)
    least /= cv2.subtract(-_EDGE, y)
    shown = cv2.divide(1.0, cv2.max(cv2.max(most, least), 1.0))
    channels = []
    for off in offs:
        off *= shown
        off += y
        channels.append(_encode(off, rgb.dtype))
    cv2.merge(channels, colored)


def _luminance(rgb):
    """Y of a strip, and f of it."""
    planes = cv2.split(rgb)
    if np.array_equal(planes[0], planes[1]) and np.array_equal(planes[0], planes[2]):
        luminance, root = _gray_tables(rgb.dtype)
        return cv2.LUT(planes[0], luminance), cv2.LUT(planes[0], root)
    parts = [
        cv2.LUT(plane, table)
        for plane, table in zip(planes, _channel_tables(rgb.dtype), strict=True)
    ]
    y = parts[0]
    y += parts[1]
    y += parts[2]
    above = cv2.max(y, arrays.KNEE**3)
    root = cv2.exp(cv2.log(above) * np.float32(1 / 3))
    # Below the knee, what `above` added is taken off again along the line.
    return y, cv2.scaleAdd(cv2.subtract(y, above), arrays.SLOPE, root)


def _light(f, slope, intercept, mask):
    """X or Z, as a share of white, of f of Y and what is gained on it."""
    gain = cv2.multiply(f, slope)
    gain += intercept
    for amount in mask:
        gain *= amount
    gain += f
    above = cv2.max(gain, arrays.KNEE)
    gain -= above
    return cv2.scaleAdd(gain, 1 / arrays.SLOPE, cv2.multiply(cv2.multiply(above, above), above))


def _encode(light, depth):
    """Levels of one channel; of eight bits by table."""
    if depth == np.uint8:
        light *= np.float32(_STEPS)
        light += np.float32(_BELOW + 0.5)
        return cv2.LUT(light.astype(np.uint16), _encoding_table())
    above = cv2.max(light, 0.0031308)
    curve = cv2.exp(cv2.log(above) * np.float32(1 / 2.4))
    light -= above
    curve *= np.float32(1.055)
    curve -= np.float32(0.055)
    levels = cv2.scaleAdd(light, 12.92, curve)
    return cv2.multiply(levels, 65535.0, dtype=cv2.CV_16U)


@functools.cache
def _gray_tables(depth):
    """Y and f of each level of gray."""
    light = arrays.srgb_to_linear(_levels(depth)) * arrays.RGB_TO_WHITE[:, 1].sum(dtype=float)
    return _table(light), _table(arrays.compress(light))


@functools.cache
def _channel_tables(depth):
    """What each level of red, green and blue adds to Y."""
    light = arrays.srgb_to_linear(_levels(depth))
    return [_table(light * weight) for weight in arrays.RGB_TO_WHITE[:, 1].astype(float)]


@functools.cache
def _encoding_table():
    light = (np.arange(1 << 16) - _BELOW) / _STEPS
    levels = np.round(np.clip(arrays.linear_to_srgb(light), 0, 1) * 255)
    return levels.astype(np.uint8)[None]


def _levels(depth):
    most = np.iinfo(depth).max
    return np.arange(most + 1) / most


def _table(values):
    return values.astype(np.float32)[None]
