"""Runs side by side: what each run's network makes of its validation pictures, in figures.

Pictures are uint8 sRGB of shape `(num_pictures, size, size, 3)`, or pairs with three more channels
for the gray pictures. They are colored at the size of a run's crops and rounded to 8 bits. Chroma
is put on the picture's own lightness, as `colorize` does; RGB is taken as the network predicts it.

Differences of two runs are taken picture by picture, so that what is hard for both does not
separate them; their intervals come from drawing pictures with replacement.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from colorization import pages
from colorization.evaluation import EvaluationError, figures, measure
from colorization.evaluation.figures import HUE_FIGURES
from colorization.evaluation.metrics import colors, distances
from colorization.models import layers
from pipelines.color.spaces import lab_to_rgb, rgb_to_lab

# Of the noise of variants.
SEED = 0
# Small enough for a page.
_NUM_SHOWN, _NUM_SHOWN_VARIANTS = 12, 4
# What the table of all runs holds beside the figures of networks.
_MAIN = ("psnr", "ssim", "colorfulness", "colorfulness-gap")
_LEGEND = """\
Every run colored the pictures of its own validation set at the size of its crops. Predicted chroma
was put on the picture's own lightness; predicted RGB was taken as it is. In brackets: 95 %
intervals over the pictures, which don't say what another seed would have given. Seconds are the
wall time of the epochs, other work on the machine included.
"""
_SHEETS = """\
Rows: the picture in gray; as the run colored it (a run with noise several times, first without
any); as it is.
"""
# Pictures colored at a time.
_BATCH = 8


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What was measured of a run on pictures of some digest.

    `measured` are `measure.Measured`, one for each, `figures` the `figures.Value`s of all.
    """

    pictures: str
    measured: list
    figures: dict
    sheet: np.ndarray


def measure_run(network, codec, pictures, digest, networks, num_variants):
    """Measures what a network makes of pictures, at least 2, of that digest: an `Outcome`.

    A network that takes noise colors each picture `num_variants` times.
    """
    size = layers.noise_size(network)
    shape = num_variants - 1 if size else 0, len(pictures), size
    draws = np.random.default_rng(SEED).standard_normal(shape, np.float32)
    # The first is the plain coloring, without noise.
    colored = [color_pictures(network, codec, pictures, one) for one in (None, *draws)]
    truths = [measure.Picture(rgb) for rgb in pictures[..., :3]]
    measured = [
        measure.measure(truth, list(map(measure.Picture, variants)), networks, len(colored))
        for truth, variants in zip(truths, zip(*colored, strict=True), strict=True)
    ]
    vectors = {n.name: [n.extract(truth.rgb) for truth in truths] for n in networks if n.extract}
    found = figures.summarize(measured, vectors, networks)
    cells = _cells(measured)
    ends = distances.bootstrap_interval(cells, _hue_errors)
    found |= figures.values(HUE_FIGURES, _hue_errors(cells.mean(axis=0)), ends)
    shown = np.linspace(0, len(pictures) - 1, min(_NUM_SHOWN, len(pictures))).round().astype(int)
    rows = [one[shown] for one in colored[: 1 + _NUM_SHOWN_VARIANTS]]
    return Outcome(digest, measured, found, sheet(pictures[shown], *rows))


def difference(first, second):
    """How much more of each figure the second has than the first: `figures.Value`s by name.

    Both are lists of `Outcome`s of runs that differ in their seed alone. Given are the figures that
    both have and that are means over pictures, and errors by hue. Raises `EvaluationError` if they
    were measured on different pictures.
    """
    if len({one.pictures for one in (*first, *second)}) > 1:
        raise EvaluationError(
            "--pairs takes runs of the same --val_data, --image_size and --white_background. "
            "Received: runs that were measured on different pictures."
        )
    sides = first, second
    names = [name for name in first[0].measured[0].values if name in second[0].measured[0].values]
    one, other = (np.mean([_values(run.measured, names) for run in side], axis=0) for side in sides)
    table = other - one
    found = figures.values(names, table.mean(axis=0), distances.bootstrap_interval(table))
    one, other = (np.mean([_cells(run.measured) for run in side], axis=0) for side in sides)
    # Each side by itself: in one product of matrices, sums of equal columns need not be equal.
    samples = distances.bootstrap_samples(other, _hue_errors)
    samples = samples - distances.bootstrap_samples(one, _hue_errors)
    more = _hue_errors(other.mean(axis=0)) - _hue_errors(one.mean(axis=0))
    return found | figures.values(HUE_FIGURES, more, distances.percentile_interval(samples))


