"""Colors the frames of a film in order, with memory for a few of them, and moves hints along.

Hints are those of photos (`inference.color_hints`), in pixels of the film as it is shown, each with
the time of the frame that it was set on. A hint holds from its time to the end of its shot, and
moves with what it is on.
"""

import concurrent.futures
import dataclasses
import fractions
import itertools
import json
import typing

import cv2
import numpy as np

from colorization.film import film_plan, steady
from colorization.inference import color_hints, full_size, hint_reach, sight, threads
from colorization.inference.color_hints import Hint, HintError, Stroke
from pipelines.color import arrays

# Frames that are settled at a time, and that are looked ahead at.
STRETCH, AHEAD = 8, 16
# The network sees every third frame, and each of which less than this can be followed.
_EVERY, _FOLLOWED = 3, 0.6
# A new shot begins where so little can be followed.
_CUT = 0.2
# Bars are of less L*, but for this share of specks; the picture takes at least this of each side.
_BLACK, _SPECKS, _LEAST_PICTURE = 12, 0.05, 0.3
# Key frames, from all of a film, that its margins are looked for in, and their longer side.
_SAMPLES, _SAMPLE_SIZE = 12, 512
# A vertex is lost where the motion there is trusted less.
_TRUSTED = 0.2


@dataclasses.dataclass(frozen=True)
class Memory:
    """What the coloring of a film remembers between two frames.

    Attributes:
        past: `steady.Colors` of the last frame, None before the first one.
        since: Frames since the beginning of the shot.
        hints: List of the hints that hold on the last frame.
    """

    past: typing.Any = None
    since: int = 0
    hints: list = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class _Item:
    frame: typing.Any
    seen: steady.Seen
    number: int
    hints: list


def find_picture(film):
    """Finds a film's picture between black bars, which are dark all through the film.

    Returns `(top, left, bottom, right)` in pixels, the latter two exclusive.
    """
    shape = film.height, film.width
    scale = min(1, _SAMPLE_SIZE / max(shape))
    small = tuple(max(1, round(side * scale)) for side in shape)
    lightest = np.zeros(small, np.float32)
    for frame in film.key_frames(_SAMPLES):
        pixels = film.small(frame, *small)
        lightest = np.maximum(lightest, arrays.lightness(pixels))
    picture = lightest > _BLACK
    first_last = []
    for axis in (1, 0):
        (lit,) = np.nonzero(picture.mean(axis=axis) > _SPECKS)
        size = picture.shape[1 - axis]
        if len(lit) < _LEAST_PICTURE * size:
            return (0, 0, *shape)
        first_last.append((lit[0], lit[-1] + 1))
    (top, bottom), (left, right) = first_last
    rows, columns = sight.scaled((top, left, bottom, right), small, shape)
    return rows.start, columns.start, rows.stop, columns.stop


