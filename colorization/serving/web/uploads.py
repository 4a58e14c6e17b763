"""Photos of requests, refused before they are decoded, and the problems that clients are told of.

No byte of a request names a path. A photo is received into a folder of its own; its format is
identified by its first bytes, and its size by its header, by the same libraries that decode it.

Source: RFC 9457 (Problem Details for HTTP APIs); RFC 6585 and RFC 9110 (Retry-After).
"""

import dataclasses
import http
import json
import os
import pathlib
import re
import shutil
import unicodedata

from colorization.inference.color_hints import HintError, parse_json
from colorization.inference.options import KNOBS, Knob, OptionError, Options
from pipelines.photos import decoders, formats

# Reason, which programs may act upon and by which failures are counted: status and meaning.
REASONS = {
    "bad-request": (400, "A parameter is wrong, or there is not one photo in the request."),
    "aborted": (400, "The client went away before its turn came."),
    "cross-site": (403, "A page of another site sent it."),
    "not-found": (404, "There is no such path."),
    "method-not-allowed": (405, "The path takes other methods."),
    "too-many-bytes": (413, "The file is larger than `max_bytes`."),
    "no-picture": (415, "The file is no picture of a known kind."),
    "encoded-body": (415, "The body is compressed."),
    "too-many-pixels": (422, "The photo has more than `max_pixels` pixels."),
    "too-many-pages": (422, "The photo has more than 100 pages."),
    "unusable-picture": (422, "The photo is damaged."),
    "unusable-hints": (422, "Hints or reference don't suit the photo, or the model takes none."),
    "no-such-variant": (422, "The model sees fewer colorings of the photo."),
    "busy": (429, "The queue is full."),
    "internal": (500, "An error of the server, which its log explains."),
    "no-model-server": (502, "The server that holds the model cannot be reached."),
    "waited-too-long": (503, "The photo's turn did not come in time."),
    "stopping": (503, "The server is being stopped."),
    "worked-too-long": (504, "Coloring this photo takes longer than this server allows."),
    "no-space": (507, "The server has no room for the photo now."),
}
MEDIA_TYPE = "application/problem+json"
MAX_VARIANTS = 8
MAX_PAGES = 100
_LONGEST_NAME = 100
_FIELD = "photo"
# The form's other files: pictures that say what stays gray, and whose colors are taken.
PICTURES = ("mask", "reference")
# The parameter that says what the photo is called at the client.
NAME = "name"
# The parameter that says what colors things have, as JSON, and those that say where one is asked.
HINTS = "hints"
PLACE = {
    "x": Knob(float, "Column in the photo's own pixels; 0 is the left edge.", name="x"),
    "y": Knob(float, "Row in the photo's own pixels, from the top.", name="y"),
}


class Problem(Exception):
    """A request that is not fulfilled: one of `REASONS`, and one line for people.

    `retry_after` are the seconds after which the same request may succeed, or None.
    """

    def __init__(self, reason, detail, retry_after=None):
        super().__init__(detail)
        self.reason = reason
        self.status, _ = REASONS[reason]
        self.retry_after = retry_after

    def document(self):
        """The problem document, as UTF-8 bytes of JSON."""
        members = {
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            "reason": self.reason,
        }
        return json.dumps(members, ensure_ascii=False).encode()


@dataclasses.dataclass(frozen=True)
class Upload:
    """A photo that was received, and the paths of those of `PICTURES` that came with it.

    `num_pixels` are those of all its pages, 0 where its header does not say; `name` is for its
    colored version.
    """

    path: pathlib.Path
    kind: formats.Format
    num_pixels: int
    name: str
    pictures: dict


def knobs(max_variants):
    """The options that a request may set: a dict of `Knob`, for so many colorings at most."""
    found = {name: KNOBS[name] for name in ("num_variants", "variant", "seed", "saturation")}
    for name in ("num_variants", "variant"):
        found[name] = dataclasses.replace(found[name], most=max_variants)
    return found


