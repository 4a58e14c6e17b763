"""Colors all photos of a plan and keeps account of them; none of them can end the run.

`run` is a whole run, as the command does it; `color` is its middle.

The account is a file of one JSON line for each photo, so that an interrupted run can be resumed.
Lines are only ever appended, and the last about a photo counts. A line that a crash cut short, or
that another program wrote, counts as missing.
"""

import collections
import dataclasses
import errno
import functools
import json
import os
import sys
import textwrap
import time

from colorization.inference import color_hints, threads
from colorization.inference.options import file_state
from pipelines import console
from pipelines.errors import UserError
from pipelines.photos.photo import TakenError

FILENAME = "colorization.jsonl"
# Of all photos in progress together: 1 GB of memory, or 2 of 16 bits. One that is larger is colored
# alone.
MAX_PIXELS = 100_000_000
# Of a volume, of a user's share of it.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class CannotGoOn(Exception):
    """Why none of the photos that are left can be colored either; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a run.

    Attributes:
        counts: `collections.Counter` of photos by `Record.status`, and of those not reached.
        seconds: How long coloring took.
        report: Path of the page that shows photos before and after, None without one.
        stop: `threads.Stop`, requested if the run was ended early.
    """

    counts: dict
    seconds: float
    report: object
    stop: threads.Stop


@dataclasses.dataclass(frozen=True)
class Settings:
    """How a run treats files.

    Args:
        overwrite: Whether files that are there may be replaced.
        skip_existing: Whether photos are passed over whose files are there; see `choose`.
        keep_times: Whether colored files get the dates of their photos' files.
        report: Whether a page shows photos before and after.
        num_threads: Photos in progress, at most.
    """

    overwrite: bool
    skip_existing: bool
    keep_times: bool
    report: bool
    num_threads: int


def run(planned, records, open_colorizer, describe, options, settings, tell):
    """Colors what is to be colored of a plan, showing progress on a terminal: an `Outcome`.

    `open_colorizer` loads the model, if it is needed; `describe` tells its `description`, which
    needs no model to be loaded. `options` are `Options`, and what the records say of them; `tell`
    is a function of a line about what does not go well.
    """
    (options, made_with), color_one = options, None
    overwrite, skip_existing = settings.overwrite, settings.skip_existing
    if skip_existing and records.records:
        made_with = _named(describe()) | made_with
    chosen = choose(
        planned.jobs, records, made_with, overwrite=overwrite, skip_existing=skip_existing
    )
    # With nothing to do, no model is loaded.
    if chosen.todo:
        model = open_colorizer()
        model.check(options)
        if options.reference is not None:
            opened = model.open_reference(options.reference)
            options = dataclasses.replace(options, reference=opened)
        made_with = _named(model.description) | made_with
        color_one = functools.partial(_color_file, model, options, settings)
    for line in chosen.lines():
        tell(line)
    pages = None
    if settings.report:
        # This takes a part of a second.
        from colorization.inference import photo_pages

        pages = photo_pages.Report(planned.folder)
        color_one = pages.following(color_one)
    counts, start, stop = chosen.counts(), time.monotonic(), threads.Stop()
    with threads.stopped_by_signals(
        stop, "Stopping after the photos in progress. Repeat to stop at once."
    ):
        with console.progress("Coloring", len(chosen.todo), "photo", len(chosen.todo) < 2) as bar:
            todo = chosen.todo, color_one, records, made_with, stop, settings.num_threads
            for record in color(*todo):
                counts[record.status] += 1
                if record.message:
                    bar.write(record.message, file=sys.stderr)
                bar.update()
        seconds = time.monotonic() - start
        if pages is not None and not stop.requested:
            _write_report(pages, planned.jobs, records.records, stop)
    counts["not reached"] = len(planned.jobs) - counts.total()
    shown = None if pages is None or stop.requested else pages.path
    return Outcome(counts, seconds, shown, stop)


def _color_file(model, options, settings, job):
    found = os.stat(job.source)
    made = model.colorize_file(job.source, job.destination, options, overwrite=settings.overwrite)
    for path in made if settings.keep_times else ():
        os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    return made


def _named(description):
    return {name: description.get(name) for name in ("name", "version")}


def _write_report(pages, jobs, records, stop):
    with console.progress("Report", len(jobs), "photo", len(jobs) < 2) as bar:
        for _ in pages.prepare(jobs, records, stop):
            bar.update()
    if stop.requested:
        return
    try:
        pages.write(jobs, records)
    except OSError as error:
        stop.reason = f"{pages.path}: cannot be written: {error.strerror or error}."


