"""From what was measured of every photo to the figures of a set, with intervals."""

import dataclasses
import functools

import numpy as np

from colorization.evaluation.metrics import chroma_closeness, distances, intervals

SEED = 0
# Below this FID is mostly bias, and KID is told first.
FEW = 5000
# Below this no interval of FID can be had.
MIN_FRECHET = 2 * distances.NUM_GROUPS


@dataclasses.dataclass(frozen=True)
class Value:
    """A figure of a set.

    Args:
        value: The figure.
        low: Lower end of its 95 % interval; None if there are too few photos.
        high: Upper end.
    """

    value: float
    low: float | None
    high: float | None


def summarize(measured, true_vectors, networks):
    """Sums up what was measured of a system on a set.

    Args:
        measured: List of `Measured`, one for each photo, at least 2, in an order that says nothing
            about them.
        true_vectors: Dict of lists of the photos' own vectors, in the same order, by the name of
            the network.
        networks: List of `features.Features`.

    Returns:
        Dict of `Value`, by the name of the figure, in the order in which they are told.
    """
    names = list(measured[0].values)
    table = np.array([[one.values[name] for name in names] for one in measured])
    found = dict(
        zip(names, _values(table.mean(axis=0), intervals.bootstrap_interval(table)), strict=True)
    )
    spread = np.stack([chroma_closeness.spread_colors(one.by_color) for one in measured])
    mean = spread.mean(axis=0, dtype=np.float64)
    balanced = functools.partial(chroma_closeness.balanced_auc, frequencies=mean)
    interval = intervals.bootstrap_interval(spread, balanced, SEED)
    found["auc-balanced"] = Value(float(balanced(mean)), *map(float, interval))
    for network in networks:
        if network.extract is not None:
            vectors = np.stack([one.vectors[network.name] for one in measured])
            found |= _compare(np.stack(true_vectors[network.name]), vectors, network)
    return found


def warnings(networks, number):
    """Lines that must stand beside the figures of a set of so many photos."""
    if number >= FEW:
        return []
    return [
        f"{network.figure_name('fid')} over {number:,} photos is mostly bias: compare it only with "
        f"figures over the same photos, and go by {network.figure_name('kid')}."
        for network in networks
        if network.extract is not None
    ]


def _compare(truth, pictures, network):
    pair = [_even(x) for x in (truth, pictures)] if network.has_even_kernel else (truth, pictures)
    samples = distances.kernel_samples(*pair, intervals.NUM_RESAMPLES, SEED)
    interval = intervals.percentile_interval(samples)
    kid = Value(distances.kernel_distance(*pair), *map(float, interval))
    enough = len(truth) >= MIN_FRECHET
    ends = distances.frechet_interval(truth, pictures) if enough else (None, None)
    fid = Value(distances.frechet_distance(truth, pictures), *ends)
    found = {network.figure_name("kid"): kid, network.figure_name("fid"): fid}
    return found if len(truth) < FEW else dict(reversed(found.items()))


def _values(means, interval):
    return [Value(*map(float, ends)) for ends in zip(means, *interval, strict=True)]


def _even(vectors):
    """Brings vectors to a root mean square of 1; one of zeros stays as it is."""
    squares = np.square(vectors, dtype=np.float64).mean(axis=1, keepdims=True)
    return vectors / np.sqrt(np.where(squares > 0, squares, 1))
