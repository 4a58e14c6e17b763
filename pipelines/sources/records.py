"""Records: pictures in TFRecord shards, read one by one by the places that their index gives.

A record is an element like a file, with a name and a place in a fixed order, which is that of the
pictures before they were sharded. So a run on `records:` has the batches of a run on the folder, a
damaged record costs no other, and nothing is read that is not wanted. Sets of TensorFlow Datasets
are read likewise, from the files that TFDS prepared.
"""

import fnmatch
import hashlib
import os

import tensorflow as tf

from pipelines.errors import UserError, first_line
from pipelines.shards import shard_index
from pipelines.sources import listings, record_places
from pipelines.sources.listings import Source

_AGAIN = "Run pipelines.shard again with the flags that made them: it makes what is missing."
# Of the files of TensorFlow Datasets.
_KIND = "tfrecord"


def open_records(specification, rest):
    """Opens `records:GLOB`, in the order of the pictures before they were sharded, by folder.

    `rest` is a pattern of shards, of a few for a part of the pictures, or a folder of them, on any
    file system that TensorFlow reads. Raises `UserError` if there are no such shards, or their
    index is missing or damaged.
    """
    folders, pattern = [rest.rstrip("/")], "*"
    if not tf.io.gfile.isdir(rest):
        folder, pattern = os.path.split(rest)
        folders = sorted(path.rstrip("/") for path in tf.io.gfile.glob(folder or "."))
    names, handles, digests, paired = [], [], [], set()
    for folder in folders:
        index = _read_index(specification, folder)
        entries = [e for e in index.shards if fnmatch.fnmatchcase(e.shard, pattern)]
        rows = []
        for entry in entries:
            path = os.path.join(folder, entry.shard)
            listing = _read_listing(specification, folder, entry)
            rows += _rows(path, listing)
            digests.append(f"{entry.shard} {entry.sha256} {_size(specification, path)}")
        # By place alone.
        rows.sort(key=lambda row: row[0])
        names += [name for _, name, _ in rows]
        handles += [handle for _, _, handle in rows]
        paired |= {index.is_paired} if entries else set()
    if not names:
        raise UserError(
            f"{specification} names no shards. Expected a folder that pipelines.shard made, or a "
            "pattern of its files, such as 'shards/*.tfrecord', in quotes. Check the path."
        )
    if len(paired) > 1:
        raise UserError(f"{specification} names shards of pairs and others. Train on one kind.")
    return Source(
        specification,
        tf.data.Dataset.from_tensor_slices(handles),
        names,
        read_picture,
        listings.digest(digests),
        read_gray=read_gray_picture if paired == {True} else None,
    )


def read_picture(place):
    """Reads the encoded picture of a record, in color."""
    return record_places.read_feature(place, shard_index.PICTURE)


def read_gray_picture(place):
    """Reads the encoded gray picture of a record of a pair."""
    return record_places.read_feature(place, shard_index.GRAY)


def length(place):
    """Bytes that the record at a place, of texts, takes."""
    return int(place[2])


def _rows(path, listing):
    """Triples of each picture: place in the whole set, name and handle."""
    path = record_places.everywhere(path)
    columns = listing.positions, listing.names, listing.offsets, listing.lengths
    return [
        (position, name, [path, b"%d" % offset, b"%d" % num_bytes])
        for position, name, offset, num_bytes in zip(*columns, strict=True)
    ]


def _read_index(specification, folder):
    path = os.path.join(folder, shard_index.INDEX)
    try:
        return shard_index.load_index(_read(path))
    except tf.errors.NotFoundError as error:
        raise UserError(
            f"{specification} needs shards with their {shard_index.INDEX}, as pipelines.shard "
            f"writes them. Received: {folder}, which has none. Check the path; if the command was "
            "stopped, run it again."
        ) from error
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"{path} can't be read: {first_line(error)}. {_AGAIN}") from error


def _read_listing(specification, folder, entry):
    path = os.path.join(folder, shard_index.listing_name(entry.shard))
    try:
        data = _read(path)
        if hashlib.sha256(data).hexdigest() != entry.listing_sha256:
            raise ValueError("its SHA-256 is not that of the index")
        return shard_index.load_listing(data)
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(
            f"{specification}: {path} can't be read: {first_line(error)}. {_AGAIN}"
        ) from error


def _size(specification, path):
    try:
        return tf.io.gfile.stat(path).length
    except tf.errors.OpError as error:
        raise UserError(
            f"{specification}: {path} can't be read: {first_line(error)}. {_AGAIN}"
        ) from error


def _read(path):
    with tf.io.gfile.GFile(path, "rb") as file:
        return file.read()


def open_set(specification, rest):
    """Opens `tfds:NAME[:SPLIT]`, in the order of the files; the split is `train` unless given.

    The source is one of pairs if the set has pictures named `color` and `gray`, else of the first
    feature that is a picture. Raises `UserError` if the set can't be prepared, is stored otherwise
    than in TFRecord files, or has no pictures or no such split.
    """
    import tensorflow_datasets as tfds

    name, _, split = rest.partition(":")
    split = split or "train"
    try:
        builder = tfds.builder(name)
        features = builder.info.features
        pictures = [k for k in features if isinstance(features[k], tfds.features.Image)]
        keys = ["color", "gray"] if {"color", "gray"} <= set(pictures) else pictures[:1]
        if not keys:
            raise UserError(f"{specification} has no feature that is a picture.")
        builder.download_and_prepare()
        kind = builder.info.file_format.value
        if kind != _KIND:
            raise UserError(
                f"{specification}: sets are read from {_KIND} files. Received: one in {kind}. "
                f"Prepare it with file_format={_KIND!r}."
            )
        rows = _set_rows(builder.info.splits[split].file_instructions, keys)
    except UserError:
        raise
    except Exception as error:
        # TFDS raises its own, urllib's and file system errors alike.
        raise UserError(f"{specification} could not be opened: {first_line(error)}") from error
    return Source(
        specification,
        tf.data.Dataset.from_tensor_slices(rows),
        [f"{specification}#{i}" for i in range(len(rows))],
        read_first_picture,
        listings.digest([builder.info.full_name, split, str(len(rows))]),
        read_gray=read_second_picture if len(keys) == 2 else None,
    )


def _set_rows(instructions, keys):
    """Places of the records that TFDS would read, each with the names of its pictures."""
    keys, rows = [os.fsencode(key) for key in keys], []
    for part in instructions:
        found = record_places.find_places(os.fspath(part.filename))[part.skip :]
        rows += [place + keys for place in (found if part.take == -1 else found[: part.take])]
    return rows


def read_first_picture(place):
    """Reads the encoded picture of a record, in color."""
    return record_places.read_feature(place, place[3])


def read_second_picture(place):
    """Reads the encoded gray picture of a record of a pair."""
    return record_places.read_feature(place, place[4])
