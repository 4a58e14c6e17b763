"""Which files a batch colors and where each goes: rules on paths of any file system.

Nothing is read or written, and a path is a string, `folder/name` or `scheme://folder/name`: Beam's
file systems have no other common ground.
"""

import dataclasses
import os
import pathlib
import re

from colorization.inference import plan
from pipelines.files import is_passed_over
from pipelines.photos.formats import PICTURE_SUFFIXES, WRITABLE_SUFFIXES

_WILD = re.compile(r"[*?\[]")


@dataclasses.dataclass(frozen=True)
class Glob:
    """A pattern of Beam's: `*` stands for any part of a name, `**` for any part of a path.

    Attributes:
        pattern: The pattern.
        root: Its part without wildcards, up to the last slash. Folders below it are mirrored.
    """

    pattern: str
    root: str


def settle(patterns, output):
    """Checks what a batch is asked to color.

    Args:
        patterns: Sequence of patterns or paths, at least one.
        output: Folder to write to.

    Returns:
        List of `Glob`, and the output folder without a slash at its end.

    Raises:
        PlanError: If photos would go among their originals, or one could be colored twice.
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
    """Tells where a file that matches lies below the root, if it is to be colored.

    Args:
        glob: `Glob` that it matches.
        path: Path of the file.
        output: Output folder.

    Returns:
        The path below the root; None for hidden files, those in hidden folders or in the output
        folder, and those that do not end like a picture.
    """
    below = path[len(glob.root) :]
    is_hidden = any(map(is_passed_over, below.split("/")))
    if is_hidden or not below.lower().endswith(PICTURE_SUFFIXES) or is_within(path, output):
        return None
    return below


def destination(name, apart=False):
    """Path below the output folder that a photo goes to, by what `name` returned.

    Args:
        name: Path below the root.
        apart: Whether another photo goes to the same path, so that one that cannot be written in
            its own kind keeps its suffix: `b.bmp` goes to `b.bmp.png`.
    """
    path = pathlib.PurePosixPath(name)
    if apart and path.suffix.lower() not in WRITABLE_SUFFIXES:
        return f"{name}.png"
    return str(plan.writable(path))


def _tidy(path):
    return re.sub(r"(?<!:)//+", "/", path)


def _absolute(path):
    return path if "://" in path else os.path.abspath(path)
