"""The files of a batch, on any file system that Apache Beam knows.

A path is a string, `folder/name` or `scheme://folder/name`. Beam is imported by the functions,
since it is an extra.
"""

import dataclasses
import json
import os
import pathlib
import re

from colorization.inference import plan
from pipelines.files import is_passed_over
from pipelines.photos.formats import PICTURE_SUFFIXES, WRITABLE_SUFFIXES
from pipelines.photos.photo_files import PictureError, expected
from pipelines.shards import beam_files

_WILD = re.compile(r"[*?\[]")
STATEMENT = "colorization.batch.json"


@dataclasses.dataclass(frozen=True)
class Glob:
    """A pattern of Beam's: `*` stands for any part of a name, `**` for any part of a path.

    `root` is its part without wildcards, up to the last slash. Folders below it are mirrored.
    """

    pattern: str
    root: str


def settle(patterns, output):
    """Checks what a batch is asked to color: a list of `Glob`, and the output without a last slash.

    Raises `PlanError` if photos would go among their originals, or one could be colored twice.
    """
    output = _tidy(output).rstrip("/") or "/"
    globs = []
    for pattern in map(_tidy, dict.fromkeys(patterns)):
        fixed = pattern[: _WILD.search(pattern).start()] if _WILD.search(pattern) else pattern
        root = fixed[: fixed.rfind("/") + 1]
        # Beam finds nothing by a pattern without a folder.
        glob = Glob(pattern, root) if root else Glob(f"./{pattern}", "./")
        if is_within(glob.root, output):
            raise plan.PlanError(
                f"--output={output}: colored photos must not go among their originals. Received: "
                f"--input={pattern}. Set --output to another folder."
            )
        for other in globs:
            one, two = _absolute(glob.root), _absolute(other.root)
            if one != two and (is_within(one, two) or is_within(two, one)):
                raise plan.PlanError(
                    f"--input={other.pattern} and --input={glob.pattern}: one folder lies in the "
                    "other, so that a photo might be colored twice. Color them in separate runs."
                )
        globs.append(glob)
    return globs, output


def is_within(path, folder):
    """Whether a path is a folder or lies in it."""
    path, folder = _absolute(path).rstrip("/"), _absolute(folder).rstrip("/")
    return path == folder or path.startswith(f"{folder}/")


def name(glob, path, output):
    """The path of a file below the root of its `Glob`, or None if it is not to be colored.

    Left out are hidden files and folders, the output folder, and what does not end like a picture.
    """
    below = path[len(glob.root) :]
    is_hidden = any(map(is_passed_over, below.split("/")))
    is_picture = below.lower().endswith(PICTURE_SUFFIXES) and not is_within(path, output)
    return below if is_picture and not is_hidden else None


def destination(name, apart=False):
    """Path below the output folder that a photo goes to, by what `name` returned.

    A format that cannot be written is kept `apart` by its suffix: `b.bmp` goes to `b.bmp.png`.
    """
    path = pathlib.PurePosixPath(name)
    if apart and path.suffix.lower() not in WRITABLE_SUFFIXES:
        return f"{name}.png"
    return str(plan.writable(path))


def read(path):
    """Reads the bytes of a photo's file; `PictureError` if it cannot be read."""
    try:
        return beam_files.read(path)
    except FileNotFoundError:
        raise PictureError(f"{expected(path)}no such file. Check the path.") from None
    except OSError as error:
        raise PictureError(f"{expected(path)}{_said(error)}.") from error


def write(path, pieces):
    """Writes a file, in place of one that is there, and its folders, or raises `PictureError`."""
    try:
        beam_files.write(path, pieces)
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {_said(error)}.") from error


def state(output, made_with):
    """Writes down how the files of an output folder are made from now on: `made_with`, a dict.

    A file that is younger than this statement was made so. One that says the same stays as it is.
    Returns its time in seconds, as `beam_files.find` gives times. Raises `PictureError` if it
    cannot be written.
    """
    from apache_beam.io.filesystems import FileSystems

    path = FileSystems.join(output, STATEMENT)
    line = json.dumps({"made_with": made_with}, sort_keys=True).encode() + b"\n"
    if not FileSystems.exists(path) or read(path) != line:
        write(path, [line])
    return FileSystems.match([path])[0].metadata_list[0].last_updated_in_seconds


def _tidy(path):
    return re.sub(r"(?<!:)//+", "/", path)


def _absolute(path):
    return path if "://" in path else os.path.abspath(path)


def _said(error):
    # Beam's errors hold one cause for each file; here it is one.
    error = next(iter((getattr(error, "exception_details", None) or {}).values()), error)
    if error.args and isinstance(error.args[0], OSError):
        error = error.args[0]
    return " ".join(str(getattr(error, "strerror", None) or error).split()).rstrip(".")
