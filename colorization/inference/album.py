"""Colors all photos of a plan and keeps account of them; none of them can end the run."""

import collections
import dataclasses
import errno
import functools
import os
import textwrap
import time

from colorization.inference import threads
from colorization.inference.manifest import Record
from pipelines.photos.photo_files import PictureError

# Of a volume, of a user's share of it.
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT)


class CannotGoOn(Exception):
    """Why none of the photos that are left can be colored either; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Choice:
    """What is to be done about each photo: lists of `Job`.

    Attributes:
        todo: To be colored.
        skipped: Passed over as asked, since their files are there, or need not be.
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
                f"{self.outdated[0].existing}{_and_more(self.outdated)} made of another file, by "
                "another model or with other options. Add --overwrite to make such anew."
            )


def choose(jobs, manifest, made_with, *, overwrite, skip_existing):
    """Sorts photos by what is to be done about them.

    Args:
        jobs: Iterable of `Job`.
        manifest: `Manifest` of the output folder.
        made_with: As in `Record`, for this run.
        overwrite: Whether files that are there may be replaced.
        skip_existing: Whether photos are passed over whose files are there. With `overwrite`, only
            those are that the manifest shows to be made of the same file in the same way: so a run
            that overwrites can go on after an interruption, too.

    Returns:
        `Choice`.
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


def color(jobs, color_one, manifest, made_with, stop, num_threads=None):
    """Colors photos, several at a time.

    Args:
        jobs: Iterable of `Job` without problems.
        color_one: Function of a `Job` that writes whole files and returns their paths, none if the
            photo has colors and was left alone. Called in threads.
        manifest: `Manifest` that each record is added to.
        made_with: As in `Record`.
        stop: `threads.Stop`. Requested here, too, when the disk is full or `color_one` raised
            `CannotGoOn`: thousands of photos would fail one after the other.
        num_threads: How many photos at a time; default as many as there are processors.

    Yields:
        `Record` of each photo, in order of completion.
    """
    work = functools.partial(_attempt, color_one, manifest.path, made_with)
    for record, error in threads.run(work, jobs, stop, num_threads):
        if is_disk_full(error) or isinstance(error, CannotGoOn):
            stop.reason = record.message
            # It is no fault of the photo.
            continue
        try:
            manifest.add(record)
        except OSError as failure:
            stop.reason = f"{manifest.path}: cannot be written: {failure.strerror or failure}."
        yield record


def reason(source, error):
    """Says in one line why a photo could not be colored.

    Args:
        source: Path of the photo, which the line will hold.
        error: What was raised, of any kind.
    """
    if isinstance(error, (PictureError, CannotGoOn)):
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
    """Tells whether an error, or one that it came of, is the system's word that there is no room.

    Args:
        error: An exception or None.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno in _NO_SPACE:
            return True
        error = error.__cause__ or error.__context__
    return False


def _attempt(color_one, manifest_path, made_with, job):
    start, size, mtime_ns, outputs, problem = time.monotonic(), 0, 0, (), None
    try:
        # Before it is read: a change in the meantime shows.
        found = os.stat(job.source)
        size, mtime_ns = found.st_size, found.st_mtime_ns
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


def _and_more(jobs):
    return f" and {len(jobs) - 1:,} more are" if len(jobs) > 1 else " is"
