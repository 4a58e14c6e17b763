"""Listings: pictures in a fixed order, pairs of them, and lists of those to leave out.

A source reads encoded pictures, never pixels. Its listing is a digest of names and sizes, not of
times, so that a copied folder is the same source.

Of pairs, networks see the gray picture and learn the one in color. Names are paths within a folder
without their suffix, so that `color/sea/1.jpg` matches `gray/sea/1.png`.

A list of pictures to leave out is written by an audit and read by training. A line is a name and,
after a tab, the reason. The name of a file is its path; that of an element of a tfds set is as
`Source.names` gives it. A name that would not survive as a line of text is written as a JSON
string. Lines that start with `#` are comments.
"""

import dataclasses
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from pipelines.errors import UserError
from pipelines.files import is_passed_over, warn_of
from pipelines.photos import formats

MOST_UNMATCHED = 0.1


@dataclasses.dataclass(frozen=True)
class Source:
    """Pictures in a fixed order.

    Args:
        name: The specification it was opened by.
        elements: Dataset of handles, small enough to shuffle many: paths, or places in files; of
            pairs of files two of them, color first.
        names: One name for each element, for people.
        read: In-graph function from an element to the encoded picture, a scalar string; of a pair
            the one in color.
        listing: Digest of names and sizes: changes when the pictures do.
        excluded: Names of the elements that were left out by `exclude`.
        read_gray: In-graph function from an element to the encoded gray picture of a pair, or None
            where the gray is made of the color.
    """

    name: str
    elements: tf.data.Dataset
    names: list
    read: Callable
    listing: str
    excluded: list = dataclasses.field(default_factory=list)
    read_gray: Callable | None = None

    @property
    def holds_files(self):
        """Whether names are paths."""
        return self.read in (tf.io.read_file, read_first_file)

    def read_all(self, element):
        """Reads all that training takes of an element, in-graph.

        It is the encoded picture, a scalar string; or of a pair two, color and gray, of shape
        `(2,)`.
        """
        encoded = self.read(element)
        return encoded if self.read_gray is None else tf.stack([encoded, self.read_gray(element)])

    def taken(self, keep):
        """Dataset of the elements where an array of bools is true."""
        kept = tf.data.Dataset.zip(self.elements, tf.data.Dataset.from_tensor_slices(keep))
        kept = kept.filter(lambda _, keep: keep).map(lambda element, _: element)
        return kept.apply(tf.data.experimental.assert_cardinality(int(keep.sum())))


def read_first_file(paths):
    """Reads the picture in color of a pair of paths."""
    return tf.io.read_file(paths[0])


def read_second_file(paths):
    """Reads the gray picture of a pair of paths."""
    return tf.io.read_file(paths[1])


def find_pictures(specification, path):
    """Lists the paths of all pictures in a folder and in the folders in it, sorted.

    Raises `UserError` if there is no such folder, or no picture in it.
    """
    if not os.path.isdir(path):
        raise UserError(
            f"{specification} needs a folder. Received: {path}, which is not one. Check the path."
        )
    found, linked = [], []
    for folder, folders, names in os.walk(path):
        # In place: `walk` stays out of what is gone.
        folders[:] = [name for name in folders if not is_passed_over(name)]
        linked += [p for p in (os.path.join(folder, n) for n in folders) if os.path.islink(p)]
        found += [os.path.join(folder, name) for name in names if not is_passed_over(name)]
    found.sort()
    pictures = [p for p in found if p.lower().endswith(formats.PICTURE_SUFFIXES)]
    unread = [path for path in found if formats.is_unread(path)]
    for line in formats.left_out_lines(specification, unread, sorted(linked)):
        logging.warning("%s", line)
    if not pictures:
        held = f"{len(found):,} others" if found else "no file at all"
        raise UserError(
            f"{specification} needs a folder of pictures, files that end in "
            f"{' '.join(formats.PICTURE_SUFFIXES)}. Received: {path}, which holds {held}. Check "
            "the path."
        )
    return pictures


def everywhere(path):
    """A path that holds in any working directory, as that of a tf.data service's worker.

    As bytes: names in a file system need not be UTF-8.
    """
    return os.fsencode(path if "://" in path else os.path.abspath(path))


