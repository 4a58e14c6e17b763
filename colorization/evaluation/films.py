"""Measures films in color, shown in gray and colored by systems.

A model colors a film twice: as a film, and frame by frame, as photos are. Other systems know frames
only. Nothing is kept of a frame but a few numbers, and of the last two their pixels.
"""

import functools
import hashlib
import itertools
import pathlib

import numpy as np

from colorization.evaluation import EvaluationError, figures, protocol
from colorization.evaluation.measure import Comparison, Picture
from colorization.evaluation.metrics.steadiness import MIN_SIZE, Steadiness
from colorization.film import film_coloring, film_plan, film_reader, import_av
from pipelines import console
from pipelines.color.gray import to_gray

# Of photos; of a film, the mean over its frames.
_OF_FRAMES = ("psnr", "colorfulness")
_LEAST_FRAMES = 5


class GrayFilm(film_reader.Film):
    """A film in color that is shown in gray, in 8 bits."""

    def __init__(self, path):
        super().__init__(path)
        self.dtype = np.uint8

    def small(self, frame, height, width):
        """The frame's pixels, gray, made small as those of a gray film are."""
        gray = to_gray(self.true_rgb(frame))
        if gray.shape[:2] == (height, width):
            return gray
        picture = import_av().VideoFrame.from_ndarray(gray)
        return film_reader.to_rgb(picture, width, height, np.uint8, film_reader.read_tags(picture))

    def true_rgb(self, frame):
        """The frame's pixels, in color."""
        return super().small(frame, self.height, self.width)


def find(paths):
    """Lists the films to measure at paths of films and of folders with films.

    Raises `FilmError` if there is none at one of the paths, `EvaluationError` if two have the same
    name.
    """
    found = [film for path in paths for film in film_plan.find(pathlib.Path(path))]
    names = [film.name for film in found]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise EvaluationError(
            "Tables name films by their files, so these must differ. Received: "
            f"{', '.join(sorted(set(twice)))} twice. Rename one, or evaluate it in a separate call."
        )
    return found


def records(path, systems, limit, stop):
    """Measures a film as all systems color it: a list of records, as of `protocol.record`.

    Of its frames the first `limit` are measured; 0 for all. Once `stop` is requested, what is
    returned is no use. Raises `FilmError` if the film can't be read, `EvaluationError` if it is too
    small or too short.
    """
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    rows = []
    for name, description, color in _ways(systems):
        with console.progress(path.name, None, "frame") as bar:
            values, count = _measure(path, color, limit, stop, bar.update)
        seen = {"data": {"fingerprint": digest, "frames": count, "limit": limit}}
        described = {"label": name} | description
        data = {"label": path.name, "photos": count, "unit": "frames", "left_out": {}}
        rows.append(protocol.record(described, data, values, [], seen | protocol.of_pixels(values)))
    return rows


def _ways(systems):
    """Yields the name and the description of each way to color, and a function that does."""
    for system in systems:
        name, kind, by_frame = system.name, system.description, functools.partial(_by_frame, system)
        if system.engine is None:
            yield name, kind, by_frame
        else:
            yield f"{name}, film", kind | {"as": "film"}, functools.partial(_as_film, system)
            yield f"{name}, frame by frame", kind | {"as": "frames"}, by_frame


def _as_film(system, film, frames):
    """Yields pairs of a frame and its colored pixels."""
    box = film_coloring.find_picture(film)
    for pairs, _ in film_coloring.FilmColoring(film, system.engine, box=box).run(frames):
        yield from pairs


def _by_frame(system, film, frames):
    for frame in frames:
        yield frame, system.color(film.rgb(frame), film.true_rgb(frame))[0]


def _measure(path, color, limit, stop, on_frame):
    """Measures one coloring of a film: `figures.Value`s by name, and the number of frames."""
    film, steadiness, values = GrayFilm(path), Steadiness(), []
    if min(film.height, film.width) < MIN_SIZE:
        raise EvaluationError(
            f"{path}: films are measured from {MIN_SIZE} pixels a side on. Received: {film.width} "
            f"x {film.height}."
        )
    for frame, rgb in color(film, itertools.islice(film.frames(), limit or None)):
        if stop.requested:
            break
        one = Comparison(Picture(film.true_rgb(frame)), Picture(rgb))
        steadiness.add(rgb, one.picture.lab, one.truth.lab[..., 0])
        values.append([figures.FIGURES[name].measure(one) for name in _OF_FRAMES])
        on_frame()
    if len(values) < _LEAST_FRAMES and not stop.requested:
        raise EvaluationError(
            f"{path}: films are measured from {_LEAST_FRAMES} frames on. Received: {len(values)}."
        )
    means = np.mean(values, axis=0) if values else [0.0] * len(_OF_FRAMES)
    found = {"flicker": steadiness.flicker, "cdc": steadiness.consistency}
    found |= dict(zip(_OF_FRAMES, means, strict=True))
    return {name: figures.Value(float(value)) for name, value in found.items()}, len(values)
