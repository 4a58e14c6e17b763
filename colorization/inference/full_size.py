"""Color at a photo's full size, in NumPy and OpenCV: tables, strips and threads.

What `graph_steps` and `graph.ColorizationGraph.apply` do within an exported model, in a quarter of
the time. Chroma is a local linear function of lightness, whose coefficients come at the working
size; strips need no overlap, and memory holds the photo, its result and a few strips of floats.

A photo's light, as a share of white, is X, Y and Z; `f` is its cube root in L*a*b*. Adding chroma
moves f of X and Z; what sRGB cannot show is moved straight toward gray of equal luminance.
"""

import concurrent.futures
import functools
import itertools

import cv2
import numpy as np

from pipelines.color import arrays

# Of `graph_steps.slopes`, and of `graph_steps.enlarge_alike`: L* that differs by so much is less
# alike, and where nothing is alike nearness decides.
RADIUS, EPSILON = 4, 20.0
SIMILAR, LEAST_SHARE = 8.0, 1e-6
# Pixels of a strip: its floats stay within a processor's largest cache, and threads are seldom in
# Python, where they wait for one another.
_STRIP_PIXELS = 1 << 17
_EDGE = 1e-4
# Light is looked up in 16 bits; below 0 and above 1 lies what rounding leaves beyond the gamut. For
# results of 16 bits its square root is.
_BELOW, _STEPS = 500, 64_500


def fit(lightness, ab):
    """Fits chroma as a local linear function of lightness: `graph_steps.fit` for arrays.

    `lightness` is L*, `(1, h, w, 1)`, `ab` of shape `(n, height, width, 2)`, of any size. Returns
    floats of shape `(n, h, w, 4)`: the slopes of a and b, then their intercepts at L* = 0.
    """
    lightness = np.ascontiguousarray(lightness[0, ..., 0])
    ab = _enlarge_alike(lightness, ab)
    counts = _sums(np.ones_like(lightness))
    mean = _sums(lightness) / counts
    variance = np.maximum(_sums(lightness**2) / counts - mean**2, 0) + EPSILON
    slopes = np.empty_like(ab)
    for slope, planes in zip(slopes, ab, strict=True):
        for channel in range(2):
            plane = np.ascontiguousarray(planes[..., channel])
            covariance = _sums(lightness * plane) / counts - mean * _sums(plane) / counts
            slope[..., channel] = _sums(covariance / variance) / counts
    return np.concatenate([slopes, ab - slopes * lightness[..., None]], axis=-1)


def _enlarge_alike(lightness, ab):
    """`graph_steps.enlarge_alike` for arrays, of lightness `(h, w)`."""
    rows, columns = (
        _neighbors(*lengths) for lengths in zip(ab.shape[1:3], lightness.shape, strict=True)
    )
    down, across = (
        _shrinking_weights(*lengths) for lengths in zip(lightness.shape, ab.shape[1:3], strict=True)
    )
    cells = down @ lightness @ across.T
    pairs = list(itertools.product(rows, columns))
    weights = []
    for (row, row_share), (column, column_share) in pairs:
        unlike = np.square((lightness - cells[row][:, column]) / np.float32(SIMILAR))
        near = row_share[:, None] * column_share
        weights.append(near * (np.exp(-unlike / 2) + np.float32(LEAST_SHARE)))
    total = np.sum(weights, axis=0)
    found = np.zeros((len(ab), *lightness.shape, 2), np.float32)
    for ((row, _), (column, _)), weight in zip(pairs, weights, strict=True):
        found += ab[:, row][:, :, column] * (weight / total)[..., None]
    return found


def _neighbors(length, new_length, rows=slice(None)):
    """`graph_steps._neighbors` for arrays, of some of the pixels."""
    places = (np.arange(new_length)[rows] + 0.5) * length / new_length - 0.5
    places = np.clip(places, 0, length - 1)
    first = places.astype(int)
    share = np.float32(places - first)
    return (first, 1 - share), (np.minimum(first + 1, length - 1), share)


def _shrinking_weights(length, new_length):
    step = length / new_length
    centers = (np.arange(new_length) + 0.5) * step - 0.5
    distances = np.abs(centers[:, None] - np.arange(length))
    weights = np.maximum(1 - distances / step, 0).astype(np.float32)
    return weights / weights.sum(axis=1, keepdims=True)


