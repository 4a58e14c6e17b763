"""How near a picture's chroma is to the truth's.

Law of the file: pictures are float arrays of shape `(height, width, 3)` in CIE L*a*b*; L* is in
`[0, 100]`, a* and b* in CIE units.
"""

import numpy as np

LIMIT = 150
STEP, REACH = 10, 11
_SIDE = 2 * REACH + 1


def ab_error(truth, picture):
    """Distance in ab at every pixel.

    Args:
        truth: Float array of shape `(height, width, 3)`, Lab.
        picture: Float array of the same shape.

    Returns:
        Float array of shape `(height, width)`, CIE units.
    """
    return np.hypot(truth[..., 1] - picture[..., 1], truth[..., 2] - picture[..., 2])


def closeness(error):
    """Area under the cumulative curve of ab errors, by pixel: its mean is Zhang's AuC.

    The curve says which share of pixels is at most `t` away, for `t` from 0 to `LIMIT`. A pixel
    enters it at its error, so that its share of the area, exactly and not by steps of `t`, is
    `1 - error / LIMIT`.

    Args:
        error: Float array, ab distances.

    Returns:
        Float array of the same shape, percent: 100 where there is no error.

    Source: Zhang, Isola, Efros, "Colorful Image Colorization", 2016, section 3.1.
    """
    return 100 - np.minimum(error, LIMIT) * (100 / LIMIT)


def closeness_by_color(truth, error):
    """What class-balanced AuC needs of one picture: pixels and closeness for each true color.

    Args:
        truth: Float array of shape `(height, width, 3)`, Lab.
        error: Float array of shape `(height, width)`, of `ab_error`.

    Returns:
        Float32 array of shape `(3, num_colors)`: the cells of the ab plane, squares of side
        `STEP`, that the true colors lie in; the share of pixels in each; and that share times
        their mean closeness. Every picture counts the same, whatever its size.
    """
    cells = np.clip(np.round(truth[..., 1:] * (1 / STEP)), -REACH, REACH).astype(np.int32) + REACH
    cells = (cells[..., 0] * _SIDE + cells[..., 1]).ravel()
    counts = np.bincount(cells, minlength=_SIDE**2)
    sums = np.bincount(cells, closeness(error).ravel(), minlength=_SIDE**2)
    found = np.flatnonzero(counts)
    return np.stack([found, counts[found] / error.size, sums[found] / error.size]).astype(
        np.float32
    )


def spread_colors(by_color):
    """Lays what `closeness_by_color` found of one picture out over all cells.

    Args:
        by_color: Float32 array of shape `(3, num_colors)`.

    Returns:
        Float32 array of shape `(2 * num_cells,)`: shares, then closeness.
    """
    spread = np.zeros((2, _SIDE**2), np.float32)
    spread[:, by_color[0].astype(np.int32)] = by_color[1:]
    return spread.ravel()


def balanced_auc(spread, frequencies):
    """Class-balanced AuC: every color that occurs counts the same, however rare.

    Pixels are weighted by one over the frequency of their true color. With the frequencies of the
    same photos it is the mean over the occurring cells of each one's mean closeness.

    Args:
        spread: Float array of shape `(..., 2 * num_cells)`, of `spread_colors`, averaged over
            photos.
        frequencies: Float array of shape `(2 * num_cells,)`, of the same kind: that of all photos,
            of which `spread` may hold a part.

    Returns:
        Float array of shape `(...)`, percent.

    Source: as `closeness`; there the frequencies are those of ImageNet.
    """
    shares, _ = np.split(np.asarray(frequencies, np.float64), 2)
    weights = np.divide(1, shares, out=np.zeros_like(shares), where=shares > 0)
    found, sums = np.split(np.asarray(spread, np.float64), 2, axis=-1)
    return (sums @ weights) / (found @ weights)


def lightness_drift(truth, picture):
    """How far the picture's lightness is from the photo's, which coloring should keep.

    Args:
        truth: Float array of shape `(height, width, 3)`, Lab.
        picture: Float array of the same shape.

    Returns:
        Mean absolute difference of L*.
    """
    return float(np.abs(truth[..., 0] - picture[..., 0]).mean(dtype=np.float64))
