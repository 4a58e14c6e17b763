"""The index of sharded pictures: which shards there are, and where in them each picture lies.

A folder of shards holds `index.json` and, beside each shard, its listing. A shard
is described by its listing alone, so that readers of a part of the shards read that part's. The
index comes last: a folder without one is not finished.

Sources: the shards are TFRecord files (https://www.tensorflow.org/tutorials/load_data/tfrecord) of
`tf.train.Example`, with the feature names that TensorFlow's own image data sets have.
"""

import dataclasses
import hashlib
import json

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
    """What one shard holds.

    Args:
        shard: Its file name.
        plan: Digest of the plan that it was made by.
        bytes: Its size.
        sha256: Of its bytes.
        positions: Of each picture, in the order of the shard, its place in the whole set.
        names: Of each picture.
        offsets: Of each record, in bytes from the start of the shard.
        lengths: Of each record, in bytes, its frame included.
        damaged: Names of pictures that belong here and can't be decoded.
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
    """What a folder of shards holds.

    Args:
        data: The specification that its pictures were opened by.
        plan: Digest of the plan that the shards were made by.
        fingerprint: Digest of the shards' bytes.
        is_paired: Whether each record holds a gray picture too.
        num_pictures: In all shards.
        bytes: Of all shards.
        damaged: Names of pictures left out since they can't be decoded.
        excluded: Names of pictures left out by a list.
        versions: Dict of the programs that made it.
        shards: An `Entry` for each.
        format: Version of this layout.
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
