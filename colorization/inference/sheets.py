"""A sheet of a photo's variants, small, to choose from at a glance."""

import math

import numpy as np

from colorization import pages

# Of a picture on it, and between pictures, in pixels.
LONGER_SIDE, GAP = 320, 4
_BACKGROUND = 119


def shrink(rgb):
    """Makes a picture small enough for a sheet.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`.

    Returns:
        uint8 array with sides of at most `LONGER_SIDE`.
    """
    small = pages.fit(rgb, LONGER_SIDE, LONGER_SIDE)
    return small if small.dtype == np.uint8 else np.round(small / 257).astype(np.uint8)


def sheet(pictures):
    """Sets pictures in rows, as many in each as there are rows, or one more: 25 make five by five.

    Args:
        pictures: List of uint8 arrays of one shape, `(height, width, 3)`.

    Returns:
        uint8 array; cells behind the last picture are left empty.
    """
    columns = math.ceil(math.sqrt(len(pictures)))
    rows = math.ceil(len(pictures) / columns)
    height, width = pictures[0].shape[:2]
    shape = rows * (height + GAP) - GAP, columns * (width + GAP) - GAP, 3
    page = np.full(shape, _BACKGROUND, np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        top, left = row * (height + GAP), column * (width + GAP)
        page[top : top + height, left : left + width] = picture
    return page