def _values(measured, names):
    return [[one.values[name] for name in names] for one in measured]


def _cells(measured):
    return colors.lay_out([one.cells for one in measured])


def _hue_errors(cells):
    return colors.hue_errors(cells)[..., : len(HUE_FIGURES)]


def page(facts, outcomes, differences, networks, folder=""):
    """Writes runs side by side as Markdown: a table of all, pairs, and a sheet of each.

    `facts` are dicts by the name of the run, of `recipe`, `flags`, `data`, `steps` and `seconds`;
    `differences` are of `difference`, by pairs of tuples of names. `folder` is that of the sheets,
    relative to the page; empty for none.
    """
    first, *others = (fact["flags"] for fact in facts.values())
    common = {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}
    parts = ["# Runs side by side\n", _LEGEND]
    if common:
        parts.append(f"All runs: {_words(common)}\n")
    parts.append(_all_runs(facts, outcomes, networks) + "\n")
    for (one, other), values in differences.items():
        parts.append(_pair(one, other, outcomes, values))
    parts += ["## Pictures\n", _SHEETS] if folder else ["## Recipes\n"]
    for name, fact in facts.items():
        own = {k: value for k, value in fact["flags"].items() if k not in common}
        more = f", with {_words(own)}" if own else ""
        picture = f"\n![{name}]({folder}/{name}.jpg)\n" if folder else ""
        parts.append(f"### {name}\n\n{fact['recipe']}{more}\n{picture}")
    return "\n".join(parts)


def _all_runs(facts, outcomes, networks):
    names = list(_MAIN)
    for network in networks:
        names += [name for name in network.figures if name.endswith(("kid", "diversity"))]
    rows = [
        ["run", "recipe", "data", "steps", "seconds", *(figures.heading(name)[0] for name in names)]
    ]
    for name, fact in facts.items():
        values = {k: vars(value) for k, value in outcomes[name].figures.items()}
        row = [name, fact["recipe"], fact["data"], f"{fact['steps']:,}", f"{fact['seconds']:,.0f}"]
        rows.append(row + [figures.cell(k, values.get(k)) for k in names])
    return pages.markdown(rows)


def _pair(first, second, outcomes, values):
    sides = ["+".join(first), "+".join(second)]
    rows = [["figure", "better", *sides, "difference"]]
    kids = [k for k in outcomes[first[0]].figures if k.endswith("-kid")]
    for name in (*kids, *values):
        means = [
            figures.Value(np.mean([outcomes[run].figures[name].value for run in side]))
            for side in (first, second)
        ]
        more = values.get(name)
        cells = [figures.cell(name, value and vars(value)) for value in (*means, more)]
        rows.append([*figures.heading(name), *cells])
    return f"## {sides[0]} and {sides[1]}\n\n{pages.markdown(rows)}\n"


def _words(flags):
    return " ".join(f"`{flag}`" for flag in flags.values())


def color_pictures(network, codec, pictures, draws=None):
    """Colors pictures, with noise `draws` of shape `(num_pictures, noise_size)` unless None."""
    parts = []
    for start in range(0, len(pictures), _BATCH):
        some = slice(start, start + _BATCH)
        condition, _ = codec.encode(tf.constant(pictures[some]))
        drawn = None if draws is None else tf.constant(draws[some])
        prediction = layers.generate(network, condition, drawn)
        rgb = codec.decode(condition, prediction, rgb_to_lab(pictures[some, ..., -3:])[..., :1])
        parts.append(np.round(np.clip(rgb, 0, 1) * 255).astype(np.uint8))
    return np.concatenate(parts)


def sheet(pictures, *colored):
    """Sets pictures in rows: in gray, as they were colored each time, and as they are: uint8."""
    lightness = rgb_to_lab(pictures[..., -3:])[..., :1]
    gray = lab_to_rgb(tf.pad(lightness, [(0, 0)] * 3 + [(0, 2)]))
    gray = np.round(np.clip(gray, 0, 1) * 255).astype(np.uint8)
    return np.concatenate([np.hstack(row) for row in (gray, *colored, pictures[..., :3])])
