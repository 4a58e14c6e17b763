"""The colors that photos and models have, counted while an evaluation goes by.

Law of the file: a* and b* are counted in the cells of `colorization.audit.inspection`, 44 x 44
in steps of 5 from -110, at 64 x 64 pixels of each picture, evenly spread, so that all count alike.
"""

import collections
import dataclasses
import threading

import numpy as np

from colorization.audit.inspection import AB_RANGE, AB_STEP, NUM_AB
from pipelines.color.spaces import rgb_to_lab

SIDE = 64
# No system is called that.
TRUTH = ""


class Tally:
    """Counts of colors. Threads may share it.

    Attributes:
        counts: Dict of int64 arrays of shape `(44, 44)`, a* by b*, by the name of the system;
            `TRUTH` is the photos'.
    """

    def __init__(self):
        self.counts = collections.defaultdict(lambda: np.zeros((NUM_AB, NUM_AB), np.int64))
        self._lock = threading.Lock()

    def watching(self, systems):
        """Wraps systems so that what the models among them make, and the photos, is counted.

        Args:
            systems: List of `systems.System`.

        Returns:
            List of systems that make the same.
        """
        return [
            self._watch(system, is_first=index == 0) if _is_model(system) else system
            for index, system in enumerate(systems)
        ]

    def _watch(self, system, is_first):
        def color(shown, photo):
            pictures = system.color(shown, photo)
            self._count(system.name, pictures[0])
            if is_first:
                self._count(TRUTH, photo)
            return pictures

        return dataclasses.replace(system, color=color)

    def _count(self, name, rgb):
        rows, columns = ((2 * np.arange(SIDE) + 1) * side // (2 * SIDE) for side in rgb.shape[:2])
        lab = rgb_to_lab(rgb[np.ix_(rows, columns)]).numpy()
        cells = ((lab[..., 1:] + AB_RANGE) / AB_STEP).astype(np.int64).reshape(-1, 2)
        found = np.bincount(cells @ [NUM_AB, 1], minlength=NUM_AB**2).reshape(NUM_AB, NUM_AB)
        with self._lock:
            self.counts[name] += found


def _is_model(system):
    return system.description["kind"] == "model"