def read_options(values, known):
    """Reads the parameters of a request: `Options`, and a dict of those in `PLACE`.

    `known` are the knobs that may be set: of those in `PLACE` all must be. Raises `Problem` if one
    is unknown, missing or out of range, or hints can't be used.
    """
    for name in values:
        if name not in (NAME, HINTS, *known):
            raise Problem(
                "bad-request",
                f"The parameters are {NAME}, {HINTS}, {', '.join(known)}. Received: {name[:40]!r}.",
            )
    for name in PLACE.keys() & known.keys() - set(values):
        raise Problem("bad-request", f"{name} is needed. Received: none.")
    try:
        found = {name: known[name].parse(values[name]) for name in values if name in known}
        place = {name: found.pop(name) for name in PLACE if name in found}
        if HINTS in values:
            found["hints"] = parse_json(values[HINTS], HINTS)
        return Options(**found), place
    except OptionError as error:
        raise Problem("bad-request", str(error)) from error
    except HintError as error:
        raise Problem("unusable-hints", sentence(error)) from error


def sentence(error):
    """The line of an error with a capital at its start."""
    return str(error)[:1].upper() + str(error)[1:]


def receive(request, folder, name, max_bytes, max_pixels):
    """Stores the photo of Flask's request, a picture or a form, in an empty folder: an `Upload`.

    A form has one photo in it and perhaps some of `PICTURES`. `name` is the photo's at the client,
    empty to take that of the form's file. Raises `Problem` if there is no picture, or it is too
    large.
    """
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise Problem("encoded-body", "Send the photo itself, without a Content-Encoding.")
    path, pictures = pathlib.Path(folder, _FIELD), {}
    if request.mimetype == "multipart/form-data":
        files = request.files
        photos = [file for key in files if key not in PICTURES for file in files.getlist(key)]
        if len(photos) != 1 or _FIELD not in files:
            names = ", ".join(sorted(files))[:80] or "none"
            raise Problem(
                "bad-request",
                f"Expected one file in a field named {_FIELD!r}. Received: {len(photos)} "
                f"({names}).",
            )
        photos[0].save(path)
        name = name or photos[0].filename or ""
        for field in files.keys() & PICTURES:
            picture = pictures[field] = pathlib.Path(folder, field)
            files[field].save(picture)
            _count_pixels(picture, _kind(picture), max_pixels)
    else:
        with open(path, "xb") as file:
            shutil.copyfileobj(request.stream, file, 1 << 20)
    size = path.stat().st_size
    if not size:
        raise Problem("bad-request", "Expected a photo. Received: an empty body or file.")
    if size > max_bytes:
        raise Problem(
            "too-many-bytes",
            f"A photo may have up to {max_bytes:,} bytes here. Received: {size:,}.",
        )
    kind = _kind(path)
    num_pixels = _count_pixels(path, kind, max_pixels)
    return Upload(path, kind, num_pixels, safe_name(name, kind), pictures)


def _kind(path):
    with open(path, "rb") as file:
        kind = formats.identify(file.read(formats.START))
    if kind is None:
        raise Problem(
            "no-picture",
            f"Expected a {formats.READ_NAMES} picture. Received: a file that is none of these, "
            "in spite of its name.",
        )
    return kind


def _count_pixels(path, kind, max_pixels):
    try:
        sizes = decoders.page_sizes(path, kind, MAX_PAGES)
    except decoders.TooManyPages as error:
        raise Problem(
            "too-many-pages",
            f"A TIFF file may have up to {MAX_PAGES} pages here. Received: {error.count:,}. "
            "Split it.",
        ) from error
    except decoders.NotTold:
        return 0  # The decoder says best what is wrong with it.
    total = sum(height * width for height, width in sizes)
    if total > max_pixels:
        height, width = sizes[0]
        pages = f" on {len(sizes)} pages" if len(sizes) > 1 else ""
        raise Problem(
            "too-many-pixels",
            f"A photo may have up to {max_pixels:,} pixels here. Received: {width} x {height}"
            f"{pages} = {total:,}. Make it smaller first.",
        )
    return total


def safe_name(name, kind):
    """Makes the name of a colored photo, such as `grandmother_color.jpg`, of the original's.

    It is one part of a path, of at most 100 characters before `_color`, that hides on no system and
    holds nothing that breaks headers, shells or disks.
    """
    suffixes = kind.suffixes if kind.writer else (".png",)
    name = unicodedata.normalize("NFC", re.split(r"[/\\]", name)[-1])
    # Control characters, marks that turn text around, halves of characters; then what Windows bars.
    name = "".join(char for char in name if unicodedata.category(char)[0] != "C")
    name = re.sub(r'[<>:"|?*]', "_", name)
    stem, suffix = os.path.splitext(name)
    stem = stem.strip(" .")[:_LONGEST_NAME] or "photo"
    suffix = suffix if suffix.lower() in suffixes else suffixes[0]
    return f"{stem}_color{suffix}"
