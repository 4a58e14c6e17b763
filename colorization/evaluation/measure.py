"""From one photo and what a system made of it to numbers."""

import dataclasses

import numpy as np

from colorization.evaluation import evaluators


@dataclasses.dataclass(frozen=True)
class Measured:
    """What is kept of one picture: some numbers and vectors, no pixels.

    Args:
        values: Dict of floats, by the name of the figure.
        by_color: Float32 array of `chroma_closeness.closeness_by_color`.
        vectors: Dict of float32 vectors, by the name of the network.
    """

    values: dict
    by_color: np.ndarray
    vectors: dict


def measure(truth, variants, networks, num_variants=1):
    """Measures what a system made of one photo.

    Args:
        truth: `evaluators.Picture` of the photo.
        variants: List of `evaluators.Picture`, the likeliest first: that one is held against the
            truth.
        networks: List of `features.Features`.
        num_variants: How many were asked for; of more than one it is told what choice they give.

    Returns:
        `Measured`.
    """
    picture = variants[0]
    values = {
        name: value
        for evaluator in evaluators.EVALUATORS
        for name, value in evaluator(truth, picture)
    }
    if num_variants > 1:
        values |= evaluators.choice(truth, variants)
    vectors = {}
    for network in networks:
        if network.extract is None:
            values[network.name] = network.distance(truth.rgb, picture.rgb)
        else:
            vectors[network.name] = network.extract(picture.rgb)
        if num_variants > 1:
            values[network.figure_name("diversity")] = evaluators.mean_over_pairs(
                [variant.rgb for variant in variants], network.distance
            )
    return Measured(values, evaluators.closeness_by_color(truth, picture), vectors)
