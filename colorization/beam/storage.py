"""Files of any file system that Apache Beam knows: read whole, written whole or not at all.

Law of the file: what is written gets a name that begins with a dot, and its own only when it is
complete; a process that is killed leaves at most such a file behind.
"""

import contextlib
import json
import os
import secrets

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from pipelines.photos.photo_files import PictureError, expected

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
        with FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            return file.read()
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
    folder, _ = FileSystems.split(path)
    temporary = FileSystems.join(folder, f".{secrets.token_hex(8)}.part")
    try:
        try:
            with FileSystems.create(
                temporary, compression_type=CompressionTypes.UNCOMPRESSED
            ) as file:
                for piece in pieces:
                    file.write(piece)
                _synchronize(file)
            FileSystems.rename([temporary], [path])
        except BaseException:
            with contextlib.suppress(OSError):
                FileSystems.delete([temporary])
            raise
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {_said(error)}.") from error


def state(output, made_with):
    """Writes down how the files of an output folder are made from now on.

    Whoever finds a file there that is younger than the statement knows how it was made: thousands
    of workers need not agree on a list. One that says the same already stays as it is.

    Args:
        output: Output folder.
        made_with: Dict of the model's name and version, and of all options that change the result.

    Returns:
        Time of the statement in seconds, by the file system's own clock, as `find` gives times.

    Raises:
        PictureError: If it cannot be written.
    """
    path = FileSystems.join(output, STATEMENT)
    line = json.dumps({"made_with": made_with}, sort_keys=True).encode() + b"\n"
    if not FileSystems.exists(path) or read(path) != line:
        write(path, [line])
    return FileSystems.match([path])[0].metadata_list[0].last_updated_in_seconds


def find(pattern, limit=None):
    """Lists files that match a pattern.

    Args:
        pattern: Pattern of Beam's.
        limit: Most files to list; default all.

    Yields:
        Pairs of a path and the time of its last change in seconds.

    Raises:
        OSError: If the folder cannot be listed.
    """
    for found in FileSystems.match([pattern], [limit])[0].metadata_list:
        yield found.path, found.last_updated_in_seconds


def _synchronize(file):
    file.flush()
    try:
        number = file.fileno()
    except (AttributeError, OSError):
        # Not of this machine: it is stored when it is closed.
        return
    os.fsync(number)


def _said(error):
    if isinstance(error, BeamIOError):
        # Of several files each has a cause of its own; here it is one.
        error = next(iter((error.exception_details or {}).values()), error)
    if error.args and isinstance(error.args[0], OSError):
        error = error.args[0]
    return " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
