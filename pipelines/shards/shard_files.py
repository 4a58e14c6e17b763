"""A folder of shards: its index, the listing of each shard, and how a worker writes one.

A folder of shards holds `index.json` and, beside each shard, its listing. A shard is described by
its listing alone, so that readers of a part of the shards read that part's. The index comes last: a
folder without one is not finished. The bytes of a shard are a function of its part of the plan and
of the files that it names. Files are as they were, none is encoded anew.

TensorFlow and Beam are imported by the functions: a worker reads this file to find them.

Sources: the shards are TFRecord files (https://www.tensorflow.org/tutorials/load_data/tfrecord) of
`tf.train.Example`, with the feature names that TensorFlow's own image data sets have.
"""

import dataclasses
import functools
import hashlib
import itertools
import json
import logging
import os
import pickle
import tempfile

from pipelines.errors import UserError
from pipelines.shards import beam_files

FORMAT = 1
INDEX = "index.json"
SUFFIX = ".tfrecord"
# Features of an example; the last is of pairs alone.
PICTURE, FILENAME, FORMAT_NAME = "image/encoded", "image/filename", "image/format"
HEIGHT, WIDTH = "image/height", "image/width"
GRAY = "gray/encoded"


def shard_name(number, num_shards):
    """File name of a shard, by its number from 0."""
    return f"pictures-{number:05d}-of-{num_shards:05d}{SUFFIX}"


def listing_name(shard):
    """File name of the listing of a shard, by the shard's."""
    return shard.removesuffix(SUFFIX) + ".json"


@dataclasses.dataclass(frozen=True)
class Listing:
    """What one shard, of a file name, holds, and the digest of the plan that it was made by.

    In its order: each picture's place in the whole set and name; each record's offset and length in
    bytes, its frame included. `damaged` names pictures that belong here and can't be decoded.
    """

    shard: str
    plan: str
    bytes: int
    sha256: str
    positions: list
    names: list
    offsets: list
    lengths: list
    damaged: list


@dataclasses.dataclass(frozen=True)
class Entry:
    """A line of the index: a shard's file name, its pictures, bytes and SHA-256, its listing's."""

    shard: str
    num_pictures: int
    bytes: int
    sha256: str
    listing_sha256: str


@dataclasses.dataclass(frozen=True)
class Index:
    """What a folder of shards holds, an `Entry` for each, in the layout of version `format`.

    `data` is the specification that its pictures were opened by; `plan` and `fingerprint` are
    digests of the plan and of all shards' bytes. `damaged` names pictures that can't be decoded,
    `excluded` those that a list leaves out. `versions` is a dict of the programs that made it.
    """

    data: str
    plan: str
    fingerprint: str
    is_paired: bool
    num_pictures: int
    bytes: int
    damaged: list
    excluded: list
    versions: dict
    shards: list
    format: int = FORMAT


def dump(record):
    """The bytes of the JSON file of an `Index` or a `Listing`: the same of the same."""
    return (json.dumps(dataclasses.asdict(record), indent=1) + "\n").encode()


def load_listing(data):
    """Reads the bytes of a `Listing`; others raise `ValueError`."""
    return _load(Listing, data)


def load_index(data):
    """Reads the bytes of an `Index`; others, and those of another version, raise `ValueError`."""
    index = _load(Index, data)
    if index.format != FORMAT:
        raise ValueError(f"format {index.format}, and this version reads {FORMAT}")
    try:
        return dataclasses.replace(index, shards=[Entry(**entry) for entry in index.shards])
    except TypeError as error:
        raise ValueError("other fields than expected") from error


def _load(kind, data):
    try:
        return kind(**json.loads(data))
    except (TypeError, UnicodeDecodeError) as error:
        raise ValueError("other fields than expected") from error


def fingerprint(entries):
    """Digest of the bytes of all shards, 64 hexadecimal digits."""
    return hashlib.sha256("\n".join(entry.sha256 for entry in entries).encode()).hexdigest()


@dataclasses.dataclass(frozen=True)
class Part:
    """The part of a plan, of a digest, that makes one shard: the first fields of its `Listing`.

    `handles` has what each picture is read by: a text, or a list of texts.
    """

    shard: str
    plan: str
    positions: list
    names: list
    handles: list


