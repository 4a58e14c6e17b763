"""What became of each photo, one JSON line each, so that an interrupted run can be resumed.

Lines are only ever appended, and the last about a photo counts. A line that a crash cut short, or
that another program wrote, counts as missing.
"""

import collections
import dataclasses
import json
import os

from colorization.inference import color_hints
from colorization.inference.options import file_state

FILENAME = "colorization.jsonl"


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

        Raises:
            OSError: If it cannot be stored. `records` holds it all the same.
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
