"""Records: pictures in TFRecord shards, read one by one by the places that their index gives.

A record is an element like a file, with a name and a place in a fixed order, which is that of the
pictures before they were sharded. So a run on `records:` has the batches of a run on the folder, a
damaged record costs no other, and nothing is read that is not wanted. Sets of TensorFlow Datasets
are read likewise, from the files that TFDS prepared.

A place is a string tensor: path of the file, offset and length of the record in bytes, its frame
included. An element is a place and the names of its features, one or two, that are pictures.
"""

import fnmatch
import hashlib
import os
import struct

import tensorflow as tf

from pipelines.errors import UserError, first_line
from pipelines.shards import shard_files
from pipelines.sources import listings
from pipelines.sources.listings import Source

_AGAIN = "Run pipelines.shard again with the flags that made them: it makes what is missing."
# Of the files of TensorFlow Datasets.
_KIND = "tfrecord"
# Bytes of a record before and after its data: its length, and two checksums.
BEFORE, BEHIND = 12, 4


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
            listing, size = _read_listing(specification, folder, entry)
            rows += _rows(os.path.join(folder, entry.shard), listing, index.is_paired)
            digests.append(f"{entry.shard} {entry.sha256} {size}")
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
        read_first_picture,
        listings.digest(digests),
        read_gray=read_second_picture if paired == {True} else None,
    )


def _rows(path, listing, is_paired):
    """Triples of each picture: place in the whole set, name and element."""
    path = listings.everywhere(path)
    keys = [key.encode() for key in (shard_files.PICTURE, shard_files.GRAY)[: 1 + is_paired]]
    columns = listing.positions, listing.names, listing.offsets, listing.lengths
    return [
        (position, name, [path, b"%d" % offset, b"%d" % num_bytes, *keys])
        for position, name, offset, num_bytes in zip(*columns, strict=True)
    ]


def _read_index(specification, folder):
    path = os.path.join(folder, shard_files.INDEX)
    try:
        return shard_files.load_index(_read(path))
    except tf.errors.NotFoundError as error:
        raise UserError(
            f"{specification} needs shards with their {shard_files.INDEX}, as pipelines.shard "
            f"writes them. Received: {folder}, which has none. Check the path; if the command was "
            "stopped, run it again."
        ) from error
    except (ValueError, tf.errors.OpError) as error:
        raise UserError(f"{path} can't be read: {first_line(error)}. {_AGAIN}") from error


def _read_listing(specification, folder, entry):
    """The listing of a shard of the index, and the bytes that the shard now has."""
    path = os.path.join(folder, shard_files.listing_name(entry.shard))
    try:
        data = _read(path)
        if hashlib.sha256(data).hexdigest() != entry.listing_sha256:
            raise ValueError("its SHA-256 is not that of the index")
        listing, path = shard_files.load_listing(data), os.path.join(folder, entry.shard)
        return listing, tf.io.gfile.stat(path).length
    except (ValueError, tf.errors.OpError) as error:
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
        rows = []
        # The records that TFDS would read.
        for part in builder.info.splits[split].file_instructions:
            places = find_places(os.fspath(part.filename))[part.skip :]
            places = places if part.take == -1 else places[: part.take]
            rows += [place + [os.fsencode(key) for key in keys] for place in places]
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


def read_first_picture(element):
    """Reads the encoded picture of a record, in color."""
    return read_feature(element, element[3])


def read_second_picture(element):
    """Reads the encoded gray picture of a record of a pair."""
    return read_feature(element, element[4])


def find_places(path):
    """Lists the places, `[path, offset, length]` in bytes, of all records of a file, in its order.

    The path is on any file system that TensorFlow reads; a file that can't be read is a
    `tf.errors.OpError`.
    """
    name, places, offset = listings.everywhere(path), [], 0
    with tf.io.gfile.GFile(name, "rb") as file:
        size = file.size()
        while offset + BEFORE <= size:
            file.seek(offset)
            length = BEFORE + struct.unpack("<Q", file.read(8))[0] + BEHIND
            places.append([name, b"%d" % offset, b"%d" % length])
            offset += length
    return places


def read_record(place):
    """Reads the record at a place, a string tensor of shape `(3 or more,)`, in-graph.

    Raises `tf.errors.DataLossError` if the record's checksum is not that of its bytes.
    """
    numbers = tf.strings.to_number(place[1:3], tf.int64)
    # A data set of one record, since TensorFlow has no other way to one in the middle.
    file = tf.raw_ops.TFRecordDatasetV2(
        filenames=place[:1], compression_type="", buffer_size=numbers[1], byte_offsets=numbers[:1]
    )
    types = {"output_types": [tf.string], "output_shapes": [[]]}
    first = tf.raw_ops.TakeDataset(input_dataset=file, count=1, **types)
    (record,) = tf.raw_ops.DatasetToSingleElement(dataset=first, **types)
    return record


def read_feature(place, name):
    """Reads a feature that is one string, of the `tf.train.Example` at a place, in-graph."""
    nothing = tf.constant([], tf.string)
    # Not `tf.io.parse_single_example`, whose names are no tensors.
    parsed = tf.raw_ops.ParseExampleV2(
        serialized=read_record(place),
        names=nothing,
        sparse_keys=nothing,
        dense_keys=[name],
        ragged_keys=nothing,
        dense_defaults=[nothing],
        num_sparse=0,
        sparse_types=[],
        ragged_value_types=[],
        ragged_split_types=[],
        dense_shapes=[[]],
    )
    return parsed.dense_values[0]
