"""Photos and the statement of a batch, on any file system that Apache Beam knows."""

import json

from apache_beam.io.filesystem import BeamIOError
from apache_beam.io.filesystems import FileSystems

from pipelines.photos.photo_files import PictureError, expected
from pipelines.shards import beam_files

STATEMENT = "colorization.batch.json"


def read(path):
    """Reads a photo's file.

    Args:
        path: Its path.

    Returns:
        Bytes.

    Raises:
        PictureError: If it cannot be read.
    """
    try:
        return beam_files.read(path)
    except FileNotFoundError:
        raise PictureError(f"{expected(path)}no such file. Check the path.") from None
    except OSError as error:
        raise PictureError(f"{expected(path)}{_said(error)}.") from error


def write(path, pieces):
    """Writes a file, in place of one that is there.

    Args:
        path: Its path. Folders are made.
        pieces: Iterable of bytes.

    Raises:
        PictureError: If it cannot be stored.
    """
    try:
        beam_files.write(path, pieces)
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {_said(error)}.") from error


def last_change(path):
    """Time of a file's last change in seconds, as `beam_files.find` gives times; None for none."""
    return FileSystems.last_updated(path) if FileSystems.exists(path) else None


def state(output, made_with):
    """Writes down how the files of an output folder are made from now on.

    Whoever finds a file there that is younger than the statement knows how it was made: thousands
    of workers need not agree on a list. One that says the same already stays as it is.

    Args:
        output: Output folder.
        made_with: Dict of the model's name and version, and of all options that change the result.

    Returns:
        Time of the statement in seconds, by the file system's own clock, as `beam_files.find` gives
        times.

    Raises:
        PictureError: If it cannot be written.
    """
    path = FileSystems.join(output, STATEMENT)
    line = json.dumps({"made_with": made_with}, sort_keys=True).encode() + b"\n"
    if not FileSystems.exists(path) or read(path) != line:
        write(path, [line])
    return FileSystems.match([path])[0].metadata_list[0].last_updated_in_seconds


def _said(error):
    if isinstance(error, BeamIOError):
        # Of several files each has a cause of its own; here it is one.
        error = next(iter((error.exception_details or {}).values()), error)
    if error.args and isinstance(error.args[0], OSError):
        error = error.args[0]
    return " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
