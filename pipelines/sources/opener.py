"""Sources: where pictures come from, each a cheap list of elements and a way to read one.

Law of the file: a source is opened in one fixed order, and what is wrong with a set of pictures is
said before training on it.
"""

import os
import re

import tensorflow as tf

from pipelines.errors import UserError
from pipelines.sources import listings, oxford, pairs, records, video
from pipelines.sources.listings import Source, digest

__all__ = ["Source", "digest", "open_source", "split_specifications"]

# What `--data` takes.
FORMS = (
    "folder:PATH, pairs:color=PATH,gray=PATH, records:GLOB, oxford17:PATH[:SPLIT], "
    "video:GLOB[:EVERY], tfds:NAME[:SPLIT] or samples"
)


def open_source(specification):
    """Opens one of `FORMS`, or several joined by commas.

    Args:
        specification: The text of `--data`.

    Returns:
        A `Source`.

    Raises:
        UserError: If the specification is not one of these, or names no pictures.
    """
    parts = [_open_one(part) for part in split_specifications(specification)]
    if len(parts) == 1:
        return parts[0]
    if len({(part.read, part.read_gray) for part in parts}) > 1:
        raise UserError(
            "--data joins folders with folders, pairs with pairs and tfds sets with tfds sets. "
            f"Received: {specification}. Train on one kind."
        )
    elements = parts[0].elements
    for part in parts[1:]:
        elements = elements.concatenate(part.elements)
    names = [name for part in parts for name in part.names]
    listing = digest(part.listing for part in parts)
    return Source(
        specification, elements, names, parts[0].read, listing, read_gray=parts[0].read_gray
    )


def split_specifications(text):
    """Splits the text of `--data` into what is joined, at all commas but those within pairs."""
    return [part.strip() for part in re.split(r",(?!\s*\w+=)", text)]


def _open_one(specification):
    kind, _, rest = specification.partition(":")
    if kind not in _OPENERS or (kind != "samples" and not rest):
        raise UserError(
            f"--data is {FORMS}. "
            f"Received: {repr(specification) if specification else 'nothing'}."
            + (f" Did you mean folder:{specification}?" if os.path.isdir(specification) else "")
        )
    return _OPENERS[kind](specification, rest)


def _open_folder(specification, path):
    return listings.from_files(specification, listings.find_pictures(specification, path))


def _open_samples(specification, _):
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            "The sample pictures are scikit-image's. Install it: pip install scikit-image."
        ) from error
    folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    return listings.from_files(specification, [os.path.join(folder, name) for name in names])


def _open_tfds(specification, rest):
    import tensorflow_datasets as tfds

    name, _, split = rest.partition(":")
    split = split or "train"
    try:
        builder = tfds.builder(name)
        features = builder.info.features
        pictures = [k for k in features if isinstance(features[k], tfds.features.Image)]
        keys = ["color", "gray"] if {"color", "gray"} <= set(pictures) else [next(iter(pictures))]
        builder.download_and_prepare()
        table = builder.as_dataset(
            split=split,
            decoders=dict.fromkeys(keys, tfds.decode.SkipDecoding()),
            shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
    except StopIteration:
        raise UserError(f"{specification} has no feature that is a picture.") from None
    except Exception as error:
        # TFDS raises its own, urllib's and file system errors alike.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise UserError(f"{specification} could not be opened: {reason}") from error
    names = [f"{specification}#{i}" for i in range(len(table))]
    listing = digest([builder.info.full_name, split, str(len(table))])
    if len(keys) == 1:
        elements = table.map(lambda row: row[keys[0]])
        return Source(specification, elements, names, tf.identity, listing)
    elements = table.map(lambda row: tf.stack([row[key] for key in keys]))
    return Source(
        specification, elements, names, listings.first, listing, read_gray=listings.second
    )


_OPENERS = {
    "folder": _open_folder,
    "oxford17": oxford.open_split,
    "pairs": pairs.open_pairs,
    "records": records.open_records,
    "samples": _open_samples,
    "tfds": _open_tfds,
    "video": video.open_videos,
}
