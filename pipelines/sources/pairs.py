"""Pairs: folders of color and of gray pictures that are the same scenes, matched by name.

Networks see the gray picture and learn the color one. Names are paths within a folder without their
suffix, so that `color/sea/1.jpg` matches `gray/sea/1.png`.
"""

import logging
import os
import re

import tensorflow as tf

from pipelines.errors import UserError
from pipelines.files import name_first
from pipelines.sources import listings, record_places
from pipelines.sources.listings import Source

MOST_UNMATCHED = 0.1


def open_pairs(specification, rest):
    """Opens `pairs:color=PATH,gray=PATH`, in either order.

    Returns:
        A `Source` whose names are the paths of the color pictures.

    Raises:
        UserError: If a folder is missing or has no pictures, or as `match_folders`.
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
        [[record_places.everywhere(path) for path in pair] for pair in matched]
    )
    return Source(
        specification,
        elements,
        [color for color, _ in matched],
        listings.read_first_file,
        listings.digest_files(path for pair in matched for path in pair),
        read_gray=listings.read_second_file,
    )


def match_folders(color, gray, specification="pairs"):
    """Matches the pictures of two folders, and of the folders in them, by name.

    Args:
        color: Path of the folder of color pictures.
        gray: Path of the folder of gray ones.
        specification: Of the source, for errors.

    Returns:
        List of pairs `(color_path, gray_path)`, sorted by name. What has no partner is left out,
        counted, and the first ten named in the log.

    Raises:
        UserError: If two pictures of a folder share a name, or more than 10 % have no partner.
    """
    colors, grays = (_by_name(specification, folder) for folder in (color, gray))
    both = sorted(colors.keys() & grays.keys())
    alone = [colors.get(key) or grays[key] for key in sorted(colors.keys() ^ grays.keys())]
    if len(alone) > MOST_UNMATCHED * (len(both) + len(alone)):
        raise UserError(
            f"{specification}: {len(both)} names are in both folders and {len(alone)} in one "
            f"alone, more than {MOST_UNMATCHED:.0%}; the first is {alone[0]}. Expected pictures of "
            "equal names, whatever their suffixes. Rename or remove those without a partner."
        )
    if alone:
        logging.warning(
            "%s: %d of %d pictures have no partner of the same name and are left out: %s",
            specification,
            len(alone),
            len(alone) + 2 * len(both),
            name_first(alone),
        )
    return [(colors[key], grays[key]) for key in both]


def _by_name(specification, folder):
    found = {}
    for path in listings.find_pictures(specification, folder):
        name = os.path.splitext(os.path.relpath(path, folder))[0]
        if name in found:
            raise UserError(
                f"{specification}: a name without its suffix is of one picture in each folder. "
                f"Received: {found[name]} and {path}. Rename or remove one."
            )
        found[name] = path
    return found
