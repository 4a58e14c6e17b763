"""The table of figures: what a reader must know of each, and how it is measured.

A figure of a set is the mean over its photos, except for those "of set", which are computed from
all photos at once. Figures of networks (`colorization.evaluation.features`) bear the network's name
before the one here, as `squeezenet-kid` does.
"""

import dataclasses
import itertools
from collections.abc import Callable

import numpy as np

from colorization.evaluation import EvaluationError
from colorization.evaluation.metrics import artifacts, colors, fidelity


@dataclasses.dataclass(frozen=True)
class Figure:
    """What a reader must know of a figure.

    Args:
        unit: Of the value as it is printed; empty for none.
        better: `higher`, `lower`, or `truth`: the nearer to the truth's, the better.
        digits: Printed after the point.
        measure: Function from a `measure.Comparison` to the value; of a figure "of variants", from
            a list of them, one for each coloring, the likeliest first; None for others.
        of: `photo`, `variants`, `set` or `network`.
        scale: What it is multiplied by where it is printed.
        version: Raised when its definition changes; part of the protocol.
    """

    unit: str
    better: str
    digits: int
    measure: Callable | None = None
    of: str = "photo"
    scale: int = 1
    version: int = 1


def mean(values):
    """Mean in 64 bits, as a float."""
    return float(np.mean(values, dtype=np.float64))


def mean_over_pairs(things, distance):
    """Mean distance of all pairs; 0 for one thing."""
    distances = [distance(*pair) for pair in itertools.combinations(things, 2)]
    return float(np.mean(distances)) if distances else 0.0


def _ab_diversity(variants):
    labs = [one.picture.lab for one in variants]
    return mean_over_pairs(labs, lambda *pair: mean(fidelity.ab_error(*pair)))


# Gray is a matter of chance among the few pixels of a run's pictures.
HUE_FIGURES = tuple(f"{hue}-error" for hue in colors.HUES[:4])
FIGURES = {
    "kid": Figure("", "lower", 1, of="network", scale=1000),
    "fid": Figure("", "lower", 1, of="network"),
    # How near a picture comes to the one truth, of the many there could be.
    "psnr": Figure("dB", "higher", 2, lambda x: fidelity.psnr(x.truth.rgb, x.picture.rgb)),
    "ssim": Figure("", "higher", 4, lambda x: fidelity.ssim(x.truth.rgb, x.picture.rgb)),
    "ciede2000": Figure(
        "units", "lower", 2, lambda x: mean(fidelity.ciede2000(x.truth.lab, x.picture.lab))
    ),
    "ab-error": Figure("CIE units", "lower", 2, lambda x: mean(x.ab_error)),
    "auc": Figure("percent", "higher", 2, lambda x: mean(fidelity.auc(x.ab_error))),
    "auc-balanced": Figure("percent", "higher", 2, of="set"),
    # How colorful it is.
    "colorfulness": Figure("", "truth", 2, lambda x: x.picture.colorfulness),
    "colorfulness-absolute": Figure("", "truth", 2, lambda x: x.picture.colorfulness_absolute),
    "colorfulness-gap": Figure(
        "", "truth", 2, lambda x: x.picture.colorfulness - x.truth.colorfulness
    ),
    # What no photo shows.
    "lightness-drift": Figure(
        "L*", "lower", 3, lambda x: fidelity.lightness_drift(x.truth.lab, x.picture.lab)
    ),
    "checkerboard": Figure("percent", "truth", 2, lambda x: artifacts.checkerboard(x.picture.lab)),
    "bleeding": Figure(
        "ab per pixel", "lower", 3, lambda x: artifacts.bleeding(x.truth.lab, x.picture.lab)
    ),
    "blotches": Figure(
        "CIE units", "truth", 2, lambda x: artifacts.blotches(x.truth.lab, x.picture.lab)
    ),
    # What several colorings of one photo offer.
    "best-of-n-ab-error": Figure(
        "CIE units", "lower", 2, lambda xs: min(mean(x.ab_error) for x in xs), "variants"
    ),
    "diversity-ab": Figure("CIE units", "higher", 2, _ab_diversity, "variants"),
    "diversity": Figure("", "higher", 3, of="network"),
    "lpips-alex": Figure("", "lower", 4, of="network"),
    # Errors by hue, which `compare` shows for runs.
    **dict.fromkeys(HUE_FIGURES, Figure("CIE units", "lower", 2, of="set")),
}


def find(name):
    """Finds a `Figure` by its name, that of a network before it or not.

    Raises:
        EvaluationError: If there is none.
    """
    if name in FIGURES:
        return FIGURES[name]
    network, _, kind = name.rpartition("-")
    if network and kind in FIGURES and FIGURES[kind].of == "network":
        return FIGURES[kind]
    raise EvaluationError(
        f"Figures are {', '.join(FIGURES)}, some with a network's name before them. Received: "
        f"{name}, which this version doesn't know."
    )