def make_shard(path, folder, readers):
    """Writes the shard and the listing of a part of a plan, unless they are there and whole.

    `path` is that of the part, as JSON; `readers` is a pickled pair of functions from a handle to
    the encoded picture and to its gray picture: pickled, since they import TensorFlow, which is
    loud. Raises `UserError` if a file can't be written.
    """
    from apache_beam.metrics import Metrics

    from pipelines import console

    console.import_quietly()
    try:
        part = Part(**json.loads(beam_files.read(path)))
        listing = whole_listing(folder, part)
        is_new = listing is None
        if is_new:
            listing = _write_shard(part, folder, *pickle.loads(readers))
    except OSError as error:
        raise UserError(f"{folder} can't take shards: {' '.join(str(error).split())}") from error
    note = "" if is_new else ", there already"
    said = f"{part.shard}: {len(listing.names)} pictures, {listing.bytes / 1e6:.1f} MB{note}"
    logging.getLogger(__name__).info("%s", said)
    Metrics.counter("shards", "written" if is_new else "kept").inc()


def whole_listing(folder, part):
    """The listing of the shard of a part if both are there, whole and the part's, else None."""
    from apache_beam.io.filesystems import FileSystems

    path = FileSystems.join(folder, part.shard)
    listing_path = FileSystems.join(folder, listing_name(part.shard))
    if not FileSystems.exists(path) or not FileSystems.exists(listing_path):
        return None
    try:
        listing = load_listing(beam_files.read(listing_path))
        if not _is_of(listing, part):
            return None
    except (ValueError, TypeError):
        return None
    digest = hashlib.sha256()
    with beam_files.open_file(path) as file:
        while block := file.read(beam_files.BLOCK):
            digest.update(block)
    return listing if digest.hexdigest() == listing.sha256 else None


def _is_of(listing, part):
    """Whether a listing has all pictures of a part, one after another."""
    damaged = set(listing.damaged)
    rows = zip(part.positions, part.names, strict=True)
    expected = [row for row in rows if row[1] not in damaged]
    *starts, end = itertools.accumulate(listing.lengths, initial=0)
    return (
        listing.plan == part.plan
        and damaged <= set(part.names)
        and list(zip(listing.positions, listing.names, strict=True)) == expected
        and (listing.offsets, listing.bytes) == (starts, end)
    )


def _write_shard(part, folder, read, read_gray):
    import tensorflow as tf
    from apache_beam.io.filesystems import FileSystems

    from pipelines.sources import records

    kept = {"positions": [], "names": [], "offsets": [], "lengths": []}
    damaged, offset = [], 0
    # TensorFlow writes records on this machine, and Beam brings them to where they belong.
    with tempfile.TemporaryDirectory() as local:
        path = os.path.join(local, part.shard)
        with tf.io.TFRecordWriter(path) as writer:
            for position, name, handle in zip(
                part.positions, part.names, part.handles, strict=True
            ):
                try:
                    record = _record(name, handle, read, read_gray)
                except tf.errors.OpError:
                    damaged.append(name)
                    continue
                writer.write(record)
                length = records.BEFORE + len(record) + records.BEHIND
                for key, value in zip(kept, (position, name, offset, length), strict=True):
                    kept[key].append(value)
                offset += length
        with open(path, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            file.seek(0)
            blocks = iter(functools.partial(file.read, beam_files.BLOCK), b"")
            beam_files.write(FileSystems.join(folder, part.shard), blocks)
    listing = Listing(part.shard, part.plan, offset, digest, damaged=damaged, **kept)
    path = FileSystems.join(folder, listing_name(part.shard))
    beam_files.write(path, [dump(listing)])
    return listing


def _record(name, handle, read, read_gray):
    """The bytes of the example of a picture; `tf.errors.OpError` if it can't be read or decoded."""
    import tensorflow as tf

    from pipelines.batches import decoding
    from pipelines.photos import formats

    element = tf.constant(tf.nest.map_structure(os.fsencode, handle))
    encoded = read(element).numpy()
    height, width, _ = decoding.decode_in_graph(encoded).shape
    kind = formats.identify(encoded)
    features = {
        PICTURE: [encoded],
        FILENAME: [os.fsencode(name)],
        FORMAT_NAME: [(kind.name if kind else "unknown").encode()],
        HEIGHT: [height],
        WIDTH: [width],
    }
    if read_gray:
        gray = read_gray(element).numpy()
        decoding.decode_in_graph(gray)
        features[GRAY] = [gray]
    example = tf.train.Example()
    for key, values in features.items():
        feature = example.features.feature[key]
        typed = feature.int64_list if isinstance(values[0], int) else feature.bytes_list
        typed.value.extend(values)
    # Otherwise fields come in any order.
    return example.SerializeToString(deterministic=True)