def apply(rgb, coefficients, saturation=1.0, mask=None):
    """Colors a photo, uint8 or uint16 of shape `(height, width, 3)`, and keeps its lightness.

    `coefficients` are of shape `(h, w, 4)`, as `fit` makes them. Chroma is multiplied by
    `saturation` and by `mask`, `(height, width)`, if there is one. The result is of the type and
    shape of `rgb`.
    """
    wide = _enlarge_columns(_affine(coefficients, np.float32(saturation)), rgb.shape[1])
    if rgb.shape[1] > 1:
        return _apply(rgb, wide, mask)
    # OpenCV takes a strip of one pixel for a constant.
    twice = (None if x is None else np.repeat(x, 2, axis=-1) for x in (wide, mask))
    return _apply(np.repeat(rgb, 2, axis=1), *twice)[:, :1]


def apply_to_prints(rgb, places, coefficients, saturation=1.0, mask=None):
    """Colors the prints in a photo, each by its own coefficients, and makes the rest gray.

    `places` are pairs of slices, of rows and of columns; the others are as for `apply`.
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
    """Turns coefficients of ab over L* into those of f of X and Z over f of Y, `(4, h, w)`.

    f of X is that of Y times `[0]` plus `[2]`; that of Z goes by `[1]` and `[3]`.
    """
    scale = saturation / np.array([500, -200], np.float32)
    slope, intercept = coefficients[..., :2] * scale, coefficients[..., 2:] * scale
    pairs = np.concatenate([1 + 116 * slope, intercept - 16 * slope], axis=-1)
    return np.ascontiguousarray(pairs.transpose(2, 0, 1), np.float32)


def _enlarge_columns(affine, width):
    """Enlarges coefficients to columns of the photo; returns the shape `(4, h, width)`."""
    height = affine.shape[1]
    planes = affine.reshape(4 * height, -1)
    wide = cv2.resize(planes, (width, 4 * height), interpolation=cv2.INTER_LINEAR)
    return wide.reshape(4, height, width)


def _enlarge_rows(wide, rows, height):
    """Enlarges coefficients to some rows of the photo; returns the shape `(4, n, width)`."""
    (aboves, _), (_, shares) = _neighbors(wide.shape[1], height, rows)
    last, shares = wide.shape[1] - 1, shares[:, None]
    tall = np.empty((4, len(aboves), wide.shape[2]), np.float32)
    for above in range(aboves[0], aboves[-1] + 1):
        between = slice(*np.searchsorted(aboves, (above, above + 1)))
        upper, lower = wide[:, above, None], wide[:, min(above + 1, last), None]
        np.multiply(shares[between], lower - upper, out=tall[:, between])
        tall[:, between] += upper
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
            planes *= mask[rows]
            planes[:2] += 1 - mask[rows]
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
    """Colors a strip into `colored`, by coefficients of the shape `(4, rows, columns)`.

    These planes are worked on in place: new ones would crowd the cache.
    """
    y, f = arrays.luminance(rgb)
    planes[:2] *= f
    planes[:2] += planes[2:]
    x, z, most, least = planes
    _to_light(planes[:2].reshape(-1, y.shape[1]), planes[2:].reshape(-1, y.shape[1]))
    # How far each channel is from gray: that of green follows, since luminance stays.
    offs = np.empty((3, *y.shape), np.float32)
    red, green, blue = offs
    for off, weights in zip((red, blue), arrays.WHITE_TO_RGB.T[::2].astype(float), strict=True):
        cv2.addWeighted(x, weights[0], y, weights[1] - 1, 0, off)
        cv2.scaleAdd(z, weights[2], off, off)
    shares = arrays.RGB_TO_WHITE[:, 1].astype(float)
    cv2.addWeighted(red, -shares[0] / shares[1], blue, -shares[2] / shares[1], 0, green)
    # How much of that sRGB can show.
    np.maximum.reduce(offs, out=most)
    np.minimum.reduce(offs, out=least)
    most /= np.subtract(np.float32(1 + _EDGE), y, out=f)
    least /= np.subtract(np.float32(-_EDGE), y, out=f)
    cv2.max(most, least, most)
    offs /= cv2.max(most, 1.0, most)
    cv2.merge([_encode(off, y, rgb.dtype) for off in offs], colored)


def _to_light(f, above):
    """Turns f of X and Z into light, as a share of white, in place; `above` is overwritten."""
    cv2.max(f, arrays.KNEE, above)
    cv2.subtract(f, above, f)
    cv2.pow(above, 3, above)
    cv2.scaleAdd(f, 1 / arrays.SLOPE, above, f)


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
