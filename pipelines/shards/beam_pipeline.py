"""The plan of shards, the pipeline that makes them, and then their index.

Pictures are spread by the hash of their names, so that each shard is a fair sample of all. What
comes out follows from the pictures and the number of shards, not from where they lie, how many
workers made it, or how often they were stopped. A shard that is there is read, and kept if its
SHA-256 is that of its listing. Imported after `beam_runner.import_beam`, since Beam is an extra.
"""

import dataclasses
import functools
import hashlib
import json
import os
import pickle

import numpy as np
from apache_beam.io.filesystems import FileSystems

from pipelines import console
from pipelines.batches.survey import MOST_DAMAGED
from pipelines.errors import UserError
from pipelines.files import warn_of
from pipelines.photos import formats
from pipelines.shards import beam_files, beam_runner, shard_files
from pipelines.shards.shard_files import Part
from pipelines.sources import listings, opener

# What TensorFlow's guides call for: enough for any file system to be quick.
MEGABYTES = 100
_PLAN = "plan.json"
_PACKAGES = ("apache-beam", "colorization", "tensorflow")


@dataclasses.dataclass(frozen=True)
class Plan:
    """Which picture of a source goes where: a `Part` for each shard.

    The digest changes with the names, sizes and order of the pictures, and the number of shards.
    `readers` is the pair of the source's `read` and `read_gray`.
    """

    data: str
    digest: str
    parts: list
    readers: tuple
    excluded: list