def from_files(specification, paths):
    """Makes a source of the files at some paths, in their order."""
    elements = tf.data.Dataset.from_tensor_slices([everywhere(path) for path in paths])
    return Source(specification, elements, paths, tf.io.read_file, digest_files(paths))


def open_folder(specification, path):
    """Opens `folder:PATH`."""
    return from_files(specification, find_pictures(specification, path))


def digest_files(paths):
    """Digest of paths and the sizes of their files."""
    return digest(f"{path} {size(path)}" for path in paths)


def digest(texts):
    """Digest of an iterable of texts, 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(texts).encode(errors="surrogateescape")).hexdigest()


def size(path):
    """Bytes of a file, or "missing"."""
    # A link that leads nowhere is a damaged picture, which the survey counts.
    return os.path.getsize(path) if os.path.exists(path) else "missing"


def open_pairs(specification, rest):
    """Opens `pairs:color=PATH,gray=PATH`, in either order; names are paths of the color pictures.

    Raises `UserError` if a folder is missing or has no pictures, or as `match_folders`.
    """
    parts = re.split(r",(?=\s*(?:color|gray)\s*=)", rest)
    named = [part.strip().partition("=")[::2] for part in parts]
    folders = dict(named)
    if sorted(key for key, _ in named) != ["color", "gray"] or not all(folders.values()):
        raise UserError(
            f"Pairs name two folders: pairs:color=PATH,gray=PATH. Received: {specification}."
        )
    matched = match_folders(folders["color"], folders["gray"], specification)
    elements = tf.data.Dataset.from_tensor_slices(
        [[everywhere(path) for path in pair] for pair in matched]
    )
    return Source(
        specification,
        elements,
        [color for color, _ in matched],
        read_first_file,
        digest_files(path for pair in matched for path in pair),
        read_gray=read_second_file,
    )


def match_folders(color, gray, specification="pairs"):
    """Matches the pictures of two folders, and of the folders in them, by name.

    Returns pairs `(color_path, gray_path)`, sorted by name. What has no partner is left out,
    counted, and the first ten named in the log. Raises `UserError`, which names the source by
    `specification`, if two pictures of a folder share a name, or more than 10 % have no partner.
    """
    colors, grays = (_by_name(specification, folder) for folder in (color, gray))
    both = sorted(colors.keys() & grays.keys())
    alone = [colors.get(key) or grays[key] for key in sorted(colors.keys() ^ grays.keys())]
    if len(alone) > MOST_UNMATCHED * (len(both) + len(alone)):
        raise UserError(
            f"{specification}: {len(both)} names are in both folders and {len(alone)} in one "
            f"alone, more than {MOST_UNMATCHED:.0%}; the first is {alone[0]}. Expected pictures of "
            "equal names, with any suffixes. Rename or remove those without a partner."
        )
    what = "pictures have no partner of the same name and are left out"
    warn_of(alone, specification, len(alone) + 2 * len(both), what)
    return [(colors[key], grays[key]) for key in both]


def _by_name(specification, folder):
    found = {}
    for path in find_pictures(specification, folder):
        name = os.path.splitext(os.path.relpath(path, folder))[0]
        if name in found:
            raise UserError(
                f"{specification}: a name without its suffix is of one picture in each folder. "
                f"Received: {found[name]} and {path}. Rename or remove one."
            )
        found[name] = path
    return found


def exclude(source, path):
    """Returns a source without the pictures that a list names; its listing changes with them.

    Paths in the list may be relative to the working directory. Names that the source does not have
    are counted, and the first ten named in the log. Raises `UserError` if the list can't be read,
    or names every picture.
    """
    listed = {full_name(source, name): name for name in read_names(path)}
    keys = [full_name(source, name) for name in source.names]
    kept = np.array([key not in listed for key in keys], bool)
    unknown = sorted(listed[key] for key in listed.keys() - set(keys))
    warn_of(unknown, path, f"the {len(listed)}", f"names are not in {source.name}")
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
            try:
                names.append(json.loads(name))
            except ValueError as error:
                raise UserError(
                    f"{path}, line {number}: a name that starts with a quotation mark is a JSON "
                    f"string. Received: {name}. Correct the line, or remove it."
                ) from error
        elif name and not name.startswith("#"):
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