def color(jobs, color_one, manifest, made_with, stop, num_threads=None):
    """Colors photos, `num_threads` at a time, unless they have more than `MAX_PIXELS` together.

    `color_one` is a function of a `Job`, called in threads, that writes whole files and returns
    their paths, none if the photo has colors and was left alone. A stop is requested here, too,
    when the disk is full or `color_one` raised `CannotGoOn`: thousands of photos would fail one
    after the other.

    Yields the `Record` of each photo, which the `Manifest` is given too, in order of completion.
    One whose file another run wrote in the meantime is `"skipped"`, and not recorded there.
    """
    allowance = threads.Allowance(MAX_PIXELS)

    def color_in_turn(job):
        # Not above: a run that finds nothing to do needs no libvips.
        from pipelines.photos import photo_files

        with allowance.taking(photo_files.count_pixels(job.source)):
            return color_one(job)

    work = functools.partial(_attempt, color_in_turn, manifest.path, made_with)
    for record, error in threads.run(work, jobs, stop, num_threads):
        if is_disk_full(error) or isinstance(error, CannotGoOn):
            stop.reason = record.message
            # It is no fault of the photo.
            continue
        if isinstance(error, TakenError):
            yield dataclasses.replace(record, status="skipped", message="")
            continue
        try:
            manifest.add(record)
        except OSError as failure:
            stop.reason = f"{manifest.path}: cannot be written: {failure.strerror or failure}."
        yield record


def _attempt(color_one, manifest_path, made_with, job):
    start, size, mtime_ns, outputs, problem = time.monotonic(), 0, 0, (), None
    try:
        # Before it is read: a change in the meantime shows.
        found = os.stat(job.source)
        size, mtime_ns = found.st_size, found.st_mtime_ns
        made_with = of_photo(made_with, job.source)
        job.destination.parent.mkdir(parents=True, exist_ok=True)
        outputs = color_one(job)
    except Exception as error:
        problem = error
    if manifest_path is not None:
        outputs = [path.relative_to(manifest_path.parent) for path in outputs]
    record = Record(
        source=job.name,
        size=size,
        mtime_ns=mtime_ns,
        status="failed" if problem is not None else "colored" if outputs else "kept",
        outputs=tuple(map(str, outputs)),
        message="" if problem is None else reason(job.source, problem),
        seconds=round(time.monotonic() - start, 3),
        made_with=made_with,
    )
    return record, problem


def reason(source, error):
    """Says in one line, with the photo's path in it, why a photo could not be colored."""
    if isinstance(error, (UserError, CannotGoOn)):
        message = str(error)
    elif isinstance(error, OSError):
        message = f"{error.filename or source}: {error.strerror or error}."
    elif isinstance(error, MemoryError):
        message = "does not fit into memory. Make it smaller."
    else:
        # A mistake in this program: it must be seen, but not end the run.
        message = f"{source}: {type(error).__name__}: {textwrap.shorten(str(error), 300)}"
    if str(source) not in message:
        message = f"{source}: {message}"
    # Names may hold line ends.
    return " ".join(message.splitlines())


