"""Measures photos, and what systems make of them.

Photos are uint8 sRGB of shape `(height, width, 3)`, at their own size, upright. Each is either
measured or left out. Of a picture a few numbers and vectors are kept, no pixels. Results are sorted
by the photos' digests, so that neither the order of files nor that of threads changes them.
"""

import dataclasses
import functools
import hashlib
import pathlib

import numpy as np
import tensorflow as tf

from colorization.evaluation import EvaluationError
from colorization.evaluation.figures import FIGURES, mean_over_pairs
from colorization.evaluation.metrics import colors, fidelity
from colorization.evaluation.metrics.artifacts import MIN_SIZE
from colorization.inference import album, threads
from pipelines.color.gray import is_gray, to_gray
from pipelines.color.spaces import rgb_to_lab
from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError
from pipelines.sources import opener

REASONS = ("damaged", "gray", "small")


@dataclasses.dataclass(frozen=True)
class Data:
    """Photos to evaluate on: what tables call them, and the positions taken of a source."""

    label: str
    source: opener.Source
    positions: frozenset

    def jobs(self):
        """Yields the name and the element of every photo that is taken."""
        elements = zip(self.source.names, self.source.elements, strict=True)
        return (job for position, job in enumerate(elements) if position in self.positions)


class LeftOutError(Exception):
    """A photo that can't measure coloring, for one of `REASONS`."""

    def __init__(self, reason, message):
        super().__init__(message)
        self.reason = reason


def open_data(specifications, limit=0, exclude=""):
    """Opens the sets of photos that `--data` names, a list of `Data`.

    Of each set `limit` photos are taken, evenly over its list; 0 takes all. Raises `UserError` if a
    specification names nothing usable, `EvaluationError` if two sets would have the same name.
    """
    opened = []
    for specification in opener.split_specifications(specifications):
        source = opener.open_source(specification, exclude=exclude)
        total = len(source.names)
        positions = np.round(np.linspace(0, total - 1, min(total, limit or total))).astype(int)
        opened.append(Data(data_label(source.name), source, frozenset(positions.tolist())))
    labels = [data.label for data in opened]
    if len(set(labels)) < len(labels):
        raise EvaluationError(
            "Tables name sets by their last two folders, so these must differ. Received: "
            f"{', '.join(labels)}. Rename a folder, or evaluate them in separate calls."
        )
    return opened


def read_photo(source, name, element):
    """Reads one photo: its pixels and the SHA-256 of its file.

    Raises `LeftOutError` if it is damaged, has no colors or is under `MIN_SIZE` on a side.
    """
    try:
        encoded = source.read(element).numpy()
        rgb = photo_files.decode_picture(name, encoded)
    except (PictureError, tf.errors.OpError) as error:
        raise LeftOutError("damaged", album.reason(name, error)) from error
    if min(rgb.shape[:2]) < MIN_SIZE:
        raise LeftOutError("small", f"{name}: is under {MIN_SIZE} pixels on a side.")
    if is_gray(rgb):
        raise LeftOutError("gray", f"{name}: has no colors.")
    return rgb, hashlib.sha256(encoded).hexdigest()


def data_label(name):
    """What tables call a set: the last two folders, or the name of a data set."""
    kind, _, rest = name.partition(":")
    return "/".join(pathlib.Path(rest).absolute().parts[-2:]) if kind == "folder" else name


@dataclasses.dataclass
class Picture:
    """A picture, uint8 `(height, width, 3)`, and what several figures need of it."""

    rgb: np.ndarray

    @functools.cached_property
    def lab(self):
        """Float32 array of the same shape, CIE Lab."""
        return rgb_to_lab(self.rgb).numpy()

    @functools.cached_property
    def colorfulness(self):
        """As `colors.colorfulness`."""
        return colors.colorfulness(self.rgb)


@dataclasses.dataclass
class Comparison:
    """A coloring beside its photo, both `Picture`s of one size."""

    truth: Picture
    picture: Picture

    @functools.cached_property
    def ab_error(self):
        """Distance in ab at every pixel."""
        return fidelity.ab_error(self.truth.lab, self.picture.lab)


@dataclasses.dataclass(frozen=True)
class Measured:
    """What is kept of one photo as a system colored it.

    `values` are floats by the name of the figure, `cells` are as of `colors.count_cells`, and
    `vectors` the features by the name of the network.
    """

    values: dict
    cells: np.ndarray
    vectors: dict


@dataclasses.dataclass(frozen=True)
class MeasuredSet:
    """What was measured of one set, sorted by the SHA-256 of the photos.

    `measured` are lists of `Measured` by the name of the system, `true_vectors` the photos' own by
    the name of the network, and `left_out` sorted lines by reason.
    """

    digests: list
    names: list
    measured: dict
    true_vectors: dict
    left_out: dict

    @property
    def fingerprint(self):
        """Digest of the contents of the photos measured."""
        return hashlib.sha256("\n".join(self.digests).encode()).hexdigest()


def measure_set(data, systems, networks, num_variants, stop, on_photo=lambda: None):
    """Measures systems on a set of photos, as many at a time as there are processors.

    `num_variants` are the colorings that models were asked for; `on_photo` is called after every
    photo. Returns the `MeasuredSet` of the photos until `stop` was requested.
    """
    rows, left_out = [], {reason: [] for reason in REASONS}

    def work(job):
        try:
            photo, digest = read_photo(data.source, *job)
        except LeftOutError as error:
            return error
        truth, shown, found = Picture(photo), to_gray(photo), {}
        for system in systems:
            variants = [Picture(rgb) for rgb in system.color(shown, photo)]
            asked = num_variants if system.description["kind"] == "model" else 1
            found[system.name] = measure(truth, variants, networks, asked)
        vectors = {network.name: network.extract(photo) for network in networks if network.extract}
        return digest, job[0], found, vectors

    for row in threads.run(work, data.jobs(), stop):
        if isinstance(row, LeftOutError):
            left_out[row.reason].append(str(row))
        else:
            rows.append(row)
        on_photo()
    rows.sort(key=lambda row: row[:2])
    extracting = [network.name for network in networks if network.extract]
    return MeasuredSet(
        digests=[row[0] for row in rows],
        names=[row[1] for row in rows],
        measured={system.name: [row[2][system.name] for row in rows] for system in systems},
        true_vectors={name: [row[3][name] for row in rows] for name in extracting},
        left_out={reason: sorted(lines) for reason, lines in left_out.items()},
    )


def measure(truth, variants, networks, num_variants=1):
    """Measures what a system made of one photo.

    `variants` are `Picture`s, the likeliest first, which is compared with the truth. If more than
    one were asked for, how they differ is measured too.
    """
    compared = [Comparison(truth, picture) for picture in variants]
    first, values, vectors = compared[0], {}, {}
    for name, figure in FIGURES.items():
        if figure.of == "photo":
            values[name] = figure.measure(first)
        elif figure.of == "variants" and num_variants > 1:
            values[name] = figure.measure(compared)
    for network in networks:
        if network.extract is None:
            values[network.name] = network.distance(truth.rgb, first.picture.rgb)
        else:
            vectors[network.name] = network.extract(first.picture.rgb)
        if num_variants > 1:
            values[network.figure_name("diversity")] = mean_over_pairs(
                [variant.rgb for variant in variants], network.distance
            )
    return Measured(values, colors.count_cells(truth.lab, first.ab_error), vectors)