class FilmColoring:
    """Colors a film.

    Args:
        film: `film_reader.Film`.
        engine: As of `inference.model_folder`.
        saturation: What colors are multiplied by.
        box: `(top, left, bottom, right)` of the picture within its margins, which stay gray.
        hints: List of `TimedHint`.
        reference: `inference.reference.Reference` that every frame takes colors from, or None.
    """

    def __init__(self, film, engine, saturation=1.0, box=None, hints=(), reference=None):
        self._film, self._engine, self._saturation = film, engine, saturation
        self._hints, self._reference = hints, reference
        self._box = box or (0, 0, film.height, film.width)
        sides = self._box[2] - self._box[0], self._box[3] - self._box[1]
        description = engine.description
        # The network sees things in the shape in which they are shown.
        shown = sides[0], max(1, round(sides[1] * float(film.pixel_aspect)))
        self.shape = sight.working_shape(
            *shown, description["working_size"], description["size_multiple"]
        )

    def run(self, frames, memory=None, before=None):
        """Yields lists of frames and their colored pixels, those of a stretch at the same time.

        Each list comes with the `Memory` after it. `memory` and `before` are the `Memory` of the
        frames before these, if there are any, and the last of those.
        """
        memory = memory or Memory()
        with concurrent.futures.ThreadPoolExecutor(threads.num_processors()) as pool:
            for items, is_end in self._stretches(frames, memory, before, pool):
                count = len(items) if is_end else STRETCH
                seen = [item.seen for item in items]
                for one in seen:
                    if isinstance(one.coefficients, concurrent.futures.Future):
                        one.coefficients = one.coefficients.result()
                settled, past = steady.settle(seen, count, memory.past)
                colored = pool.map(self._apply, [item.frame for item in items], settled)
                pairs = list(zip([item.frame for item in items], colored, strict=False))
                memory = Memory(
                    None if is_end else past,
                    0 if is_end else items[count].number,
                    items[count - 1].hints,
                )
                yield pairs, memory

    def color_alone(self, frame):
        """Colors a frame as if it were a photo; returns its pixels."""
        return self._apply(frame, self.predict(frame))

    def _stretches(self, frames, memory, before, pool):
        """Yields lists of items of one shot, and whether the shot ends with them.

        Of a list whose shot goes on the first `STRETCH` come only once.
        """
        items, shot, hints = [], memory.since, memory.hints
        for frame, light, joined in self._joined(frames, before, pool):
            is_cut = joined is None or max(m.trust.mean() for m in joined) < _CUT
            hints = [] if is_cut else move_hints(hints, joined[1], self._box)
            new = self._new_hints(before, frame)
            hints, before = hints + new, frame
            # Colors without a hint must not weaken it, so that they end where it begins.
            is_cut = is_cut or bool(new)
            if items and is_cut:
                yield items, True
                items = []
            elif len(items) == STRETCH + AHEAD:
                yield items, False
                items = items[STRETCH:]
            if is_cut:
                shot = 0
            seen = steady.Seen(light, None)
            if not is_cut:
                seen.from_before = joined[0]
                if items:
                    items[-1].seen.from_after = joined[1]
            if is_cut or shot % _EVERY == 0 or joined[0].trust.mean() < _FOLLOWED:
                seen.coefficients = pool.submit(self.predict, frame, hints)
            items.append(_Item(frame, seen, shot, hints))
            shot += 1
        if items:
            yield items, True

    def _new_hints(self, before, frame):
        """Those that were set on a frame: the one that is shown at their time."""
        shown = 1 / self._film.rate
        end = self._film.seconds(frame) + shown
        start = end - end if before is None else self._film.seconds(before) + shown
        return [timed.hint for timed in self._hints if start <= timed.time < end]

    def _joined(self, frames, before, pool):
        """Yields each frame, its lightness, and the motion between it and the one before it."""
        last = None if before is None else self.lightness(before)
        for some in _batched(frames, threads.num_processors()):
            lights = list(pool.map(self.lightness, some))
            pairs = itertools.pairwise([last, *lights])
            joined = pool.map(_motion, pairs)
            yield from zip(some, lights, joined, strict=True)
            last = lights[-1]

    def lightness(self, frame):
        """The lightness that motion is found in: float32 array of shape `(h, w)`, L*."""
        height, width = self.shape
        return self._lightness(frame, height // steady.SHRINK, width // steady.SHRINK)

    def predict(self, frame, hints=()):
        """What the network says of a frame: float32 array of shape `(h, w, 4)`, at that size."""
        lightness = self._lightness(frame, *self.shape)[None, ..., None]
        top, left, bottom, right = self._box
        part = slice(top, bottom), slice(left, right)
        drawn = color_hints.draw(hints, self._box, part, self.shape)[None] if hints else None
        reference = self._reference and self._reference.hints(lightness)
        (coefficients,) = hint_reach.coefficients(self._engine, lightness, drawn, reference)
        size = self.shape[1] // steady.SHRINK, self.shape[0] // steady.SHRINK
        return cv2.resize(coefficients, size, interpolation=cv2.INTER_AREA)

    def _lightness(self, frame, height, width):
        """Lightness of the picture within its margins: float32 array `(height, width)`, L*."""
        whole, top_left = (self._film.height, self._film.width), self._box[:2]
        sides = np.subtract(self._box[2:], top_left)
        small = [
            max(1, round(all_of * wanted / side))
            for all_of, wanted, side in zip(whole, (height, width), sides, strict=True)
        ]
        pixels = self._film.small(frame, *small)
        part = pixels[sight.scaled(self._box, whole, small)]
        part = cv2.resize(part, (width, height), interpolation=cv2.INTER_AREA)
        return arrays.lightness(part)

    def _apply(self, frame, coefficients):
        rgb = self._film.rgb(frame)
        place = sight.scaled(self._box, rgb.shape[:2], rgb.shape[:2])
        return full_size.apply_to_prints(rgb, [place], [coefficients], self._saturation)


def _motion(pair):
    return None if pair[0] is None else steady.find_motions(*pair)


def _batched(things, size):
    things = iter(things)
    while batch := list(itertools.islice(things, size)):
        yield batch


@dataclasses.dataclass(frozen=True)
class TimedHint:
    """A hint and when it begins to hold.

    Attributes:
        time: Seconds from the film's start, as a `Fraction`.
        hint: `Hint`, `Stroke` or `Region`.
    """

    time: fractions.Fraction
    hint: object


def read_hints(path):
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


def move_hints(hints, motion, box):
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


def hints_to_text(hints):
    """Hints as a text that `hints_from_text` reads."""
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


def hints_from_text(text):
    """Hints of what `hints_to_text` returned."""
    return color_hints.parse_hints(json.loads(text))


def _placed(hint, vertices):
    if isinstance(hint, Hint):
        return dataclasses.replace(hint, x=vertices[0][0], y=vertices[0][1])
    return dataclasses.replace(hint, vertices=tuple(map(tuple, vertices)))
