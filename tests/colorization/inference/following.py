"""An engine that believes what it is told, so that tests of hints need no network; and a scene."""

import cv2
import numpy as np

from colorization.inference import full_size

# What it believes in where nobody told it, and for how far around a hint it is told.
BELIEFS = np.array([[18, 18], [-25, 20], [0, -30]], np.float32)
SHARES = np.array([0.5, 0.3, 0.1], np.float32)
REACH = 41


def scene(shift=0, size=128):
    """A striped red disc on plain green, in color and in gray; and where the disc is."""
    rows, columns = np.mgrid[:size, :size]
    is_disc = np.hypot(rows - 64, columns - 50 - shift) < 28
    levels = np.where(is_disc, 120 + 12 * np.sin(rows * 1.5), 70 + rows / 2)
    tints = np.where(is_disc[..., None], [1.0, 0.5, 0.45], [0.5, 1.0, 0.55])
    rgb = np.uint8(tints * levels[..., None])
    return rgb, cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), is_disc


class FollowingEngine:
    """See `colorization.inference.model_folder`."""

    gives_variants = gives_suggestions = True

    def __init__(self):
        self.description = {
            "name": "follower",
            "version": 1,
            "gives_variants": True,
            "takes_hints": True,
            "gives_suggestions": True,
            "working_size": 64,
            "size_multiple": 16,
        }

    def coefficients(self, lightness, hints=None):
        return self.variants(lightness, 0, 1, hints)

    def variants(self, lightness, seed, count, hints=None):
        colorings = [self._ab(lightness, hints, belief) for belief in BELIEFS[:count]]
        return full_size.fit(lightness, np.stack(colorings))

    def suggest(self, lightness, place, hints=None):
        rows, columns = lightness.shape[1:3]
        ab = self._ab(lightness, hints, BELIEFS[0])
        told = ab[int(place[0] * rows), int(place[1] * columns)]
        if np.array_equal(told, BELIEFS[0]):
            return BELIEFS, SHARES
        return told[None], np.ones(1, np.float32)

    def _ab(self, lightness, hints, belief):
        if hints is None:
            hints = np.zeros((*lightness.shape[:3], 3), np.float32)
        told, mask = hints[0, ..., :2], hints[0, ..., 2:]
        near = cv2.boxFilter(hints[0], -1, (REACH, REACH), normalize=False)
        is_told = near[..., 2:] > 0.5
        assert not told[mask[..., 0] == 0].any()
        return np.where(is_told, near[..., :2] / np.maximum(near[..., 2:], 1), belief)
