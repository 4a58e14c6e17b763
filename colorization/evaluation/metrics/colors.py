"""Colorfulness, and how near colors come by what the true color is.

Pictures are arrays of shape `(height, width, 3)`. A mean over all pixels hides that reds are never
red. So the pixels of each photo are counted in cells of the ab plane, squares of side `STEP`, by
their true color: `count_cells` keeps what occurs in one photo, and `lay_out` makes equally long
vectors of that, which can be averaged over photos.
"""

import numpy as np

from colorization.evaluation.metrics.fidelity import AUC_LIMIT, auc

STEP, REACH = 10, 11
_SIDE = 2 * REACH + 1
# Degrees in the ab plane, each up to the next: orange is among the yellows, cyan among the greens,
# skin and pink among the reds, violet among the blues.
_STARTS = {"yellow": 60, "green": 130, "blue": 215, "red": 330}
HUES = ("red", "yellow", "green", "blue", "gray")


def colorfulness(picture, absolute=False):
    """How colorful people would call a picture: 0 gray, 15 slightly, 33 moderately, 59 highly.

    Takes levels in `[0, 255]`. The opponent channels are signed, as in the source; with `absolute`
    they are not, as in much published code, which is another figure.

    Source: Hasler and Suesstrunk, "Measuring colourfulness in natural images", 2003.
    """
    red, green, blue = np.moveaxis(np.asarray(picture, np.float64), -1, 0)
    opponents = np.stack([red - green, (red + green) / 2 - blue]).reshape(2, -1)
    opponents = np.abs(opponents) if absolute else opponents
    spread = np.hypot(*opponents.std(axis=1))
    return float(spread + 0.3 * np.hypot(*opponents.mean(axis=1)))


def count_cells(truth, error):
    """Counts the pixels of one picture by true color, from its Lab and `fidelity.ab_error`.

    Returns float32 of shape `(3, num_colors)`: the cells that the true colors lie in, the share of
    the pixels in each, and that share times their mean AuC.
    """
    cells = np.clip(np.round(truth[..., 1:] * (1 / STEP)), -REACH, REACH).astype(np.int32) + REACH
    cells = (cells[..., 0] * _SIDE + cells[..., 1]).ravel()
    counts = np.bincount(cells, minlength=_SIDE**2)
    sums = np.bincount(cells, auc(error).ravel(), minlength=_SIDE**2)
    found = np.flatnonzero(counts)
    return np.stack([found, counts[found] / error.size, sums[found] / error.size]).astype(
        np.float32
    )


def lay_out(counted):
    """Lays results of `count_cells` out over all cells: float32 `(num_photos, 2 * num_cells)`."""
    spread = np.zeros((len(counted), 2, _SIDE**2), np.float32)
    for row, one in zip(spread, counted, strict=True):
        row[:, one[0].astype(np.int32)] = one[1:]
    return spread.reshape(len(counted), -1)


def balanced_auc(spread, frequencies):
    """Class-balanced AuC: every color that occurs counts the same, however rare.

    Pixels are weighted by one over the frequency of their true color. `spread` is `lay_out`'s,
    averaged over some photos, `(..., 2 * num_cells)`, `frequencies` the same of all photos,
    `(2 * num_cells,)`. Returns percent, of shape `(...)`.

    Source: as `fidelity.auc`; there the frequencies are those of ImageNet.
    """
    shares, _ = np.split(np.asarray(frequencies, np.float64), 2)
    weights = np.divide(1, shares, out=np.zeros_like(shares), where=shares > 0)
    found, sums = np.split(np.asarray(spread, np.float64), 2, axis=-1)
    return (sums @ weights) / (found @ weights)


def hue_shares(spread):
    """Shares of the pixels that are of each of `HUES`, `(..., num_hues)`, from a `lay_out`."""
    return np.split(np.asarray(spread, np.float64), 2, axis=-1)[0] @ _GROUPS.T


def hue_errors(spread):
    """Mean distance in ab of the pixels of each of `HUES`, `(..., num_hues)`; NaN for none."""
    closeness = np.split(np.asarray(spread, np.float64), 2, axis=-1)[1] @ _GROUPS.T
    found = hue_shares(spread)
    mean = np.divide(closeness, found, out=np.full_like(found, np.nan), where=found > 0)
    # Rounding may take a sum of shares beyond them.
    return AUC_LIMIT * np.maximum(0, 1 - mean / 100)


def _groups():
    """Which of `HUES` each cell belongs to: booleans of shape `(num_hues, num_cells)`."""
    steps = np.arange(-REACH, REACH + 1) * STEP
    a, b = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    degrees = np.degrees(np.arctan2(b, a)) % 360
    starts = list(_STARTS.values())
    names = np.array(list(_STARTS))[np.searchsorted(starts, degrees, "right") - 1]
    # The cell of gray and the eight around it.
    names = np.where(np.hypot(a, b) < 1.5 * STEP, "gray", names)
    return np.stack([names == hue for hue in HUES])


_GROUPS = _groups()
