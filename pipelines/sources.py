"""Sources: where pictures come from, each a cheap list of elements and a way to read one.

Law of the file: a source reads encoded pictures, never pixels, in one fixed order. What is wrong
with a set of pictures is said before training on it.
"""

import dataclasses
import hashlib
import os
from collections.abc import Callable

import tensorflow as tf

from pipelines import headers


class SourceError(ValueError):
    """A source that names nothing usable. The message says what was expected and received."""


@dataclasses.dataclass(frozen=True)
class Source:
    """Pictures in a fixed order.

    Args:
        name: The specification it was opened by.
        elements: Dataset of handles: paths, or encoded pictures.
        names: One name for each element, for people.
        read: In-graph function from an element to the encoded picture, a scalar string.
        listing: Digest of names and sizes: changes when the pictures do.
        excluded: Names of the elements that were left out by `exclusions.exclude`.
    """

    name: str
    elements: tf.data.Dataset
    names: list
    read: Callable
    listing: str
    excluded: list = dataclasses.field(default_factory=list)


def open_source(specification):
    """Opens `folder:PATH`, `tfds:NAME[:SPLIT]`, `samples`, or several joined by commas.

    Args:
        specification: The text of `--data`.

    Returns:
        A `Source`.

    Raises:
        SourceError: If the specification is not one of these, or names no pictures.
    """
    parts = [_open_one(part.strip()) for part in specification.split(",")]
    if len(parts) == 1:
        return parts[0]
    files, tables = ([p for p in parts if (p.read is tf.io.read_file) == kind] for kind in (1, 0))
    if tables and files:
        raise SourceError(
            "--data joins folders with folders and tfds sets with tfds sets. "
            f"Received: {specification}. Train on one kind."
        )
    elements = parts[0].elements
    for part in parts[1:]:
        elements = elements.concatenate(part.elements)
    names = [name for part in parts for name in part.names]
    listing = digest(part.listing for part in parts)
    return Source(specification, elements, names, parts[0].read, listing)


def _open_one(specification):
    kind, _, rest = specification.partition(":")
    if kind not in _OPENERS or (kind != "samples" and not rest):
        raise SourceError(
            "--data is folder:PATH, tfds:NAME[:SPLIT] or samples. "
            f"Received: {repr(specification) if specification else 'nothing'}."
            + (f" Did you mean folder:{specification}?" if os.path.isdir(specification) else "")
        )
    return _OPENERS[kind](specification, rest)


def _open_folder(specification, path):
    if not os.path.isdir(path):
        raise SourceError(
            f"{specification} needs a folder. Received: {path}, which is none. Check the path."
        )
    found = []
    for folder, folders, names in os.walk(path):
        # Hidden folders hold thumbnails and the like. In place: `walk` stays out of what is gone.
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [os.path.join(folder, n) for n in names if not n.startswith(".")]
    found.sort()
    pictures = [p for p in found if p.lower().endswith(headers.PICTURE_SUFFIXES)]
    if not pictures:
        raise SourceError(
            f"{specification} holds no pictures among its {len(found)} files. Expected files "
            f"that end in {' '.join(headers.PICTURE_SUFFIXES)}. Check the path."
        )
    return _files(specification, pictures)


def _open_samples(specification, _):
    try:
        import skimage
    except ImportError as error:
        raise SourceError(
            "The sample pictures are scikit-image's. Install it: pip install scikit-image."
        ) from error
    folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    names = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")
    return _files(specification, [os.path.join(folder, name) for name in names])


def _files(specification, paths):
    listing = digest(f"{path} {_size(path)}" for path in paths)
    # As bytes: a file system's names need not be UTF-8.
    elements = tf.data.Dataset.from_tensor_slices([os.fsencode(path) for path in paths])
    return Source(specification, elements, paths, tf.io.read_file, listing)


def _size(path):
    # A link that leads nowhere is a damaged picture, which the survey counts.
    return os.path.getsize(path) if os.path.exists(path) else "missing"


def _open_tfds(specification, rest):
    import tensorflow_datasets as tfds

    name, _, split = rest.partition(":")
    split = split or "train"
    try:
        builder = tfds.builder(name)
        features = builder.info.features
        key = next(k for k in features if isinstance(features[k], tfds.features.Image))
        builder.download_and_prepare()
        table = builder.as_dataset(
            split=split,
            decoders={key: tfds.decode.SkipDecoding()},
            shuffle_files=False,
            read_config=tfds.ReadConfig(interleave_cycle_length=1),
        )
    except StopIteration:
        raise SourceError(f"{specification} has no feature that is a picture.") from None
    except Exception as error:
        # TFDS raises its own, urllib's and file system errors alike.
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise SourceError(f"{specification} could not be opened: {reason}") from error
    elements = table.map(lambda row: row[key])
    names = [f"{specification}#{i}" for i in range(len(table))]
    listing = digest([builder.info.full_name, split, str(len(table))])
    return Source(specification, elements, names, tf.identity, listing)


_OPENERS = {"folder": _open_folder, "samples": _open_samples, "tfds": _open_tfds}


def digest(texts):
    """Digest of an iterable of texts, 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(texts).encode(errors="surrogateescape")).hexdigest()
