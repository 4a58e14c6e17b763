"""What became of each photo, one JSON line each, so that an interrupted run can go on.

Law of the file: lines are only ever appended, and the last about a photo counts. A line that a
crash cut short, or that another program wrote, counts as missing.
"""

import dataclasses
import json
import os

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
                    record = _parse(line)
                    if record is not None:
                        way = ways.setdefault(repr(record.made_with), record.made_with)
                        self.records[record.source] = dataclasses.replace(record, made_with=way)

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
        """Tells whether a photo's outputs are there, made of what its file is now, in this way.

        Args:
            job: `Job`.
            made_with: As in `Record`.
        """
        record = self.records.get(job.name)
        if record is None or record.status == "failed" or record.made_with != made_with:
            return False
        try:
            found = os.stat(job.source)
        except OSError:
            return False
        if (found.st_size, found.st_mtime_ns) != (record.size, record.mtime_ns):
            return False
        return all(os.path.exists(self.path.parent / output) for output in record.outputs)

    def _open(self):
        # Unbuffered: a record that found no room must not be tried again when the file is closed.
        file = open(self.path, "a+b", buffering=0)
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        return file


def _parse(line):
    try:
        record = Record(**json.loads(line))
        return dataclasses.replace(record, outputs=tuple(record.outputs))
    except (ValueError, TypeError):
        return None
