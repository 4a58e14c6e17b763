"""What is measured of one picture, as generators of pairs of a figure's name and its value.

Law of the file: a picture is held against the photo whose lightness it was made from; both are
`Picture`s of one size. Values are in the units of `colorization.evaluation.metrics`.
"""

import functools
import itertools

import numpy as np

from colorization.evaluation.metrics import (
    artifacts,
    chroma_closeness,
    difference,
    levels,
    structure,
)
from pipelines.color.spaces import rgb_to_lab


class Picture:
    """A picture and what several figures need of it.

    Args:
        rgb: uint8 array of shape `(height, width, 3)`.
    """

    def __init__(self, rgb):
        self.rgb = rgb

    @functools.cached_property
    def lab(self):
        """Float32 array of the same shape, CIE Lab."""
        return rgb_to_lab(self.rgb).numpy()

    @functools.cached_property
    def colorfulness(self):
        """Signed colorfulness."""
        return levels.colorfulness(self.rgb)


def nearness(truth, picture):
    """How near the picture comes to the one truth, of the many there could be."""
    yield "psnr", levels.psnr(truth.rgb, picture.rgb)
    yield "ssim", structure.ssim(truth.rgb, picture.rgb)
    yield "ciede2000", _mean(difference.ciede2000(truth.lab, picture.lab))
    error = chroma_closeness.ab_error(truth.lab, picture.lab)
    yield "ab-error", _mean(error)
    yield "auc", _mean(chroma_closeness.closeness(error))


def vividness(truth, picture):
    """How colorful it is, by itself and beside the truth."""
    yield "colorfulness", picture.colorfulness
    yield "colorfulness-absolute", levels.colorfulness_absolute(picture.rgb)
    yield "colorfulness-gap", picture.colorfulness - truth.colorfulness


def faults(truth, picture):
    """What no photo shows."""
    yield "lightness-drift", chroma_closeness.lightness_drift(truth.lab, picture.lab)
    yield "checkerboard", artifacts.checkerboard(picture.lab)
    yield "bleeding", artifacts.bleeding(truth.lab, picture.lab)


def choice(truth, variants):
    """What several colorings of one photo offer, as a list of `Picture`s, the likeliest first."""
    errors = [_mean(chroma_closeness.ab_error(truth.lab, variant.lab)) for variant in variants]
    yield "best-of-n-ab-error", min(errors)
    yield (
        "diversity-ab",
        mean_over_pairs(
            [variant.lab for variant in variants],
            lambda *pair: _mean(chroma_closeness.ab_error(*pair)),
        ),
    )


EVALUATORS = (nearness, vividness, faults)


def closeness_by_color(truth, picture):
    """What `auc-balanced`, which is no mean over photos, needs of one."""
    return chroma_closeness.closeness_by_color(
        truth.lab, chroma_closeness.ab_error(truth.lab, picture.lab)
    )


def mean_over_pairs(things, distance):
    """Mean distance of all pairs; 0 of one thing."""
    distances = [distance(*pair) for pair in itertools.combinations(things, 2)]
    return float(np.mean(distances)) if distances else 0.0


def _mean(values):
    return float(np.mean(values, dtype=np.float64))