def plan(data, exclude="", num_shards=0, megabytes=MEGABYTES):
    """Makes the `Plan` of which picture goes where, from names and sizes alone.

    The arguments are those of the flags; 0 shards are as many as `megabytes` makes. Raises
    `UserError` if there are fewer pictures than shards, or they are of TensorFlow Datasets, or a
    flag is invalid.
    """
    if any(part.startswith("tfds:") for part in opener.split_specifications(data)):
        raise UserError(
            "Sets of TensorFlow Datasets are shards already. Received: "
            f"--data={data}. Give it to training as it is."
        )
    source = opener.open_source(data)
    shorten = _shortener(source)
    if exclude:
        source = listings.exclude(source, exclude)
    handles = [
        os.fsdecode(element) if isinstance(element, bytes) else list(map(os.fsdecode, element))
        for element in source.elements.as_numpy_iterator()
    ]
    names = [shorten(name) for name in source.names]
    sizes = [_picture_size(source, handle) for handle in handles]
    num_shards = num_shards or max(1, round(sum(sizes) / (megabytes * 1e6)))
    if num_shards > len(names):
        raise UserError(
            f"A shard holds a picture at least. Received: --num_shards={num_shards} for "
            f"{len(names)} pictures. Set --num_shards={len(names)} or less."
        )
    facts = [shard_files.FORMAT, num_shards, source.read_gray is not None, names, sizes]
    digest = listings.digest([json.dumps(facts)])
    keys = [hashlib.sha256(os.fsencode(name)).digest() for name in names]
    order = sorted(range(len(names)), key=keys.__getitem__)
    parts = [
        Part(
            shard_files.shard_name(number, num_shards),
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


def _picture_size(source, handle):
    if not source.holds_files:
        return int(handle[2])  # Of a record.
    paths = [handle] if isinstance(handle, str) else handle
    return sum(size for size in map(listings.size, paths) if size != "missing")


def shard(planned, folder, runner="DirectRunner", beam_options=""):
    """Makes the shards of a plan that are not there yet in a folder, and then their index.

    The folder is new, empty, or of the same plan. Returns the `Index` and how many shards were made
    now. Raises `UserError` if it holds something else or can't be written, or more than 10 % of the
    pictures are damaged; and as `beam_runner.run`.
    """
    apache_beam = beam_runner.import_beam()
    try:
        _open_folder(planned, folder)
        paths = _write_parts(planned, folder)
        step = functools.partial(
            shard_files.make_shard, folder=folder, readers=pickle.dumps(planned.readers)
        )

        def build(pipeline):
            parts = pipeline | "name parts" >> apache_beam.Create(paths)
            # Otherwise one worker gets all.
            parts = parts | "spread over workers" >> apache_beam.Reshuffle()
            return parts | "make shards" >> apache_beam.Map(step)

        counts = beam_runner.run(build, runner, beam_options)
        index = _write_index(planned, folder)
        beam_files.delete(folder, "plan*.json", f".*{beam_files.TEMPORARY}")
    except OSError as error:
        raise UserError(
            f"--output={folder} can't be written: {' '.join(str(error).split())}"
        ) from error
    return index, counts.get("written", 0)


def _open_folder(planned, folder):
    """Makes a folder, or checks that what is in it is of the same plan."""
    found = beam_files.find(FileSystems.join(folder, "*"))
    found = [os.path.basename(path) for path, _ in found]
    found = [name for name in found if not name.endswith(beam_files.TEMPORARY)]
    if found:
        # Any of these names the plan, in case one is damaged; the shortest first.
        files = sorted(found, key=lambda name: (name not in (_PLAN, shard_files.INDEX), name))
        plans = (_plan_of(folder, name) for name in files if name.endswith(".json"))
        digest = next(filter(None, plans), None)
        if digest == planned.digest:
            return
        if digest is None:
            raise UserError(
                "--output is a new or empty folder, or one that this command made. Received: "
                f"{folder}, which holds something else. Choose another."
            )
        if any(name.endswith(shard_files.SUFFIX) for name in found):
            raise UserError(
                f"{folder} holds shards of other pictures, of another list of exclusions or in "
                "another number. Give the same flags to resume, or another --output."
            )
        beam_files.delete(folder, "plan*.json")
    elif not FileSystems.exists(folder):
        FileSystems.mkdirs(folder)
    content = json.dumps({"plan": planned.digest}).encode()
    beam_files.write(FileSystems.join(folder, _PLAN), [content])


def _plan_of(folder, name):
    try:
        return json.loads(beam_files.read(FileSystems.join(folder, name)))["plan"]
    except (ValueError, KeyError, TypeError):
        return None


def _write_parts(planned, folder):
    """Writes what each worker needs to know: of many pictures it is too long for a job's graph."""
    names = [f"plan-{part.shard.removesuffix(shard_files.SUFFIX)}.json" for part in planned.parts]
    paths = [FileSystems.join(folder, name) for name in names]
    for part, path in zip(planned.parts, paths, strict=True):
        beam_files.write(path, [json.dumps(dataclasses.asdict(part)).encode()])
    return paths


def _write_index(planned, folder):
    entries, damaged = [], []
    for part in planned.parts:
        name = shard_files.listing_name(part.shard)
        data = beam_files.read(FileSystems.join(folder, name))
        listing = shard_files.load_listing(data)
        gone = set(listing.damaged)
        damaged += [row for row in zip(part.positions, part.names, strict=True) if row[1] in gone]
        entries.append(
            shard_files.Entry(
                part.shard,
                len(listing.names),
                listing.bytes,
                listing.sha256,
                hashlib.sha256(data).hexdigest(),
            )
        )
    damaged = [name for _, name in sorted(damaged)]
    total = sum(len(part.names) for part in planned.parts)
    _report(planned, damaged, total)
    index = shard_files.Index(
        data=planned.data,
        plan=planned.digest,
        fingerprint=shard_files.fingerprint(entries),
        is_paired=planned.readers[1] is not None,
        num_pictures=total - len(damaged),
        bytes=sum(entry.bytes for entry in entries),
        damaged=damaged,
        excluded=planned.excluded,
        versions=console.installed_versions(_PACKAGES),
        shards=entries,
    )
    beam_files.write(FileSystems.join(folder, shard_files.INDEX), [shard_files.dump(index)])
    return index


def _report(planned, damaged, total):
    if len(damaged) > MOST_DAMAGED * total:
        raise UserError(
            f"{planned.data}: {len(damaged)} of {total} files are damaged or no "
            f"{formats.TRAINED_NAMES} pictures, more than {MOST_DAMAGED:.0%}; the first is "
            f"{damaged[0]}. Remove, convert or exclude them, and take a new --output."
        )
    warn_of(damaged, planned.data, total, "pictures are damaged and are left out")
