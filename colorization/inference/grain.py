"""Grain of film and noise of scanners, which cost colors: the network is shown less of them.

It learned from photos without, and takes what is covered by grain for things of no color. The photo
itself keeps its grain.
"""

import cv2
import numpy as np

# Deviations of L*: what photos without grain have in their plainest parts, and beyond what it is
# no grain but a pattern.
_LEAST, _MOST = 0.7, 12.0
# Blocks are plain if few others vary less.
_BLOCK, _PLAIN = 8, 20
# Blocks that are nearly black or white hold no grain, as scanners clip it.
_DARKEST, _LIGHTEST, _FEWEST = 5, 95, 16
# The filter: pixels across, the deviation of its weights in pixels, and over lightness in
# deviations of the grain.
_ACROSS, _REACH, _STRENGTH = 7, 2.0, 3.0
# Takes away planes and slopes (Immerkaer, "Fast Noise Variance Estimation", 1996).
_CURVATURE = np.float32([[1, -2, 1], [-2, 4, -2], [1, -2, 1]]) / 6


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
    rows, columns = (side // _BLOCK for side in plane.shape)

    def blocks(values):
        values = values[: rows * _BLOCK, : columns * _BLOCK]
        return values.reshape(rows, _BLOCK, columns, _BLOCK)

    means = blocks(plane).mean(axis=(1, 3))
    deviations = np.sqrt((blocks(cv2.filter2D(plane, -1, _CURVATURE)) ** 2).mean(axis=(1, 3)))
    is_gray = (means > _DARKEST) & (means < _LIGHTEST)
    if is_gray.sum() < _FEWEST:
        return 0.0
    return float(np.percentile(deviations[is_gray], _PLAIN))
