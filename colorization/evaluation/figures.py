"""The table of figures: how each is measured, summed up over a set, and printed.

A figure of a set is the mean over its photos, except for those "of set", which are computed from
all photos at once. Figures of networks (`colorization.evaluation.features`) have the network's name
before the one here, as `squeezenet-kid` does.
"""

import dataclasses
import functools
import itertools
from collections.abc import Callable

import numpy as np

from colorization import pages
from colorization.evaluation import EvaluationError
from colorization.evaluation.metrics import artifacts, colors, distances, fidelity

# Below this FID is mostly bias, and KID comes first.
FEW = 5000
# Below this FID has no interval.
MIN_FRECHET = 2 * distances.NUM_GROUPS


@dataclasses.dataclass(frozen=True)
class Figure:
    """A row of the table.

    Args:
        unit: Of the value as it is printed; empty for none.
        better: `higher`, `lower`, or `truth`: the nearer to the truth's, the better.
        digits: Printed after the point.
        measure: Function of a `measure.Comparison`, or of a list for "variants"; None for others.
        of: `photo`, `variants`, `set`, `network` or `film`.
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
    "colorfulness-absolute": Figure(
        "", "truth", 2, lambda x: colors.colorfulness(x.picture.rgb, absolute=True)
    ),
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
    # How steady the colors of a film are.
    "flicker": Figure("CIE units", "lower", 3, of="film"),
    "cdc": Figure("nats", "lower", 2, of="film", scale=1000),
    # Errors by hue, which `compare` shows for runs.
    **dict.fromkeys(HUE_FIGURES, Figure("CIE units", "lower", 2, of="set")),
}


def find(name):
    """Finds a `Figure` by its name, that of a network before it or not; else `EvaluationError`."""
    if name in FIGURES:
        return FIGURES[name]
    network, _, kind = name.rpartition("-")
    if network and kind in FIGURES and FIGURES[kind].of == "network":
        return FIGURES[kind]
    raise EvaluationError(
        f"Figures are {', '.join(FIGURES)}, some with a network's name before them. Received: "
        f"{name}, which this version doesn't know."
    )


def section(records, names):
    """The figures of a set as Markdown, from its records and the names of the columns."""
    data = records[0]["data"]
    columns = {name: one["figures"] for name, one in zip(names, records, strict=True)}
    lines = dict.fromkeys(line for one in records for line in one["warnings"])
    notes = "".join(f"\n{line}\n" for line in lines)
    heading = f"### {data['label']}: {data['photos']:,} {data.get('unit', 'photos')}"
    return f"{heading}\n\n{pages.markdown(rows(columns))}\n{notes}"


def rows(columns):
    """The cells of a table of figures: rows of text, the header first.

    `columns` are dicts of figures, each a dict of `value`, `low` and `high`, by name.
    """
    names = dict.fromkeys(name for column in columns.values() for name in column)
    # Distances of sets come first, in their own order, and those of single networks last.
    order = [name for name in names if name.endswith(("kid", "fid"))]
    order += [name for name, figure in FIGURES.items() if name in names and figure.of != "network"]
    order += [name for name in names if name not in order]
    return [["figure", "better", *columns]] + [
        [*heading(name), *(cell(name, column.get(name)) for column in columns.values())]
        for name in order
    ]


def heading(name):
    """What tables call a figure, and what is better of it."""
    figure = find(name)
    label = name if figure.scale == 1 else f"{name} x{figure.scale}"
    return label, "as truth" if figure.better == "truth" else figure.better


def cell(name, value):
    """Writes a figure, a dict of `value`, `low` and `high`, as text; a dash for None."""
    if value is None:
        return "-"
    figure = find(name)
    value, low, high = (
        # The z leaves out the sign of what rounds to zero.
        None if x is None else f"{x * figure.scale:z.{figure.digits}f}"
        for x in (value["value"], value["low"], value["high"])
    )
    return value if low is None or low == high == value else f"{value} [{low}, {high}]"


@dataclasses.dataclass(frozen=True)
class Value:
    """A figure of a set, and its 95 % interval unless there are too few photos."""

    value: float
    low: float | None = None
    high: float | None = None


def summarize(measured, true_vectors, networks):
    """Sums up the `measure.Measured` of at least 2 photos: a dict of `Value`s by name.

    `true_vectors` are the photos' own vectors, in the same order, by the name of the network.
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
        if network.extract:
            vectors = np.stack([one.vectors[network.name] for one in measured])
            found |= _compare(np.stack(true_vectors[network.name]), vectors, network)
    return found


def values(names, means, interval):
    """Dict of `Value`s by name, from arrays of the figures and of both ends of their intervals."""
    rows = zip(names, means, *interval, strict=True)
    return {name: Value(*map(float, row)) for name, *row in rows}


def warnings(networks, number):
    """Lines that must stand beside the figures of a set of so many photos."""
    return [
        f"{network.figure_name('fid')} over {number:,} photos is mostly bias: compare it only with "
        f"figures over the same photos, and prefer {network.figure_name('kid')}."
        for network in networks
        if network.extract and number < FEW
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
