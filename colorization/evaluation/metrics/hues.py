"""Errors by the hue of the true color: a mean over all pixels hides that reds are never red.

Law of the file: colors are those of the cells of `chroma_closeness.closeness_by_color`, and what is
known of pictures is what `chroma_closeness.spread_colors` lays out, or means of it.
"""

import numpy as np

from colorization.evaluation.metrics import chroma_closeness

# Degrees in the ab plane, each up to the next: orange is among the yellows, cyan among the greens,
# skin and pink among the reds, violet among the blues.
STARTS = {"yellow": 60, "green": 130, "blue": 215, "red": 330}
HUES = ("red", "yellow", "green", "blue", "gray")
# Colors in the cell of gray and in the eight around it are gray.
_GRAY = 1.5 * chroma_closeness.STEP


def _groups():
    """Which of `HUES` each cell is of: booleans of shape `(num_hues, num_cells)`."""
    steps = np.arange(-chroma_closeness.REACH, chroma_closeness.REACH + 1) * chroma_closeness.STEP
    a, b = (axis.ravel() for axis in np.meshgrid(steps, steps, indexing="ij"))
    degrees = np.degrees(np.arctan2(b, a)) % 360
    names = np.array(list(STARTS))[np.searchsorted(list(STARTS.values()), degrees, "right") - 1]
    names = np.where(np.hypot(a, b) < _GRAY, "gray", names)
    return np.stack([names == hue for hue in HUES])


_GROUPS = _groups()


def shares(spread):
    """How much of the truth is of each hue.

    Args:
        spread: Float array of shape `(..., 2 * num_cells)`, of `chroma_closeness.spread_colors`,
            or its mean.

    Returns:
        Float array of shape `(..., num_hues)`: shares of the pixels, in the order of `HUES`.
    """
    return np.split(np.asarray(spread, np.float64), 2, axis=-1)[0] @ _GROUPS.T


def errors(spread):
    """Mean distance in ab of the pixels whose true color is of each hue.

    Args:
        spread: As for `shares`.

    Returns:
        Float array of shape `(..., num_hues)`, CIE units, in the order of `HUES`; NaN for a hue
        that does not occur.
    """
    closeness = np.split(np.asarray(spread, np.float64), 2, axis=-1)[1] @ _GROUPS.T
    found = shares(spread)
    mean = np.divide(closeness, found, out=np.full_like(found, np.nan), where=found > 0)
    # Rounding may take a sum of shares beyond them.
    return chroma_closeness.LIMIT * np.maximum(0, 1 - mean / 100)
