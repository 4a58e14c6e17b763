"""What networks do to chroma that no photo does.

Pictures are float arrays of shape `(height, width, 3)` in CIE L*a*b*. The figures are this
project's own.
"""

import cv2
import numpy as np

PERIOD, BLOCK = 4, 32
# Pixels on a side that `checkerboard` needs.
MIN_SIZE = BLOCK + PERIOD - 1
# Rounding to 8 bits alone leaves about this much energy in ab, in CIE units squared.
_QUIET = 0.1
# L* or ab units from one pixel to the next but one.
_EDGE, _FLAT, _NEAR = 10.0, 3.0, 4
# Of `blotches`: blocks of the short side, of a window and of a region; units of L*.
SHORT_SIDE, WINDOW, MIN_REGION, MOST_SPREAD = 128, 5, 64, 1.5


def checkerboard(picture):
    """Share of fine chroma that repeats every `PERIOD` pixels, in percent of its energy.

    The mean over `PERIOD` x `PERIOD` pixels is subtracted. In each block of `BLOCK` x `BLOCK`
    pixels the rest is averaged over its repetitions. Noise keeps 1.6 percent, a checkerboard all of
    it; chroma without detail beyond the rounding of 8 bits gives 0. Raises `ValueError` if a side
    is under `MIN_SIZE` pixels.

    Source: the artifact is that of Odena et al., "Deconvolution and checkerboard artifacts", 2016.
    """
    if min(picture.shape[:2]) < MIN_SIZE:
        raise ValueError(
            f"`checkerboard` needs {MIN_SIZE} pixels on a side. Received: shape={picture.shape}."
        )
    rows, columns = ((side - PERIOD + 1) // BLOCK for side in picture.shape[:2])
    ab = np.asarray(picture[: rows * BLOCK + PERIOD - 1, : columns * BLOCK + PERIOD - 1, 1:])
    start = (PERIOD - 1) // 2
    inner = np.s_[start : start + rows * BLOCK, start : start + columns * BLOCK]
    fine = (ab - cv2.blur(ab, (PERIOD, PERIOD), anchor=(start, start)))[inner]
    energy = np.mean(np.square(fine), dtype=np.float64)
    repeats = BLOCK // PERIOD
    blocks = fine.reshape(rows, repeats, PERIOD, columns, repeats, PERIOD, 2)
    pattern = blocks.mean(axis=(1, 4))
    return float(100 * np.mean(np.square(pattern), dtype=np.float64) / max(energy, _QUIET))


def bleeding(truth, picture):
    """Chroma that fades beside an edge, where neither the photo's lightness nor its chroma changes.

    Taken are the pixels within 4 of an edge in the true lightness where both lightness and true
    chroma are flat. Returns the mean change of chroma there in excess of the truth's, in ab units
    per pixel; 0 for the truth, for gray, and where there is no edge.
    """
    light, true_change, change = (
        _change(truth[..., :1]),
        _change(truth[..., 1:]),
        _change(picture[..., 1:]),
    )
    near = cv2.dilate((light > _EDGE).astype(np.uint8), np.ones((2 * _NEAR + 1,) * 2)) > 0
    beside = near & (light < _FLAT) & (true_change < _FLAT)
    if not beside.any():
        return 0.0
    excess = np.maximum(change[beside] - true_change[beside], 0)
    return float(excess.mean(dtype=np.float64) / 2)


def blotches(truth, picture):
    """Spread of chroma where lightness is flat: what a wall or a sky painted in patches shows.

    Both pictures are averaged over square blocks, so that the short side is about `SHORT_SIDE`. A
    block is flat if the standard deviation of the true L* in the `WINDOW` x `WINDOW` blocks around
    it is below `MOST_SPREAD`. Flat blocks that touch by a side make a region; regions of fewer than
    `MIN_REGION` blocks are dropped. Returns the root mean square distance of a region's ab from its
    mean, in CIE units, averaged over the regions by their area; 0 without regions. Photos have some
    too.
    """
    lightness, ab = truth[..., 0], picture[..., 1:]
    factor = max(1, round(min(lightness.shape) / SHORT_SIDE))
    rows, columns = (side // factor for side in lightness.shape)
    lightness, ab = (
        cv2.resize(
            x[: rows * factor, : columns * factor], (columns, rows), interpolation=cv2.INTER_AREA
        )
        for x in (lightness, ab)
    )
    # Around a middle level, since the variance is a difference of squares in 32 bits.
    light = np.asarray(lightness, np.float32) - 50
    mean, squares = (cv2.blur(x, (WINDOW, WINDOW)) for x in (light, light * light))
    flat = (squares - mean * mean < MOST_SPREAD**2).astype(np.uint8)
    _, regions = cv2.connectedComponents(flat, connectivity=4)
    areas = np.bincount(regions.ravel())
    areas[0] = 0
    areas[areas < MIN_REGION] = 0
    if not areas.any():
        return 0.0
    moments = np.zeros((2, len(areas)))
    for channel in np.moveaxis(np.asarray(ab, np.float64), -1, 0):
        sums = np.bincount(regions.ravel(), channel.ravel())
        moments += [sums**2, np.bincount(regions.ravel(), channel.ravel() ** 2)]
    sizes = np.maximum(areas, 1)
    spread = np.sqrt(np.maximum(0, moments[1] / sizes - moments[0] / sizes**2))
    return float(np.average(spread, weights=areas))


def _change(channels):
    """Length of the central differences, over two pixels, at the inner pixels."""
    down = channels[2:, 1:-1] - channels[:-2, 1:-1]
    across = channels[1:-1, 2:] - channels[1:-1, :-2]
    return np.sqrt(np.square(down).sum(axis=-1) + np.square(across).sum(axis=-1))
