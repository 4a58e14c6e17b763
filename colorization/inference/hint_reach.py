"""How far hints reach: colors of a print whose colors somebody knows in places.

Told of one place, the network moves the colors of the whole picture; told of many, it knows best
what follows from them. So what it says with hints is mixed with what it says without: with a few,
they color what they are on and what is like it nearby; the more unlike things they say, the more
they count everywhere. What a hint's place then still lacks of its color is added there and on what
is like it. A reference's hints count everywhere, and its colors are not insisted on.

All of it happens to coefficients, after the network, so that it is the same for every engine.
"""

import cv2
import numpy as np

# Pixels of a side of the cells that hints are counted by, at the working size, and the ab of one
# color within a cell; cells grow until there are no more than so many.
_CELL, _COLOR, _MOST = 8, 20.0, 256
# What counts as one step between two pixels: L*, the network's ab with hints, and a share of the
# shorter side. More that describes a place, such as texture, puts halos around things.
_LIGHTNESS, _CHROMA, _PLACE = 28.0, 24.0, 0.58
# What a place lacks is added where it differs by finer steps, which also tell two hints apart: by
# the ab that they ask, and L*.
_FINER, _ASKED = 2.0, 10.0
# So many things that hints say are few, and so many are enough for the network's own answer.
_FEW, _MANY = 1.5, 2.7
# How far hints are doubted where alike places are asked for unlike colors: the noise of one, as a
# share of the variance, where they are few and where they are many.
_DOUBTS = 0.03, 0.3


def told(hints, reference):
    """What a network is told: the colors of a reference, and over them those of hints.

    Each is what it says of a print, as an engine takes it, or None, and so is the result.
    """
    if hints is None or reference is None:
        return reference if hints is None else hints
    return np.where(hints[..., 2:] > 0, hints, reference)


def coefficients(engine, lightness, hints=None, reference=None, ask=None):
    """Colors a print, of L* of shape `(1, h, w, 1)` at the working size.

    Hints and reference are as for `told`. `ask` is a function of hints that gives coefficients,
    `(n, h, w, 4)`, the likeliest first, as does this, with hints as far as they reach; default the
    engine's for one coloring.
    """
    ask = ask or (lambda all_told: engine.coefficients(lightness, all_told))
    found = ask(told(hints, reference))
    if hints is None or not hints[..., 2].any():
        return found
    places = _Places(lightness[0], found[0], hints[0])
    change = np.zeros_like(found[0])
    if places.many < 1:
        without = engine.coefficients(lightness, reference)[0]
        change = (1 - places.shares()) * (without - found[0])
    change[..., 2:] += places.missing(found[0] + change)
    return found + change


class _Places:
    """Hinted places of a print, and how like them its pixels are.

    Args:
        lightness: Float array of shape `(h, w, 1)`.
        answer: Coefficients of the network's answer to the hints, `(h, w, 4)`.
        hints: Float array of shape `(h, w, 3)`.
    """

    def __init__(self, lightness, answer, hints):
        self._lightness = lightness
        self._pixels = np.nonzero(hints[..., 2])
        self._groups = _groups(*self._pixels, hints[self._pixels][:, :2])
        self._asked = self._means(hints)[:, :2]
        look = _look(lightness)
        looks = self._means(look)
        says = np.column_stack([looks * _FINER, self._asked / _ASKED])
        number = (1 / np.exp(-_squares(says, says)).sum(axis=1)).sum()
        share = np.clip((number - _FEW) / (_MANY - _FEW), 0, 1)
        self.many = share**2 * (3 - 2 * share)
        where = np.indices(look.shape[:2]).transpose(1, 2, 0) / (min(look.shape[:2]) * _PLACE)
        color = _ab(answer, lightness) / _CHROMA
        unlike, far, other = _squares(look, looks), self._squares(where), self._squares(color)
        self._share = np.exp(-(unlike + far + other).min(axis=-1, keepdims=True))
        self._near = np.exp(-(_FINER**2) * (unlike + far))

    def shares(self):
        """How much the answer with hints counts at each pixel: `(h, w, 1)`."""
        return 1 - (1 - self._share) * (1 - self.many)

    def missing(self, coefficients):
        """Ab that pixels lack of what hints ask: `(h, w, 2)`."""
        lacking = self._asked - self._means(_ab(coefficients, self._lightness))
        # Interpolation by a Gaussian process of these likenesses: exact but for what is doubted.
        doubt = np.float32(np.interp(self.many, (0, 1), _DOUBTS))
        likeness = self._means(self._near) + doubt * np.eye(len(lacking), dtype=np.float32)
        return self._near @ np.linalg.solve(likeness, lacking)

    def _squares(self, planes):
        planes = np.float32(planes)
        return _squares(planes, self._means(planes))

    def _means(self, planes):
        """Means of planes over each place: `(num_places, channels)`."""
        values = planes[self._pixels]
        sums = np.transpose([np.bincount(self._groups, weights) for weights in values.T])
        return np.float32(sums / np.bincount(self._groups)[:, None])


def _groups(rows, columns, asked):
    """The number of the place that each hinted pixel belongs to: a cell, and a color in it."""
    colors, cell = np.round(asked / _COLOR), _CELL
    while True:
        cells = np.column_stack([rows // cell, columns // cell, colors])
        found, groups = np.unique(cells, axis=0, return_inverse=True)
        if len(found) <= _MOST:
            return groups.ravel()
        cell *= 2


def _look(lightness):
    """The lightness that pixels are compared by, in steps, without what is fine: `(h, w, 1)`."""
    return cv2.blur(lightness, (3, 3))[..., None] / np.float32(_LIGHTNESS)


def _ab(coefficients, lightness):
    return coefficients[..., :2] * lightness + coefficients[..., 2:]


def _squares(one, other):
    """Squared distances of points, `(..., n)`, from a list of others."""
    return np.maximum((one**2).sum(-1, keepdims=True) - 2 * one @ other.T + (other**2).sum(-1), 0)
