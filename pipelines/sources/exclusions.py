"""Lists of pictures to leave out, as an audit writes them and training reads them.

A line is a name and, after a tab, the reason. The name of a file is its path; that of an element of
a tfds set is as `Source.names` gives it. A name that would not survive as a line of text is written
as a JSON string. Lines that start with `#` are comments.
"""

import dataclasses
import json
import logging
import os

import numpy as np

from pipelines.errors import UserError
from pipelines.files import name_first
from pipelines.sources.opener import digest


def exclude(source, path):
    """Returns a source without the pictures that a list names; its listing changes with them.

    Paths in the list may be relative to the working directory. Names that the source does not have
    are counted, and the first ten named in the log. Raises `UserError` if the list can't be read,
    or names every picture.
    """
    listed = {full_name(source, name): name for name in read_names(path)}
    keys = [full_name(source, name) for name in source.names]
    kept = np.array([key not in listed for key in keys], bool)
    unknown = [listed[key] for key in listed.keys() - set(keys)]
    if unknown:
        logging.warning(
            "%s: %d of the %d names are not in %s: %s",
            path,
            len(unknown),
            len(listed),
            source.name,
            name_first(sorted(unknown)),
        )
    if kept.all():
        return source
    if not kept.any():
        raise UserError(
            f"{path} names all {len(kept)} pictures of {source.name}. Expected a list that leaves "
            "some. Shorten it."
        )
    names = [name for name, keep in zip(source.names, kept, strict=True) if keep]
    excluded = [name for name, keep in zip(source.names, kept, strict=True) if not keep]
    return dataclasses.replace(
        source,
        elements=source.taken(kept),
        names=names,
        listing=digest([source.listing, *excluded]),
        excluded=source.excluded + excluded,
    )


def read_names(path):
    """Reads the names of a list, in its order; `UserError` if it can't be read, or is damaged."""
    try:
        with open(path, encoding="utf-8-sig", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except OSError as error:
        raise UserError(
            f"--exclude is a file of names, one a line, as colorization.audit writes it. "
            f"Received: {path}: {error.strerror}."
        ) from error
    names = []
    for number, line in enumerate(lines, 1):
        name = line.partition("\t")[0].rstrip()
        if name.startswith('"'):
            name = _unquote(name, path, number)
        elif not name or name.startswith("#"):
            continue
        names.append(name)
    return names


def format_line(name, reason):
    """Returns a line of a list."""
    return f"{quote(name)}\t{reason}\n"


def quote(name):
    """The name as text of one line: as it is if that can be read back, else a JSON string."""
    plain = name.isprintable() and name == name.strip() and not name.startswith(('"', "#"))
    return name if plain and name else json.dumps(name)


def full_name(source, name):
    """The name of an element from everywhere: of a file the absolute path."""
    return os.path.abspath(name) if source.holds_files else name


def _unquote(text, path, number):
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(
            f"{path}, line {number}: a name that starts with a quotation mark is a JSON string. "
            f"Received: {text}. Correct the line, or remove it."
        ) from error
