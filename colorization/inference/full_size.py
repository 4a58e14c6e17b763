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
# Light is looked up in 16 bits; below 0 and above 1 lies what rounding leaves beyond the gamut. For
# results of 16 bits its square root is.
_BELOW, _STEPS = 500, 64_500


def fit(lightness, ab):
    """Fits chroma as a local linear function of lightness: `graph_steps.fit` for arrays.

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
    wide = _enlarge_columns(_affine(coefficients, np.float32(saturation)), rgb.shape[1])
    if rgb.shape[1] > 1:
        return _apply(rgb, wide, mask)
    # OpenCV takes a strip of one pixel for a constant.
    twice = (None if x is None else np.repeat(x, 2, axis=-1) for x in (wide, mask))
    return _apply(np.repeat(rgb, 2, axis=1), *twice)[:, :1]


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


def _enlarge_columns(affine, width):
    """Enlarges coefficients to columns of the photo; returns the shape `(h, 4, width)`."""
    planes = np.ascontiguousarray(affine.swapaxes(1, 2)).reshape(-1, affine.shape[1])
    wide = cv2.resize(planes, (width, len(planes)), interpolation=cv2.INTER_LINEAR)
    return wide.reshape(-1, 4, width)


def _enlarge_rows(wide, rows, height):
    """Enlarges coefficients to some rows of the photo; returns the shape `(n, 4, width)`."""
    last = len(wide) - 1
    tall = np.empty((rows.stop - rows.start, *wide.shape[1:]), np.float32)
    for number, row in enumerate(tall, rows.start):
        place = min(max((number + 0.5) * len(wide) / height - 0.5, 0.0), float(last))
        above = int(place)
        share = place - above
        lower = wide[min(above + 1, last)]
        cv2.addWeighted(wide[above], 1 - share, lower, share, 0, row)
    return tall


def _apply(rgb, wide, mask):
    """Colors a photo of two columns or more by the coefficients of all its columns."""
    height, width = rgb.shape[:2]
    colored = np.empty_like(rgb)
    step = max(1, _STRIP_PIXELS // width)

    def color(top):
        rows = slice(top, min(top + step, height))
        planes = _enlarge_rows(wide, rows, height)
        if mask is not None:
            planes *= mask[rows, None]
        _color_strip(rgb[rows], planes, colored[rows])

    tops = range(0, height, step)
    if len(tops) == 1:
        color(0)
        return colored
    # OpenCV knows how many threads this process may use.
    with concurrent.futures.ThreadPoolExecutor(cv2.getNumThreads()) as pool:
        for _ in pool.map(color, tops):
            pass
    return colored


def _color_strip(rgb, planes, colored):
    """Colors a strip into `colored`, by coefficients of the shape `(rows, 4, columns)`."""
    y, f = arrays.luminance(rgb)
    x, z = (_light(f, planes[:, at], planes[:, at + 1]) for at in (0, 2))
    # How far each channel is from gray, and how much of that sRGB can show.
    offs = []
    for weights in arrays.WHITE_TO_RGB.T.astype(float):
        off = cv2.addWeighted(x, weights[0], y, weights[1] - 1, 0)
        offs.append(cv2.scaleAdd(z, weights[2], off))
    most = cv2.max(cv2.max(offs[0], offs[1]), offs[2])
    least = cv2.min(cv2.min(offs[0], offs[1]), offs[2])
    most /= cv2.subtract(1 + _EDGE, y)
    least /= cv2.subtract(-_EDGE, y)
    beyond = cv2.max(cv2.max(most, least), 1.0)
    channels = []
    for off in offs:
        off /= beyond
        channels.append(_encode(off, y, rgb.dtype))
    cv2.merge(channels, colored)


def _light(f, slope, intercept):
    """X or Z, as a share of white, of f of Y and what is gained on it."""
    gain = cv2.multiply(f, slope)
    gain += intercept
    gain += f
    above = cv2.max(gain, arrays.KNEE)
    gain -= above
    return cv2.scaleAdd(gain, 1 / arrays.SLOPE, cv2.multiply(cv2.multiply(above, above), above))


def _encode(off, y, depth):
    """Levels of one channel, by tables."""
    if depth == np.uint8:
        light = cv2.addWeighted(off, _STEPS, y, _STEPS, _BELOW, dtype=cv2.CV_16U)
        return cv2.LUT(light, _encoding_table())
    off += y
    root = cv2.sqrt(cv2.max(off, 0.0))
    return cv2.LUT(cv2.multiply(root, 65535.0, dtype=cv2.CV_16U), _deep_encoding_table())


@functools.cache
def _deep_encoding_table():
    levels = arrays.linear_to_srgb((np.arange(1 << 16) / 65_535) ** 2)
    return np.round(np.clip(levels, 0, 1) * 65_535).astype(np.uint16)[None]


@functools.cache
def _encoding_table():
    light = (np.arange(1 << 16) - _BELOW) / _STEPS
    levels = np.round(np.clip(arrays.linear_to_srgb(light), 0, 1) * 255)
    return levels.astype(np.uint8)[None]
