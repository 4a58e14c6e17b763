"""What a person says of a photo's colors: points, strokes and regions, from JSON or a painted PNG.

Only a hint's chroma is taken, and the photo keeps its lightness. Gray is a hint like any other: it
says that a place has no color.
"""

from __future__ import annotations

import dataclasses
import json
import math
import os
import pathlib

import numpy as np
import webcolors

from pipelines.color import arrays
from pipelines.errors import UserError
from pipelines.photos.photo import PictureError

# What the name of a photo's own file of hints ends in, and the option that asks for such files.
BESIDE, SIDECAR = (".hints.json", ".hints.png"), "sidecar"
MAX_HINTS = 1000
MAX_VERTICES = 10_000
# Radius of a point, as a share of the shorter side of what the network sees: nine pixels wide of
# 256, the largest patch of training, which brings the result nearest to what is asked.
_POINT_RADIUS = 0.016
# A painted pixel that is fainter is no hint.
_OPAQUE = 0.5
_KEYS = {"point": {"point", "color"}, "stroke": {"stroke", "width", "color"}}
_KEYS["region"] = {"region", "color"}


class HintError(UserError):
    """Hints that can't be used. The message is one line: the file, the entry and the rule."""


@dataclasses.dataclass(frozen=True)
class Hint:
    """A color at a point.

    Args:
        x: Column in the photo's own pixels, as it is shown upright; 0 is the left edge.
        y: Row, from the top.
        color: `"#rrggbb"`, or a name of CSS such as `"olivedrab"`.

    Raises:
        HintError: If a coordinate is no number, or the color can't be read.
    """

    x: float
    y: float
    color: str

    def __post_init__(self):
        _check_vertices([(self.x, self.y)])
        parse_color(self.color)

    @property
    def vertices(self):
        """Its only vertex."""
        return [(self.x, self.y)]


@dataclasses.dataclass(frozen=True)
class Stroke:
    """A color along a line.

    Args:
        vertices: Pairs of x and y, two or more.
        color: As for `Hint`.
        width: Of the line, in the photo's pixels.

    Raises:
        HintError: As for `Hint`, or if the width is not above 0.
    """

    vertices: tuple
    color: str
    width: float

    def __post_init__(self):
        _check_vertices(self.vertices, 2)
        parse_color(self.color)
        if not (_is_number(self.width) and self.width > 0):
            raise HintError(f"a stroke's width is a number above 0. Received: {self.width!r}.")


@dataclasses.dataclass(frozen=True)
class Region:
    """A color that fills a polygon.

    Args:
        vertices: Pairs of x and y, three or more.
        color: As for `Hint`.

    Raises:
        HintError: As for `Hint`.
    """

    vertices: tuple
    color: str

    def __post_init__(self):
        _check_vertices(self.vertices, 3)
        parse_color(self.color)


def parse_color(text):
    """Reads `"#rrggbb"` or a CSS name as red, green and blue, 0 to 255; else `HintError`."""
    if isinstance(text, str):
        try:
            if text.startswith("#") and len(text) == 7:
                return tuple(webcolors.hex_to_rgb(text))
            return tuple(webcolors.name_to_rgb(text.strip()))
        except ValueError:
            pass
    raise HintError(
        f'a color is "#rrggbb" or a name of CSS, such as "navy". Received: {shown(text)}.'
    )


def read_hints(path):
    """Reads a file of hints: JSON, or a PNG that was painted over the photo.

    Args:
        path: Of a `.json` file: `{"hints": [{"point": [x, y], "color": "navy"}, {"stroke": [[x, y],
            ...], "width": 12, "color": "#3a5f0b"}, {"region": [[x, y], ...], "color": "white"}]}`.
            Or of a picture with transparency, of the photo's size.

    Returns:
        List of `Hint`, `Stroke` and `Region`, or a `Painting`.

    Raises:
        HintError: If the file can't be read, or an entry breaks a rule.
    """
    if pathlib.Path(path).suffix.lower() == ".json":
        return read_json(path)
    # Not above: a run that finds nothing to do reads no photo.
    from pipelines.photos import photo_files

    try:
        photo = photo_files.read_photo(path)[0]
    except PictureError as error:
        raise HintError(f"hints: {error}") from error
    if photo.alpha is None:
        raise HintError(
            f"{path}: painted hints are a picture with transparency, which leaves the photo free. "
            "Received: one without. Paint on a transparent layer, and save that layer as PNG."
        )
    return Painting(photo.rgb, photo.alpha, os.fspath(path))


