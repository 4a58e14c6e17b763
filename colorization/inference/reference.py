"""A photo in color as a reference: where it shows what a photo shows, its colors become hints.

Both are cut into cells, and each cell is described by its lightness, its texture, its place, and
the color that the network expects there. A cell of the photo takes the mean color of the cells of
the reference that are most like it, unless they disagree, or the cell that is most like the best of
them lies elsewhere in the photo, or so it is for most cells around. What is left out, the network
colors by itself, led by the rest; a reference of which a photo shows too little tells nothing.
"""

import cv2
import numpy as np

from colorization.inference import sight
from pipelines.color import arrays

# Pixels of a side of a cell, and of the hint in its middle, at the working size.
_CELL, _HINT = 8, 4
# What counts as one step between cells: L*, that of their surroundings, the logarithms of spread
# and of slopes, ab, and a share of the sides.
_LIGHTNESS, _AROUND, _SPREAD, _SLOPE, _CHROMA, _PLACE = 12.0, 20.0, 0.5, 0.6, 10.0, 0.35
# Squared steps over which likeness falls.
_SOFTNESS = 1.0
# Cells by which the way to the reference and back may miss; ab by which what is alike may disagree;
# squared steps from which on nothing is alike.
_MISS, _DISAGREEMENT, _UNLIKE = 2.0, 10.0, 1.0
# The least share of cells that are told: of those around one, and of a whole photo.
_COMPANY, _LEAST = 0.3, 0.1


class Reference:
    """A photo in color that others take colors from. Threads may share it.

    Args:
        engine: As of `model_folder`, of a model that takes hints.
        rgb: uint8 or uint16 array of shape `(height, width, 3)`.
    """

    def __init__(self, engine, rgb):
        rgb = rgb[sight.within(sight.find_prints(rgb)[0], rgb.shape[:2])]
        lightness = sight.seen(rgb, engine.description)
        self._engine = engine
        self._cells = self._describe(lightness)
        small = cv2.resize(rgb, lightness.shape[2:0:-1], interpolation=cv2.INTER_AREA)
        ab = arrays.rgb_to_lab(small / np.float32(np.iinfo(rgb.dtype).max))[..., 1:]
        self._palette = _means(ab).reshape(-1, 2)

    def hints(self, lightness):
        """Finds what it tells of a photo, L* of shape `(1, h, w, 1)` at the working size.

        Returns float32 of shape `(1, h, w, 3)` for an engine: ab of small hints, and their mask.
        """
        own, theirs = self._describe(lightness), self._cells
        shape = own.shape[:2]
        own, theirs = (cells.reshape(-1, cells.shape[-1]) for cells in (own, theirs))
        likeness = own @ theirs.T * 2 - (own**2).sum(-1)[:, None] - (theirs**2).sum(-1)
        weights = np.exp((likeness - likeness.max(axis=1, keepdims=True)) / _SOFTNESS)
        weights /= weights.sum(axis=1, keepdims=True)
        found = weights @ self._palette
        disagreement = weights @ (self._palette**2).sum(-1) - (found**2).sum(-1)
        home = likeness.argmax(axis=0)[likeness.argmax(axis=1)]
        ways = np.subtract(np.unravel_index(home, shape), np.indices(shape).reshape(2, -1))
        is_told = (np.hypot(*ways) <= _MISS) & (disagreement <= _DISAGREEMENT**2)
        is_told &= likeness.max(axis=1) >= -_UNLIKE
        # What is alike by accident has no neighbors that are.
        is_told &= cv2.blur(np.float32(is_told.reshape(shape)), (5, 5)).ravel() >= _COMPANY
        # A few hints color all of a photo, and are too little to go by.
        is_told &= is_told.mean() >= _LEAST
        cells = np.float32(np.column_stack([found * is_told[:, None], is_told])).reshape(*shape, 3)
        size = lightness.shape[1:3]
        hints = cv2.resize(cells, size[::-1], interpolation=cv2.INTER_NEAREST)
        edge = (_CELL - _HINT) // 2
        is_inside = [(np.arange(side) % _CELL - edge) // _HINT == 0 for side in size]
        return hints[None] * np.outer(*is_inside)[..., None]

    def _describe(self, lightness):
        """What cells are compared by, in steps: `(rows, columns, 9)`."""
        slopes, intercepts = np.split(self._engine.coefficients(lightness)[0], 2, axis=-1)
        ab = slopes * lightness[0] + intercepts
        plane = lightness[0]
        mean = _means(plane)
        spread = np.sqrt(np.maximum(_means(plane**2) - mean**2, 0))
        steps = _means(np.abs(np.dstack(np.gradient(plane[..., 0]))))
        size = mean.shape[:2]
        places = (np.indices(size).transpose(1, 2, 0) + 0.5) / size
        around = cv2.blur(mean, (5, 5))
        parts = [
            mean / _LIGHTNESS,
            around / _AROUND,
            np.log1p(spread) / _SPREAD,
            np.log1p(steps) / _SLOPE,
            _means(ab) / _CHROMA,
            places / _PLACE,
        ]
        return np.float32(np.dstack(parts))


def _means(planes):
    size = [max(1, side // _CELL) for side in planes.shape[:2]]
    means = cv2.resize(planes, size[::-1], interpolation=cv2.INTER_AREA)
    return means.reshape(*size, -1)
