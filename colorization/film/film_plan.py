"""Which film is to be written where, and how."""

import dataclasses
import fractions
import os
import pathlib

from colorization.film import FilmError
from colorization.film.film_writer import CONTAINERS, ENCODERS
from pipelines.files import is_passed_over

FILM_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".vob", ".ts", ".mts"),
    *(".m2ts", ".wmv", ".asf", ".flv", ".ogv", ".3gp", ".mxf", ".dv"),
)
BEST_QUALITY, WORST_QUALITY = 0, 51
# Takes any sound and any subtitles.
_ANY = ".mkv"


@dataclasses.dataclass(frozen=True)
class FilmOptions:
    """How a film is written.

    Attributes:
        codec: One of `film_writer.ENCODERS`.
        quality: 0 (best, largest) to 51.
        start: Seconds from its start to the first frame that is colored, as a `Fraction` or None.
        end: Seconds to the end of what is colored, or None.
        saturation: What colors are multiplied by.
        hints: Path of a JSON file of hints, as `film_coloring.read_hints` takes it, or None.
        reference: Path of a photo in color that the film takes colors from, or None.
    """

    codec: str = "h264"
    quality: int = 18
    start: fractions.Fraction | None = None
    end: fractions.Fraction | None = None
    saturation: float = 1.0
    hints: str | None = None
    reference: str | None = None

    def __post_init__(self):
        if self.codec not in ENCODERS:
            raise FilmError(f"codec is one of {', '.join(ENCODERS)}. Received: {self.codec}.")
        if self.start is not None and self.end is not None and self.start >= self.end:
            raise FilmError(
                f"--start lies before --end. Received: {float(self.start):g} and "
                f"{float(self.end):g} seconds."
            )

    def span(self, film):
        """The part of a film to color: pair of seconds, as `Fraction`s; None for all of it.

        Raises `FilmError` if the film ends before that.
        """
        if self.start is None and self.end is None:
            return None
        start = self.start or fractions.Fraction(0)
        if film.duration and start >= film.duration:
            raise FilmError(
                f"{film.path}: --start lies within the film, which takes "
                f"{float(film.duration):.1f} seconds. Received: {float(start):g}."
            )
        return start, self.end or max(film.duration, start) + 1_000_000


def parse_time(text):
    """Reads seconds, `M:SS` or `H:MM:SS`, with decimals, as a `Fraction`; None for None.

    Raises `FilmError` if it is none of these.
    """
    if text is None:
        return None
    parts = text.split(":")
    try:
        numbers = [fractions.Fraction(part) for part in parts]
        if len(parts) <= 3 and "/" not in text and min(numbers) >= 0:
            return sum(number * 60**power for power, number in enumerate(reversed(numbers)))
    except ValueError:
        pass
    raise FilmError(f"A time is seconds, M:SS or H:MM:SS. Received: {text!r}.")


def is_film(path):
    """Whether a path names a film, by its suffix."""
    return os.path.splitext(path)[1].lower() in FILM_SUFFIXES


def plan(inputs, output):
    """Pairs films, and those in folders and all folders in them, with the files to write.

    `output` is of a single film the file to write, if it ends like a film; else a folder. None: a
    single film `harvest.avi` goes beside itself, to `harvest_color.mkv`. Films whose kind is not
    written become .mkv. Raises `FilmError` if an input is missing, a folder holds no films, or
    `output` does not suit.
    """
    inputs = [pathlib.Path(path) for path in inputs]
    for path in inputs:
        _check_exists(path)
    is_lone = len(inputs) == 1 and not inputs[0].is_dir()
    if output is None and not is_lone:
        raise FilmError("Several films go to a folder. Received: none. Set --output=FOLDER.")
    if output is None:
        output = _writable(inputs[0].with_stem(f"{inputs[0].stem}_color"))
    output = pathlib.Path(output)
    if is_lone and is_film(output) and not output.is_dir():
        if output.suffix.lower() not in CONTAINERS:
            raise FilmError(
                f"{output}: films are written as {', '.join(CONTAINERS)}. Received: "
                f"{output.suffix}. Choose one of these for --output."
            )
        pairs = [(inputs[0], output)]
    else:
        if output.exists() and not output.is_dir():
            raise FilmError(
                f"{output}: films go to a folder, or one film to a file whose name ends in "
                f"{', '.join(CONTAINERS)}. Received: another file. Set --output to one of these."
            )
        pairs = [pair for path in inputs for pair in _pairs(path, output)]
    _check_apart(pairs)
    return pairs


def _pairs(path, output):
    if not path.is_dir():
        return [(path, _writable(output / path.name))]
    return [(source, _writable(output / source.relative_to(path))) for source in find(path, output)]


def find(path, passed_over=None):
    """Finds a film, or those in a folder and in all folders in it: paths, sorted within each.

    What was written earlier, in the folder `passed_over`, is no film to color. Raises `FilmError`
    if there is no such file, or the folder holds no films.
    """
    _check_exists(path)
    if not path.is_dir():
        return [path]
    found = []
    for folder, folders, names in os.walk(path):
        folder = pathlib.Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if not is_passed_over(name)
            and (passed_over is None or (folder / name).resolve() != passed_over.resolve())
        )
        names = [name for name in sorted(names) if is_film(name) and not is_passed_over(name)]
        found += [folder / name for name in names]
    if not found:
        raise FilmError(
            f"{path}: expected a folder with films ({' '.join(FILM_SUFFIXES)}). Received: none in "
            "it or below it."
        )
    return found


def _check_exists(path):
    if not path.exists():
        raise FilmError(f"{path}: expected a film or a folder. Received: no such file.")


def _writable(path):
    return path if path.suffix.lower() in CONTAINERS else path.with_suffix(_ANY)


def _check_apart(pairs):
    taken = {}
    for source, destination in pairs:
        first = taken.setdefault(destination.resolve(), source)
        if first is not source:
            raise FilmError(
                f"{source}: {destination} is where {first} goes. Color it in a separate call."
            )
    for source, destination in pairs:
        if source.resolve() in taken:
            raise FilmError(
                f"{destination}: {source} is itself a film to be colored. Choose another --output."
            )