def parse_hints(entries):
    """Makes `Hint`, `Stroke` and `Region` of the entries of a JSON document, as for `read_hints`.

    Raises `HintError` if an entry breaks a rule; it names the entry by its number, from 1.
    """
    if not isinstance(entries, list):
        raise HintError(f"hints are a list. Received: {shown(entries)}.")
    if len(entries) > MAX_HINTS:
        raise HintError(f"at most {MAX_HINTS} hints are taken. Received: {len(entries)}.")
    hints = []
    for number, entry in enumerate(entries, 1):
        try:
            hints.append(_parse_entry(entry))
        except HintError as error:
            raise HintError(f"hint {number} of {len(entries)}: {error}") from error
    return hints


def parse_json(text, name, parse=parse_hints):
    """Makes hints of the text of a JSON document, `{"hints": [...]}`, as for `read_hints`.

    `name` is what errors call it, `parse` a function of that list. Raises `HintError` if it is
    none, or an entry breaks a rule.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise HintError(
            f"{name}: hints are JSON. Received: text that is none ({error})."
        ) from error
    if not isinstance(document, dict) or document.keys() != {"hints"}:
        raise HintError(
            f'{name}: hints are a JSON object {{"hints": [...]}}. Received: {shown(document)}.'
        )
    try:
        return parse(document["hints"])
    except HintError as error:
        raise HintError(f"{name}: {error}") from error


def read_json(path, parse=parse_hints):
    """Reads a JSON file of hints, with errors as `read_hints`; `parse` is that of `parse_json`."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise HintError(f"{path}: can't be read ({error.strerror}). Check the path.") from error
    except ValueError as error:
        raise HintError(f"{path}: hints are JSON in UTF-8. Received: other bytes.") from error
    return parse_json(text, path, parse)


def _parse_entry(entry):
    kinds = [kind for kind in _KEYS if isinstance(entry, dict) and kind in entry]
    if len(kinds) != 1 or entry.keys() != _KEYS[kinds[0]]:
        raise HintError(
            'a hint has "color" and one of "point", "stroke" (with "width") and "region". '
            f"Received: {shown(entry)}."
        )
    (kind,) = kinds
    if kind == "point":
        _check_vertices([entry["point"]])
        return Hint(*entry["point"], entry["color"])
    vertices = entry[kind]
    if not isinstance(vertices, list):
        raise HintError(f"a {kind} is a list of [x, y]. Received: {shown(vertices)}.")
    vertices = tuple(tuple(v) if isinstance(v, list) else v for v in vertices)
    if kind == "stroke":
        return Stroke(vertices, entry["color"], entry["width"])
    return Region(vertices, entry["color"])


def _check_vertices(vertices, least=1):
    if not least <= len(vertices) <= MAX_VERTICES:
        raise HintError(
            f"it takes {least} to {MAX_VERTICES} places [x, y]. Received: {len(vertices)}."
        )
    for place in vertices:
        is_pair = isinstance(place, (list, tuple)) and len(place) == 2
        if not (is_pair and all(map(_is_number, place))):
            raise HintError(f"a place is [x, y], two numbers. Received: {shown(place)}.")


