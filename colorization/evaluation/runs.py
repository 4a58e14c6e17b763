"""Runs side by side: what each run's network makes of its validation pictures, in figures.

Law of the file: figures of a run are means over its pictures; differences of two runs are taken
picture by picture, so that what is hard for both parts neither, and their intervals are by drawing
the pictures anew. Runs that differ in nothing but their seed may be averaged first. What another
seed would have changed the intervals do not tell.
"""

import dataclasses

import numpy as np

from colorization.evaluation import EvaluationError, evaluators, measure, outputs, summary
from colorization.evaluation.metrics import chroma_closeness, hues, intervals
from colorization.models import noise

# Of the noise of variants.
SEED = 0
HUES = ("red", "yellow", "green", "blue")
# Small enough for a page.
_NUM_SHOWN, _NUM_SHOWN_VARIANTS = 12, 4


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Args:
        pictures: Digest of the pictures that it was measured on.
        measured: List of `measure.Measured`, one for each.
        figures: Dict of `summary.Value`s.
        sheet: uint8 picture: in gray, as colored, and as they are, in rows.
    """

    pictures: str
    measured: list
    figures: dict
    sheet: np.ndarray


def measure_run(network, codec, pictures, digest, networks, num_variants):
    """Measures what a network makes of pictures.

    Args:
        network: Generator.
        codec: Its codec.
        pictures: As of `outputs`, at least 2.
        digest: Of the pictures.
        networks: List of `features.Features`.
        num_variants: Colorings of each picture, if the network takes noise.

    Returns:
        `Outcome`.
    """
    size = noise.noise_size(network)
    # The first is the plain coloring, by no noise.
    draws = [None]
    if size:
        random = np.random.default_rng(SEED)
        shape = num_variants - 1, len(pictures), size
        draws += list(random.standard_normal(shape, np.float32))
    colored = [outputs.color(network, codec, pictures, one) for one in draws]
    truths = [evaluators.Picture(rgb) for rgb in pictures[..., :3]]
    measured = [
        measure.measure(truth, list(map(evaluators.Picture, variants)), networks, len(colored))
        for truth, variants in zip(truths, zip(*colored, strict=True), strict=True)
    ]
    vectors = {n.name: [n.extract(truth.rgb) for truth in truths] for n in networks if n.extract}
    found = summary.summarize(measured, vectors, networks)
    spread = _spread(measured)
    ends = intervals.bootstrap_interval(spread, _hue_errors)
    for hue, value, low, high in zip(HUES, _hue_errors(spread.mean(axis=0)), *ends, strict=True):
        found[f"{hue}-error"] = summary.Value(float(value), float(low), float(high))
    shown = np.linspace(0, len(pictures) - 1, min(_NUM_SHOWN, len(pictures))).round().astype(int)
    rows = [one[shown] for one in colored[: 1 + _NUM_SHOWN_VARIANTS]]
    return Outcome(digest, measured, found, outputs.sheet(pictures[shown], *rows))


def difference(first, second):
    """How much more of each figure the second has than the first.

    Args:
        first: List of `Outcome`s, of runs that differ in their seed alone.
        second: Likewise, measured on the same pictures.

    Returns:
        Dict of `summary.Value`s, by the name of the figure: those that both have and that are means
        over pictures, and errors by hue.

    Raises:
        EvaluationError: If the pictures differ.
    """
    if len({one.pictures for one in (*first, *second)}) > 1:
        raise EvaluationError(
            "--compare takes runs of the same --val_data, --image_size and --white_background. "
            "Received: runs that were measured on different pictures."
        )
    names = [name for name in first[0].measured[0].values if name in second[0].measured[0].values]
    table = _values(second, names) - _values(first, names)
    ends = intervals.bootstrap_interval(table)
    found = zip(names, table.mean(axis=0), *ends, strict=True)
    spreads = [np.mean([_spread(one.measured) for one in side], axis=0) for side in (first, second)]

    def more(spread):
        one, other = np.split(spread, 2, axis=-1)
        return _hue_errors(other) - _hue_errors(one)

    both = np.concatenate(spreads, axis=1)
    ends = intervals.bootstrap_interval(both, more)
    by_hue = zip([f"{hue}-error" for hue in HUES], more(both.mean(axis=0)), *ends, strict=True)
    return {name: summary.Value(*map(float, value)) for name, *value in (*found, *by_hue)}


def _values(outcomes, names):
    rows = [[[one.values[name] for name in names] for one in x.measured] for x in outcomes]
    return np.mean(rows, axis=0)


def _spread(measured):
    return np.stack([chroma_closeness.spread_colors(one.by_color) for one in measured])


def _hue_errors(spread):
    return hues.errors(spread)[..., [hues.HUES.index(hue) for hue in HUES]]
