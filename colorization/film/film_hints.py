"""Hints for films: each holds from its time to the end of its shot, and moves with what it is on.

Points, strokes and regions are those of photos (`inference.color_hints`), in pixels of the film as
it is shown, each with the time of the frame that it was set on.
"""

import dataclasses
import fractions
import json

import numpy as np

from colorization.film import film_plan
from colorization.inference import color_hints
from colorization.inference.color_hints import Hint, HintError, Stroke

# A vertex is lost where the motion there is trusted less.
_TRUSTED = 0.2


@dataclasses.dataclass(frozen=True)
class TimedHint:
    """A hint and when it begins to hold.

    Attributes:
        time: Seconds from the film's start, as a `Fraction`.
        hint: `Hint`, `Stroke` or `Region`.
    """

    time: fractions.Fraction
    hint: object


def read(path):
    """Reads a JSON file of hints: as for photos, each with a `"time"`, in seconds or as `"M:SS"`.

    Returns a list of `TimedHint`. Raises `HintError` if the file can't be read, or an entry breaks
    a rule, and `FilmError` if a time can't be read.
    """
    return color_hints.read_json(path, _parse)


def _parse(entries):
    times = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [], 1):
        time = entry.pop("time", None) if isinstance(entry, dict) else None
        if not isinstance(time, (int, float, str)) or isinstance(time, bool):
            raise HintError(
                f'hint {number} of {len(entries)}: a hint for a film has the "time" of its frame, '
                f'in seconds or as "M:SS". Received: {color_hints.shown(time)}.'
            )
        times.append(film_plan.parse_time(str(time)))
    hints = color_hints.parse_hints(entries)
    return [TimedHint(*pair) for pair in zip(times, hints, strict=True)]


def move(hints, motion, box):
    """Moves hints, in pixels of the film, along a motion: those that are still seen.

    `motion` is from the next frame back to this one, which tells where each pixel goes, and covers
    `box`, the film's picture, `(top, left, bottom, right)`. What is kept has its vertices within
    the picture, and trusted.
    """
    top, left, bottom, right = box
    rows, columns = motion.trust.shape
    scale = np.array([columns / (right - left), rows / (bottom - top)])
    moved = []
    for hint in hints:
        # From the centers of pixels to those of the motion's.
        places = (np.array(hint.vertices) + 0.5 - (left, top)) * scale - 0.5
        x, y = np.clip(np.round(places), 0, (columns - 1, rows - 1)).astype(int).T
        goals = places + np.stack([motion.columns[y, x] - x, motion.rows[y, x] - y], axis=-1)
        vertices = (goals + 0.5) / scale - 0.5 + (left, top)
        is_inside = (vertices >= (left, top)).all() and (vertices < (right, bottom)).all()
        if is_inside and motion.trust[y, x].min() >= _TRUSTED:
            moved.append(_placed(hint, vertices.tolist()))
    return moved


def to_text(hints):
    """Hints as a text that `from_text` reads."""
    entries = []
    for hint in hints:
        vertices = [list(vertex) for vertex in hint.vertices]
        if isinstance(hint, Hint):
            entries.append({"point": vertices[0], "color": hint.color})
        elif isinstance(hint, Stroke):
            entries.append({"stroke": vertices, "width": hint.width, "color": hint.color})
        else:
            entries.append({"region": vertices, "color": hint.color})
    return json.dumps(entries)


def from_text(text):
    """Hints of what `to_text` returned."""
    return color_hints.parse_hints(json.loads(text))


def _placed(hint, vertices):
    if isinstance(hint, Hint):
        return dataclasses.replace(hint, x=vertices[0][0], y=vertices[0][1])
    return dataclasses.replace(hint, vertices=tuple(map(tuple, vertices)))