def _is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def shown(value):
    """A value as errors show it: not too long."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


@dataclasses.dataclass(frozen=True)
class Painting:
    """Hints painted over a photo.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`.
        alpha: Array of the same type, of shape `(height, width)`: how opaque the paint is.
        name: What errors call it.
    """

    rgb: np.ndarray
    alpha: np.ndarray
    name: str


def find_beside(photo):
    """Finds the file of hints beside a photo, `NAME.hints.json` or `NAME.hints.png`, or None."""
    path = pathlib.Path(photo)
    found = (path.with_name(f"{path.stem}{ending}") for ending in BESIDE)
    return next((beside for beside in found if beside.exists()), None)


def check(hints, photo_size, prints):
    """Checks that hints suit a photo.

    `photo_size` is its height and width in pixels, `prints` are the boxes that
    `sight.find_prints` returns. Raises `HintError` if a hint lies outside the photo or on the
    margin, which stays gray, or a painting has another size than the photo.
    """
    if isinstance(hints, Painting):
        _check_size(hints, photo_size)
        return
    if len(hints) > MAX_HINTS:
        raise HintError(f"at most {MAX_HINTS} hints are taken. Received: {len(hints)}.")
    for number, hint in enumerate(hints, 1):
        if not isinstance(hint, (Hint, Stroke, Region)):
            raise HintError(
                f"hints are a list of Hint, Stroke and Region. Received: {shown(hint)}."
            )
        _check_inside(hint, number, photo_size)
        if isinstance(hint, Hint) and not any(_holds(box, hint.x, hint.y) for box in prints):
            raise HintError(
                f"hint {number} lies on the margin around the print, which stays gray. Received: "
                f"[{hint.x:g}, {hint.y:g}]. Place it on the print."
            )


def find_print(x, y, photo_size, prints):
    """Finds the box of the print that a place lies in; `HintError` as for `check`."""
    check([Hint(x, y, "gray")], photo_size, prints)
    return next(box for box in prints if _holds(box, x, y))


def draw(hints, box, part, seen_size):
    """Draws the hints of a print at the size at which the network sees it.

    Later hints cover earlier ones; points outside of `box`, the print as `sight.find_prints`
    returns it, are left out. `part` is a pair of slices, of rows and of columns: what of the photo
    the network sees; `seen_size` is height and width of what is drawn. Returns float32 of shape
    `(height, width, 3)`: a and b in CIE units, and the mask, 1 where a hint holds. The former are 0
    where the latter is.
    """
    if isinstance(hints, Painting):
        return _draw_painting(hints, part, seen_size)
    # Not above: a run that finds nothing to do draws nothing.
    import cv2

    starts, stops = ([getattr(part[i], name) for i in (1, 0)] for name in ("start", "stop"))
    size = np.array(seen_size[::-1])
    scale = size / np.subtract(stops, starts)
    numbers = np.zeros(seen_size, np.int32)
    colors = [(0.0, 0.0)]
    for number, hint in enumerate(hints, 1):
        # OpenCV draws at sixteenths of a pixel, and counts from the centers of pixels.
        places = (np.array(hint.vertices) + 0.5 - starts) * scale * 16 - 8
        if isinstance(hint, Hint):
            # The outermost pixels of a print are not seen.
            places = np.clip(places, 0, 16 * size - 16)
        places = np.round(places).astype(np.int32)
        if isinstance(hint, Region):
            cv2.fillPoly(numbers, [places], number, shift=4)
        elif isinstance(hint, Stroke):
            width = max(1, round(hint.width * float(scale.mean())))
            cv2.polylines(numbers, [places], False, number, width, shift=4)
        elif _holds(box, hint.x, hint.y):
            radius = max(1.0, _POINT_RADIUS * min(seen_size))
            cv2.circle(numbers, places[0].tolist(), round(radius * 16), number, -1, shift=4)
        rgb = np.array(parse_color(hint.color), np.float32) / 255
        colors.append(tuple(arrays.rgb_to_lab(rgb)[1:]))
    ab = np.array(colors, np.float32)[numbers]
    return np.concatenate([ab, (numbers > 0)[..., None]], axis=-1).astype(np.float32)


def _holds(box, x, y):
    top, left, bottom, right = box
    return top <= y < bottom and left <= x < right


def _check_inside(hint, number, photo_size):
    height, width = photo_size
    for x, y in hint.vertices:
        if not (0 <= x < width and 0 <= y < height):
            raise HintError(
                f"hint {number} lies outside the photo: x is 0 to {width - 1} and y 0 to "
                f"{height - 1}. Received: [{x:g}, {y:g}]."
            )


def _check_size(painting, photo_size):
    if painting.rgb.shape[:2] != tuple(photo_size):
        height, width = painting.rgb.shape[:2]
        raise HintError(
            f"{painting.name}: painted hints have the size of the photo, {photo_size[1]} x "
            f"{photo_size[0]}. Received: {width} x {height}. Save the layer at the photo's size."
        )


def _draw_painting(painting, part, seen_size):
    import cv2

    rgb, highest = painting.rgb[part], np.iinfo(painting.rgb.dtype).max
    is_painted = painting.alpha[part] >= _OPAQUE * highest
    planes = np.zeros(rgb.shape, np.float32)
    planes[is_painted, :2] = arrays.rgb_to_lab(rgb[is_painted] / highest)[:, 1:]
    planes[is_painted, 2] = 1
    small = cv2.resize(planes, seen_size[::-1], interpolation=cv2.INTER_AREA)
    share = small[..., 2:]
    # A thin line covers little of a pixel, and is meant all the same.
    mask = (share > 0.1).astype(np.float32)
    return np.concatenate([small[..., :2] / np.maximum(share, 1e-3) * mask, mask], axis=-1)
