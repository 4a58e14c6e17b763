"""The steps of a batch: find, pair with what is there, color, keep account.

Photos meet what they are to become by a `CoGroupByKey`, so that two photos for one name, and names
that are taken, are found without asking for each, and so that the work is dealt out anew.

Paths travel as bytes, since names of files need not be text. Any step may be done twice; a photo's
last effect is the renaming of a whole file.
"""

import dataclasses
import json
import logging
import os
import time

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.utils import shared

from colorization.beam import places
from colorization.inference import album, plan
from colorization.inference.options import Options
from pipelines.shards import beam_files

FAILED = "failed"
DEAD_LETTERS = "dead_letters.jsonl"
# Seconds between a worker's lines in the log.
_SILENCE = 30.0
_KEYED = beam.typehints.KV[bytes, beam.typehints.Any]
_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Batch:
    """The requested batch: `places.Glob`s, and an output folder without a slash at its end.

    `model` is a folder where every worker finds it, None for the released one; the mask of
    `options` is no path; `since` is the time of `places.state`.
    """

    globs: list
    output: str
    model: str | None
    options: Options
    since: float
    overwrite: bool


def build(pipeline, batch):
    """Adds the steps to a pipeline."""
    sources = (
        pipeline
        | "Globs" >> beam.Create(batch.globs)
        | "Find photos" >> beam.FlatMap(_find_photos, batch).with_output_types(_KEYED)
    )
    outputs = (
        pipeline
        | "Output folder" >> beam.Create([f"{batch.output}/**"])
        | "Find outputs" >> beam.FlatMap(_find_outputs, batch).with_output_types(_KEYED)
    )
    chosen = (
        {"sources": sources, "outputs": outputs}
        | "Pair" >> beam.CoGroupByKey()
        | "Choose" >> beam.ParDo(Choose(batch)).with_outputs(FAILED, main="todo")
    )
    colored = chosen.todo | "Color" >> beam.ParDo(Color(batch))
    letters = (chosen[FAILED], colored) | "Dead letters" >> beam.Flatten()
    _ = (
        pipeline
        | "File of dead letters" >> beam.Create([f"{batch.output}/{DEAD_LETTERS}"])
        | "Write dead letters" >> beam.Map(places.write, beam.pvalue.AsIter(letters))
    )


def _find_photos(glob, batch):
    """Yields pairs: the file that marks a photo as done, and the photo."""
    num_variants = batch.options.num_variants
    for path, changed in beam_files.find(glob.pattern):
        name = places.name(glob, path, batch.output)
        if name is not None:
            first = plan.variant_paths(places.destination(name), num_variants)[0]
            yield os.fsencode(first), (os.fsencode(path), os.fsencode(name), changed)


def _find_outputs(pattern, batch):
    """Yields pairs: a file below the output folder, and when it was changed."""
    for path, changed in beam_files.find(pattern):
        yield os.fsencode(path[len(batch.output) :].lstrip("/")), changed


class Choose(beam.DoFn):
    """Yields the photos to color, with their places below the output; names what is passed over."""

    def __init__(self, batch):
        self._batch = batch
        self._skipped, self._outdated, self._failed = map(_counter, ("skipped", "outdated", FAILED))

    def process(self, element):
        """Chooses of the photos of one name those that are to be colored."""
        name, found = element
        # One photo may match two patterns.
        photos, wanted = sorted(set(found["sources"])), {}
        for photo in photos:
            destination = places.destination(os.fsdecode(photo[1]), apart=len(photos) > 1)
            wanted.setdefault(destination, []).append(photo)
        for destination, (first, *others) in wanted.items():
            for path, *_ in others:
                yield self._refuse(path, destination, first[0])
            path, name, changed = first
            target = plan.variant_paths(destination, self._batch.options.num_variants)[0]
            if os.fsencode(target) == element[0]:
                made = max(found["outputs"], default=None)
            elif FileSystems.exists(f"{os.fsdecode(path)}.png"):
                yield self._refuse(path, destination, path + b".png")
                continue
            else:
                there = FileSystems.join(self._batch.output, str(target))
                made = FileSystems.last_updated(there) if FileSystems.exists(there) else None
            is_current = made is not None and made > self._batch.since and made >= changed
            if made is None or (self._batch.overwrite and not is_current):
                yield path, os.fsencode(destination)
            else:
                self._skipped.inc()
                self._outdated.inc(not is_current)

    def _refuse(self, path, destination, first):
        self._failed.inc()
        path, wanted = os.fsdecode(path), f"{self._batch.output}/{destination}"
        reason = f"{path}: {wanted} is where {os.fsdecode(first)} goes. Color it in a separate run."
        return beam.pvalue.TaggedOutput(FAILED, _letter(path, reason))


class Color(beam.DoFn):
    """Colors photos; yields a line for the dead letters of each that cannot be."""

    def __init__(self, batch):
        self._batch, self._shared = batch, shared.Shared()
        names = ("colored", "kept", FAILED, "not reached")
        self._counters = {name: _counter(name) for name in names}
        self._milliseconds = beam.metrics.Metrics.distribution("colorization", "milliseconds")

    def setup(self):
        """Begins to count."""
        self._model, self._stopped = None, False
        self._done, self._told = 0, time.monotonic()

    def process(self, element):
        """Colors one photo."""
        source, destination = map(os.fsdecode, element)
        if self._stopped:
            self._counters["not reached"].inc()
            return
        if self._model is None:
            # Once for all threads of a worker process, if there is work for it.
            self._model = self._shared.acquire(self._load, self._batch.model)
        start, status, error = time.monotonic(), FAILED, None
        try:
            status = "colored" if self._color(source, destination) else "kept"
        except Exception as failure:
            error = failure
        if album.is_disk_full(error):
            # It is no fault of the photo, and thousands would fail one after the other.
            self._stopped, status = True, "not reached"
            _LOGGER.error("%s", album.reason(source, error))
        elif error is not None:
            yield _letter(source, album.reason(source, error))
        self._counters[status].inc()
        self._milliseconds.update(round(1000 * (time.monotonic() - start)))
        self._done += status == "colored"
        seconds = time.monotonic() - self._told
        if seconds > _SILENCE:
            facts = os.getpid(), self._done, seconds, self._done / seconds
            _LOGGER.info("Worker %d: %d photos in %.0f s, %.1f/s.", *facts)
            self._done, self._told = 0, time.monotonic()

    def _load(self):
        # A process for each processor is how all of Beam's engines use a machine.
        for variable in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "VIPS_CONCURRENCY"):
            os.environ.setdefault(variable, "1")
        import cv2

        from colorization.inference import colorizer

        cv2.setNumThreads(1)
        return colorizer.Colorizer(self._batch.model)

    def _color(self, source, destination):
        """Writes a photo's files, the first, which marks it as done, last."""
        path = FileSystems.join(self._batch.output, destination)
        data = places.read(source)
        made = list(self._model.colorize_bytes(data, source, path, self._batch.options))
        for path, pieces in reversed(made):
            places.write(path, pieces)
        return made


def _counter(name):
    return beam.metrics.Metrics.counter("colorization", name)


def _letter(path, reason):
    return json.dumps({"path": path, "reason": reason}).encode() + b"\n"
