"""Which picture goes into which shard, from names and sizes alone.

Pictures are spread by the hash of their names, so that each shard is a fair sample
of all. A plan follows from the pictures and the number of shards, not from where they lie.
"""

import dataclasses
import hashlib
import json
import os

import numpy as np

from pipelines.errors import UserError
from pipelines.shards import shard_index
from pipelines.shards.shard_writer import Part
from pipelines.sources import exclusions, listings, opener, records

# What TensorFlow's guides call for: enough for any file system to be quick.
MEGABYTES = 100


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which picture goes where.

    Args:
        data: The specification of the source.
        digest: Changes with the names, sizes and order of the pictures, and the number of shards.
        parts: A `Part` for each shard.
        readers: Pair of the source's `read` and `read_gray`.
        excluded: Names that were left out by a list.
    """

    data: str
    digest: str
    parts: list
    readers: tuple
    excluded: list


def plan(data, exclude="", num_shards=0, megabytes=MEGABYTES):
    """Plans which picture goes where, from names and sizes alone.

    Args:
        data: As `--data`.
        exclude: Path of a list of pictures to leave out; empty: none.
        num_shards: How many to make; 0: as many as `megabytes` makes.
        megabytes: About what a shard holds.

    Returns:
        A `Plan`.

    Raises:
        UserError: If there are fewer pictures than shards, or they are of TensorFlow Datasets, or
            `data` or `exclude` is none.
    """
    if any(part.startswith("tfds:") for part in opener.split_specifications(data)):
        raise UserError(
            "Sets of TensorFlow Datasets are shards already. Received: "
            f"--data={data}. Give it to training as it is."
        )
    source = opener.open_source(data)
    shorten = _shortener(source)
    if exclude:
        source = exclusions.exclude(source, exclude)
    handles = [_handle(element) for element in source.elements.as_numpy_iterator()]
    names = [shorten(name) for name in source.names]
    sizes = [_size(source, handle) for handle in handles]
    num_shards = num_shards or max(1, round(sum(sizes) / (megabytes * 1e6)))
    if num_shards > len(names):
        raise UserError(
            f"A shard holds a picture at least. Received: --num_shards={num_shards} for "
            f"{len(names)} pictures. Set --num_shards={len(names)} or less."
        )
    facts = [shard_index.FORMAT, num_shards, source.read_gray is not None, names, sizes]
    digest = listings.digest([json.dumps(facts)])
    keys = [hashlib.sha256(os.fsencode(name)).digest() for name in names]
    order = sorted(range(len(names)), key=keys.__getitem__)
    parts = [
        Part(
            shard_index.shard_name(number, num_shards),
            digest,
            rows.tolist(),
            [names[row] for row in rows],
            [handles[row] for row in rows],
        )
        for number, rows in enumerate(np.array_split(order, num_shards))
    ]
    excluded = [shorten(name) for name in source.excluded]
    return Plan(data, digest, parts, (source.read, source.read_gray), excluded)


def _shortener(source):
    """Function to the names that records get: paths within the folder that all files are in."""
    if not source.holds_files:
        return str
    paths = [os.path.abspath(name) for name in source.names]
    folder = os.path.dirname(paths[0]) if len(set(paths)) == 1 else os.path.commonpath(paths)
    return lambda name: os.path.relpath(name, folder)


def _handle(element):
    """The element as text, or a list of texts."""
    texts = [os.fsdecode(text) for text in np.atleast_1d(element)]
    return texts if np.ndim(element) else texts[0]


def _size(source, handle):
    if not source.holds_files:
        return records.length(handle)
    paths = [handle] if isinstance(handle, str) else handle
    return sum(size for size in map(listings.size, paths) if size != "missing")
