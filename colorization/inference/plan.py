"""Which photo is to be written where, settled before the first is colored.

Law of the file: nothing is read but folder listings, and nothing is written.
"""

import dataclasses
import os
import pathlib

from pipelines.headers import PICTURE_SUFFIXES, WRITABLE_SUFFIXES


class PlanError(ValueError):
    """A request that cannot be carried out at all; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One photo, where its colored copy goes, and why it cannot, if so."""

    source: pathlib.Path
    destination: pathlib.Path
    problem: str = ""


def plan(inputs, output, overwrite=False):
    """Pairs photos with the files to write.

    Args:
        inputs: Paths of picture files, and of folders, which are searched with all folders in them
            for names that end in one of `PICTURE_SUFFIXES`. Hidden files are left out, and so is
            `output` where it lies inside such a folder.
        output: For a single photo the file to write, if it ends like a picture; else the folder
            that gets a file for each photo, the folders below an input folder mirrored in it.
            Names stay; what cannot be written in its own kind becomes .png.
        overwrite: Whether files that are there already may be replaced.

    Returns:
        List of `Job`, in order, with `problem` set where the destination exists, is wanted twice,
        or is itself a photo to be colored.

    Raises:
        PlanError: If an input is missing, a folder holds no pictures, or `output` does not suit.
    """
    inputs, output = [pathlib.Path(path) for path in inputs], pathlib.Path(output)
    for path in inputs:
        if not path.exists():
            raise PlanError(f"{path}: expected a photo or a folder. Received: no such file.")
    if len(inputs) == 1 and not inputs[0].is_dir() and _names_a_picture(output):
        return _settled([(inputs[0], output)], overwrite)
    if output.exists() and not output.is_dir():
        raise PlanError(
            f"{output}: several photos need a folder to go to. Received: a file. Set --output to "
            "a folder."
        )
    pairs = []
    for path in inputs:
        pairs += _folder_pairs(path, output) if path.is_dir() else [(path, output / path.name)]
    return _settled([(source, _writable(path)) for source, path in pairs], overwrite)


def _names_a_picture(output):
    suffix = output.suffix.lower()
    if output.is_dir() or suffix not in PICTURE_SUFFIXES:
        return False
    if suffix not in WRITABLE_SUFFIXES:
        raise PlanError(
            f"{output}: pictures are written as {', '.join(WRITABLE_SUFFIXES)}. "
            f"Received: {output.suffix}. Choose one of these for --output."
        )
    return True


def _folder_pairs(folder, output):
    if os.path.realpath(folder) == os.path.realpath(output):
        raise PlanError(
            f"{output}: colored photos must not go among their originals. Set --output to another "
            "folder."
        )
    pairs = []
    for parent, folders, names in os.walk(folder, onerror=_refuse):
        own = os.path.realpath(output)
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and os.path.realpath(os.path.join(parent, name)) != own
        )
        for name in sorted(names):
            if name.lower().endswith(PICTURE_SUFFIXES) and not name.startswith("."):
                source = pathlib.Path(parent, name)
                pairs.append((source, output / source.relative_to(folder)))
    if not pairs:
        raise PlanError(
            f"{folder}: expected a folder with pictures ({' '.join(PICTURE_SUFFIXES)}). "
            "Received: none in it or below it."
        )
    return pairs


def _refuse(error):
    raise PlanError(f"{error.filename}: cannot be searched: {error.strerror}.") from error


def _writable(path):
    suffix = path.suffix.lower()
    if suffix in WRITABLE_SUFFIXES:
        return path
    return path.with_suffix(".png") if suffix in PICTURE_SUFFIXES else pathlib.Path(f"{path}.png")


def _settled(pairs, overwrite):
    sources = {}
    for source, destination in pairs:
        sources.setdefault(os.path.realpath(source), (source, destination))
    taken, jobs = {}, []
    for source, destination in sources.values():
        real, problem = os.path.realpath(destination), ""
        there = destination.exists()
        # On disks that take a.jpg for A.JPG only the file itself tells that they are one.
        if real in sources or (there and os.path.samefile(source, destination)):
            problem = f"{destination} is itself a photo to be colored. Choose another --output."
        elif real in taken:
            problem = f"{destination} is where {taken[real]} goes. Color it in a call of its own."
        elif there and not overwrite:
            problem = f"{destination} exists. Choose another --output, or add --overwrite."
        taken.setdefault(real, source)
        jobs.append(Job(source, destination, problem))
    return jobs
