"""Files on any file system that Apache Beam knows: read as they are, written whole or not at all.

What is written has a hidden name until it is complete: a process that is killed leaves at most such
a file behind. Beam is imported by the functions, since it is an extra.
"""

import contextlib
import io
import os
import secrets

# How the names of files end that are being written.
TEMPORARY = ".part"
BLOCK = 1 << 20


def open_file(path):
    """Opens a file for reading bytes as they are."""
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    return FileSystems.open(path, compression_type=CompressionTypes.UNCOMPRESSED)


def read(path):
    """Reads the bytes of a file as they are."""
    with open_file(path) as file:
        return file.read()


def write(path, pieces):
    """Writes pieces of bytes as a file, in place of one that is there, and makes its folders.

    Raises `OSError` if it can't be written.
    """
    from apache_beam.io.filesystem import CompressionTypes
    from apache_beam.io.filesystems import FileSystems

    folder, _ = FileSystems.split(path)
    temporary = FileSystems.join(folder, f".{secrets.token_hex(8)}{TEMPORARY}")
    try:
        with FileSystems.create(temporary, compression_type=CompressionTypes.UNCOMPRESSED) as file:
            for piece in pieces:
                file.write(piece)
            file.flush()
            # One that is not of this machine is stored when it is closed.
            with contextlib.suppress(AttributeError, io.UnsupportedOperation):
                os.fsync(file.fileno())
        try:
            FileSystems.rename([temporary], [path])
        except OSError:
            # Not every file system renames onto a file.
            if os.path.isdir(path) or not FileSystems.exists(path):
                raise
            FileSystems.delete([path])
            FileSystems.rename([temporary], [path])
    except BaseException:
        with contextlib.suppress(OSError):
            FileSystems.delete([temporary])
        raise


def find(pattern, limit=None):
    """Yields path and seconds of the last change of at most `limit` files that match a pattern.

    Raises `OSError` if the folder can't be listed.
    """
    from apache_beam.io.filesystems import FileSystems

    for found in FileSystems.match([pattern], [limit])[0].metadata_list:
        yield found.path, found.last_updated_in_seconds


def delete(folder, *patterns):
    """Deletes the files of a folder that match patterns."""
    from apache_beam.io.filesystems import FileSystems

    for pattern in patterns:
        if paths := [path for path, _ in find(FileSystems.join(folder, pattern))]:
            FileSystems.delete(paths)
