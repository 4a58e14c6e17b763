"""Sources: where pictures come from, each a cheap list of elements and a way to read one.

A source is opened in one fixed order, and problems of a set of pictures are reported before
training on it.
"""

import os
import re

from pipelines.errors import UserError
from pipelines.files import sample_photos
from pipelines.sources import listings, oxford, records, video
from pipelines.sources.listings import Source

# What `--data` takes.
FORMS = (
    "folder:PATH, pairs:color=PATH,gray=PATH, records:GLOB, oxford17:PATH[:SPLIT], "
    "video:GLOB[:EVERY], tfds:NAME[:SPLIT] or samples"
)


def open_source(specification, flag="--data", exclude=""):
    """Opens one of `FORMS`, the text of `flag`, or several joined by commas: a `Source`.

    `exclude` is the path of a list of pictures to leave out, see `listings`; empty for none. Raises
    `UserError` if the text is not one of these, or names no pictures, or as `listings.exclude`.
    """
    try:
        parts = [_open_one(part) for part in split_specifications(specification)]
        source = parts[0] if len(parts) == 1 else _join(specification, parts)
    except UserError as error:
        error.args = (f"{flag}: {error}",)
        raise
    return listings.exclude(source, exclude) if exclude else source


def absolute(specification):
    """The same specification with absolute paths, which mean the same in every folder."""
    parts = []
    for part in split_specifications(specification):
        kind, _, rest = part.partition(":")
        if kind == "pairs":
            paths = r"(=\s*)(.+?)(?=,\s*(?:color|gray)\s*=|$)"
            part = re.sub(paths, lambda found: found[1] + os.path.abspath(found[2]), part)
        elif kind in ("folder", "oxford17", "records", "video") and "://" not in rest:
            part = f"{kind}:{os.path.abspath(rest)}"
        parts.append(part)
    return ",".join(parts)


def _join(specification, parts):
    if len({(part.read, part.read_gray) for part in parts}) > 1:
        raise UserError(
            "folders are joined with folders, pairs with pairs and tfds sets with tfds sets. "
            f"Received: {specification}. Train on one kind."
        )
    elements = parts[0].elements
    for part in parts[1:]:
        elements = elements.concatenate(part.elements)
    names = [name for part in parts for name in part.names]
    listing = listings.digest(part.listing for part in parts)
    read, read_gray = parts[0].read, parts[0].read_gray
    return Source(specification, elements, names, read, listing, read_gray=read_gray)


def split_specifications(text):
    """Splits the text of `--data` into what is joined: at commas before a source alone."""
    # Names of folders may hold commas, too.
    return [part.strip() for part in re.split(rf",(?=\s*(?:{_SOURCE_STARTS}))", text)]


def _open_one(specification):
    kind, _, rest = specification.partition(":")
    if kind not in _OPENERS or (kind != "samples" and not rest):
        raise UserError(
            f"expected {FORMS}. "
            f"Received: {repr(specification) if specification else 'nothing'}."
            + (f" Did you mean folder:{specification}?" if os.path.isdir(specification) else "")
        )
    return _OPENERS[kind](specification, rest)


_OPENERS = {
    "folder": listings.open_folder,
    "oxford17": oxford.open_split,
    "pairs": listings.open_pairs,
    "records": records.open_records,
    "samples": lambda specification, _: listings.from_files(specification, sample_photos()),
    "tfds": records.open_set,
    "video": video.open_videos,
}
_SOURCE_STARTS = r"samples\s*(?:,|$)|" + "|".join(f"{kind}:" for kind in _OPENERS)