def is_disk_full(error):
    """Whether an error, or one that it came of, is the system's word that there is no room."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        error = error.__cause__ or error.__context__
    return False


@dataclasses.dataclass(frozen=True, slots=True)
class Record:
    """What became of one photo.

    Attributes:
        source: `Job.name` of the photo.
        size: Bytes of the photo's file, before it was read.
        mtime_ns: When that file was changed, in nanoseconds. Beside the size it tells whether the
            photo is still the same: reading 50,000 scans only to know that takes hours.
        status: `"colored"`, `"kept"` (it has colors already) or `"failed"`.
        outputs: Paths below the output folder, the likeliest variant first.
        message: Why it failed.
        seconds: What it took.
        made_with: Dict of the model's name and version and of all options that change the result.
    """

    source: str
    size: int
    mtime_ns: int
    status: str
    outputs: tuple
    message: str
    seconds: float
    made_with: dict


class Manifest:
    """The records of an output folder.

    Args:
        folder: Output folder, or None to keep records in memory only.

    Attributes:
        path: Path of the file, None without a folder.
        records: Dict of the last `Record` of each photo, by `Job.name`.

    Raises:
        OSError: If the file is there but cannot be read.
    """

    def __init__(self, folder):
        self.path = None if folder is None else folder / FILENAME
        self.records, self._file = {}, None
        if self.path is not None and self.path.exists():
            with open(self.path, "rb") as file:
                # Thousands of lines share a few ways of making.
                ways = {}
                for line in file:
                    record = _parse(line, ways)
                    if record is not None:
                        self.records[record.source] = record

    def add(self, record):
        """Appends a record, in one piece that outlives the process.

        Raises `OSError` if it cannot be stored; `records` holds it all the same.
        """
        self.records[record.source] = record
        if self.path is None:
            return
        if self._file is None:
            self._file = self._open()
        # Names that are no text in any encoding come back from their escapes as they were.
        self._file.write(json.dumps(dataclasses.asdict(record)).encode() + b"\n")

    def close(self):
        """Closes the file."""
        if self._file is not None:
            self._file.close()

    def is_done(self, job, made_with):
        """Tells whether a photo's outputs are there, made of what its file is now, in this way."""
        record = self.records.get(job.name)
        if record is None or record.status == "failed":
            return False
        try:
            if record.made_with != of_photo(made_with, job.source):
                return False
            found = os.stat(job.source)
        except OSError:
            return False
        if (found.st_size, found.st_mtime_ns) != (record.size, record.mtime_ns):
            return False
        folder = os.fspath(self.path.parent)
        return all(os.path.exists(os.path.join(folder, output)) for output in record.outputs)

    def _open(self):
        # Unbuffered: a record that found no room must not be tried again when the file is closed.
        file = open(self.path, "a+b", buffering=0)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return file


def of_photo(made_with, source):
    """What one photo is made with, of what all are: with its own hints in place of `"sidecar"`."""
    if not made_with or made_with.get("hints") != color_hints.SIDECAR:
        return made_with
    others = {name: value for name, value in made_with.items() if name != "hints"}
    own = color_hints.find_beside(source)
    return others | {"hints": file_state(own)} if own else others


def _parse(line, ways):
    try:
        fields = json.loads(line)
        way = fields["made_with"]
        way = ways.setdefault(repr(way), way)
        return Record(**fields | {"outputs": tuple(fields["outputs"]), "made_with": way})
    except (ValueError, TypeError, LookupError):
        return None


@dataclasses.dataclass(frozen=True)
class Choice:
    """What is to be done about each photo: lists of `Job`.

    Attributes:
        todo: To be colored.
        skipped: Skipped by --skip_existing: their files are there, or need not be.
        outdated: Passed over as well, though the manifest says that they were made of another file,
            by another model or with other options.
        existing: Not colored since their files are there and nothing was said of that.
        problems: Not colored for what `Job.problem` says.
    """

    todo: list
    skipped: list
    outdated: list
    existing: list
    problems: list

    def counts(self):
        """Counts what is passed over and what fails, by the words of `Record.status`."""
        return collections.Counter(
            skipped=len(self.skipped) + len(self.outdated),
            failed=len(self.existing) + len(self.problems),
        )

    def lines(self):
        """Says in lines for the user what will not be colored and why."""
        for job in self.problems:
            yield job.problem if str(job.source) in job.problem else f"{job.source}: {job.problem}"
        if self.existing:
            # Not a line for each: after an interruption there may be thousands.
            yield (
                f"{self.existing[0].existing}{_and_more(self.existing)} there already. Choose "
                "another --output, or add --skip_existing to color the rest, or --overwrite."
            )
        if self.outdated:
            yield (
                f"{self.outdated[0].existing}{_and_more(self.outdated)} made from another file, by "
                "another model or with other options. Add --overwrite to color them again."
            )


def choose(jobs, manifest, made_with, *, overwrite, skip_existing):
    """Sorts photos, an iterable of `Job`, by what is to be done about them: a `Choice`.

    `made_with` is as in `Record`, for this run. `skip_existing` passes over photos whose files are
    there; with `overwrite` only those that the manifest shows to be made of the same file in the
    same way: so a run that overwrites can go on after an interruption, too.
    """
    choice = Choice([], [], [], [], [])
    for job in jobs:
        if job.problem:
            choice.problems.append(job)
        elif skip_existing and manifest.is_done(job, made_with):
            choice.skipped.append(job)
        elif job.existing is None or overwrite:
            choice.todo.append(job)
        elif not skip_existing:
            choice.existing.append(job)
        elif job.name in manifest.records:
            choice.outdated.append(job)
        else:
            choice.skipped.append(job)
    return choice


def _and_more(jobs):
    return f" and {len(jobs) - 1:,} more are" if len(jobs) > 1 else " is"
