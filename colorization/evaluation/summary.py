"""From what was measured of every photo to the figures of a set, with intervals."""

import dataclasses
import functools

import numpy as np

from colorization.evaluation.metrics import colors, distances

# Below this FID is mostly bias, and KID comes first.
FEW = 5000
# Below this FID has no interval.
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
    low: float | None = None
    high: float | None = None


def summarize(measured, true_vectors, networks):
    """Sums up what was measured of a system on a set.

    Args:
        measured: List of `measure.Measured`, one for each photo, at least 2, in an order that does
            not depend on them.
        true_vectors: Dict of lists of the photos' own vectors, in the same order, by the name of
            the network.
        networks: List of `features.Features`.

    Returns:
        Dict of `Value`, by the name of the figure.
    """
    names = list(measured[0].values)
    table = np.array([[one.values[name] for name in names] for one in measured])
    found = values(names, table.mean(axis=0), distances.bootstrap_interval(table))
    spread = colors.lay_out([one.cells for one in measured])
    mean = spread.mean(axis=0, dtype=np.float64)
    balanced = functools.partial(colors.balanced_auc, frequencies=mean)
    interval = distances.bootstrap_interval(spread, balanced)
    found |= values(["auc-balanced"], [balanced(mean)], interval[:, None])
    for network in networks:
        if network.extract is not None:
            vectors = np.stack([one.vectors[network.name] for one in measured])
            found |= _compare(np.stack(true_vectors[network.name]), vectors, network)
    return found


def values(names, means, interval):
    """Dict of `Value`s by name, from arrays of the figures and of both ends of their intervals."""
    rows = zip(names, means, *interval, strict=True)
    return {name: Value(*map(float, row)) for name, *row in rows}


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
    samples = distances.kernel_samples(*pair, distances.NUM_RESAMPLES, distances.SEED)
    interval = distances.percentile_interval(samples)
    kid = Value(distances.kernel_distance(*pair), *map(float, interval))
    enough = len(truth) >= MIN_FRECHET
    ends = distances.frechet_interval(truth, pictures) if enough else (None, None)
    fid = Value(distances.frechet_distance(truth, pictures), *ends)
    found = {network.figure_name("kid"): kid, network.figure_name("fid"): fid}
    return found if len(truth) < FEW else dict(reversed(found.items()))


def _even(vectors):
    """Scales vectors to a root mean square of 1; one of zeros stays as it is."""
    squares = np.square(vectors, dtype=np.float64).mean(axis=1, keepdims=True)
    return vectors / np.sqrt(np.where(squares > 0, squares, 1))
