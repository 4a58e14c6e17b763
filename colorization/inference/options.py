"""How a photo is colored: every knob once, with its default, its bounds and its explanation.

Flags, keyword arguments, web parameters and their schema all come from `KNOBS`; whatever colors
photos takes one `Options`, which checked itself when it was made.
"""

from __future__ import annotations

import contextlib
import dataclasses
import numbers
import os
import typing

from colorization.inference.color_hints import BESIDE, SIDECAR, read_hints
from pipelines.errors import UserError
from pipelines.photos.photo import PictureError

MAX_VARIANTS = 25
MAX_SEED = 2**31 - 1
_KINDS = {int: "a whole number", float: "a number", bool: "True or False"}
_SCHEMA_TYPES = {int: "integer", float: "number", bool: "boolean"}


class OptionError(UserError):
    """An option that cannot be used; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Knob:
    """One field of `Options`.

    Attributes:
        kind: `int`, `float`, `bool`, or `object` for pictures and hints.
        help: What it does, in a sentence or two.
        least: Smallest value, None for kinds without order.
        most: Largest value.
        name: Name of the field; default: its default.
    """

    kind: type
    help: str
    least: int | None = None
    most: int | None = None
    name: str = ""
    default: typing.Any = None

    def check(self, value):
        """Raises an `OptionError` if a value is of another kind or out of bounds."""
        if value is None and self.default is None or self.kind is object:
            return
        # True is an integer to Python; NumPy's numbers are welcome.
        takes = {int: numbers.Integral, float: numbers.Real}.get(self.kind, self.kind)
        fits = isinstance(value, takes) and isinstance(value, bool) == (self.kind is bool)
        if self.least is not None:
            # Written so that NaN, which compares with nothing, does not fit.
            fits = fits and self.least <= value <= self.most
        if not fits:
            raise self._error(value)

    def parse(self, text):
        """Makes a value of text, such as a web form sends.

        Raises:
            OptionError: If the text is none, or the value is out of bounds.
        """
        value = None
        if self.kind is bool:
            value = {"true": True, "1": True, "false": False, "0": False}.get(text.lower())
        else:
            with contextlib.suppress(ValueError):
                value = self.kind(text)
        if value is None:
            raise self._error(text[:40])
        self.check(value)
        return value

    def schema(self):
        """Describes the value as JSON Schema."""
        found = {"type": _SCHEMA_TYPES[self.kind]}
        if self.least is not None:
            found |= {"minimum": self.least, "maximum": self.most}
        return found if self.default is None else found | {"default": self.default}

    def _error(self, value):
        bounds = "" if self.least is None else f" from {self.least} to {self.most}"
        instead = "" if self.default is None else f", or leave it out for {self.default}"
        return OptionError(
            f"{self.name} is {_KINDS[self.kind]}{bounds}. Received: {value!r}. "
            f"Set another value{instead}."
        )


def _knob(default, kind, text, least=None, most=None):
    return dataclasses.field(default=default, metadata={"knob": Knob(kind, text, least, most)})


@dataclasses.dataclass(frozen=True)
class Options:
    """How a photo is colored. Every field has a default.

    Raises:
        OptionError: If a field is of another kind or out of bounds.
    """

    num_variants: int = _knob(
        1,
        int,
        f"Colorings of each photo, 1 to {MAX_VARIANTS}, written as NAME_1, NAME_2 and so on, the "
        "likeliest first; fewer where the model sees no alternative.",
        1,
        MAX_VARIANTS,
    )
    variant: int | None = _knob(
        None,
        int,
        "Number of the one variant that is wanted of num_variants, from 1; default all.",
        1,
        MAX_VARIANTS,
    )
    seed: int = _knob(0, int, "Another seed gives other variants.", 0, MAX_SEED)
    saturation: float = _knob(1.0, float, "Factor of the colors, from 0 (gray) to 2.", 0, 2)
    mask: typing.Any = _knob(
        None,
        object,
        "Picture that is stretched over each photo: color is applied where it is white, none where "
        "it is black.",
    )
    hints: typing.Any = _knob(
        None,
        object,
        "What colors things have: a JSON file of points, strokes and regions, or a transparent PNG "
        f"painted over the photo; {SIDECAR} takes the file NAME{BESIDE[0]} or NAME{BESIDE[1]} "
        "beside each photo. In a file of several pages, hints apply to the first.",
    )
    reference: typing.Any = _knob(
        None,
        object,
        "Photo in color, of the same day, place or film: where it shows what a photo shows, the "
        "photo takes its colors.",
    )
    keep_colored: bool = _knob(
        False,
        bool,
        "Leave photos that have colors already as they are: nothing is written for them.",
    )
    salvage: bool = _knob(
        False,
        bool,
        "Color what can be read of truncated or damaged JPEG and PNG files. By default they are "
        "reported and skipped.",
    )

    def __post_init__(self):
        for name, knob in KNOBS.items():
            knob.check(getattr(self, name))
        if self.variant is not None and self.variant > self.num_variants:
            raise OptionError(
                f"variant chooses one of num_variants={self.num_variants} colorings. Received: "
                f"variant={self.variant}. Raise num_variants, or choose a lower variant."
            )

    def load_files(self):
        """Reads the mask, reference and hints that options name, once for many photos: `Options`.

        Raises `OptionError` and `HintError` if they can't be read.
        """
        loaded = {}
        for name in ("mask", "reference"):
            if not _is_path(getattr(self, name)):
                continue
            # Not above: a run that finds nothing to do reads no photo.
            from pipelines.photos import photo_files

            try:
                loaded[name] = photo_files.read_picture(getattr(self, name))
            except PictureError as error:
                raise OptionError(f"{name}={error}") from error
        if _is_path(self.hints) and self.hints != SIDECAR:
            loaded["hints"] = read_hints(self.hints)
        return dataclasses.replace(self, **loaded) if loaded else self

    def record(self):
        """Dict, for JSON, of all that changes a result: what a folder's manifest keeps."""
        # Of whole files, salvage changes nothing.
        omitted = ("variant", "mask", "hints", "reference", "salvage")
        found = {name: getattr(self, name) for name in KNOBS if name not in omitted}
        for name in ("mask", "hints", "reference"):
            value = getattr(self, name)
            if _is_path(value):
                is_beside = name == "hints" and value == SIDECAR
                found[name] = SIDECAR if is_beside else file_state(value)
        return found


def file_state(path):
    """List, for JSON, that changes when a file does: its name, size and time of change."""
    file = os.stat(path)
    return [os.path.basename(path), file.st_size, file.st_mtime_ns]


def _is_path(value):
    return isinstance(value, (str, os.PathLike))


KNOBS = {
    field.name: dataclasses.replace(field.metadata["knob"], name=field.name, default=field.default)
    for field in dataclasses.fields(Options)
}
