"""Which photo is to be written where, settled before the first is colored.

Only folder listings are read, and nothing is written.
"""

import collections
import dataclasses
import fnmatch
import functools
import os
import pathlib
import re
import stat

from colorization.inference.color_hints import BESIDE
from pipelines.errors import UserError
from pipelines.files import is_passed_over
from pipelines.photos import formats
from pipelines.photos.formats import PICTURE_SUFFIXES, WRITABLE_SUFFIXES


class PlanError(UserError):
    """A request that cannot be carried out at all; the message is one line."""


@dataclasses.dataclass(frozen=True, slots=True)
class Job:
    """One photo and where its colored copy goes.

    Attributes:
        source: Path of the photo.
        destination: Path of the file to write; `variant_paths` names the files of several variants.
        name: Path of the photo below the folder that was asked for, which is also its place below
            the output. What a run's records call the photo.
        existing: Path of a file to write that is there already, None if none is.
        problem: One line that says why the photo cannot be colored, if so.
    """

    source: pathlib.Path
    destination: pathlib.Path
    name: str
    existing: pathlib.Path | None = None
    problem: str = ""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
        jobs: List of `Job`, in order.
        folder: Folder they go to; None for a photo that is colored by itself.
        left_out: Lines that say what of the folders is left out, though it may hold photos.
    """

    jobs: list
    folder: pathlib.Path | None
    left_out: list = dataclasses.field(default_factory=list)


def variant_paths(destination, num_variants):
    """Names the files of `num_variants` variants: of one `destination` itself.

    Else `photo.jpg` becomes `photo_1.jpg`, `photo_2.jpg` and so on, padded with zeros to one width.
    """
    path = pathlib.Path(destination)
    if num_variants == 1:
        return [path]
    width = len(str(num_variants))
    return [
        path.with_name(f"{path.stem}_{number:0{width}d}{path.suffix}")
        for number in range(1, num_variants + 1)
    ]


def sheet_path(destination):
    """Names the sheet of a photo's variants: `photo_sheet.jpg` for `photo.jpg`.

    For `photo.tif` it is `photo_sheet_tif.jpg`, so that no two photos of a folder share a sheet.
    """
    path = pathlib.Path(destination)
    kind = "" if path.suffix == ".jpg" else path.suffix.replace(".", "_")
    return path.with_name(f"{path.stem}_sheet{kind}.jpg")


def plan(inputs, output, *, num_variants=1, include=(), exclude=()):
    """Pairs photos, and those in folders and in all folders in them, with the files to write.

    In folders names count that end in one of `PICTURE_SUFFIXES`. Hidden files and hints
    (`color_hints.BESIDE`) are left out, and so is `output` where it lies inside such a folder.
    Links to folders are not followed; they and files of formats that are not read are named in
    `Plan.left_out`.

    `output` is for a single photo the file to write, if it ends like a picture; else the folder
    that gets a file for each photo, the folders below an input folder mirrored in it. Names stay;
    what cannot be written in its own kind becomes .png. None: a single photo `street.jpg` goes
    beside itself, to `street_color.jpg`. Each photo may become `num_variants` files, see
    `variant_paths`.

    Of the photos in folders only those are taken that match a pattern of `include`; photos and
    folders that match one of `exclude` are left out. A pattern is as of a shell. It is held against
    the name, or, if there is a slash in it, against the path below the input folder, where `*`
    matches slashes too. Case does not matter.

    A job's `problem` is set where its destination is wanted twice or is itself a photo to be
    colored, and where a folder, then the job's source, cannot be searched. Raises `PlanError` if an
    input is missing, a folder holds no such pictures, or `output` does not suit.
    """
    inputs = [pathlib.Path(path) for path in inputs]
    _check_inputs(inputs, include or exclude)
    lone = len(inputs) == 1 and not inputs[0].is_dir()
    output = _beside(inputs[0]) if lone and output is None else output and pathlib.Path(output)
    if lone and _names_a_picture(output):
        job = Job(inputs[0], output, inputs[0].name)
        return Plan(_settled([job], num_variants), None)
    _check_folder(output, lone)
    jobs, left_out, include, exclude = [], [], _patterns(include), _patterns(exclude)
    for path in inputs:
        if path.is_dir():
            found, lines = _folder_jobs(path, output, include, exclude)
            jobs += found
            left_out += lines
        else:
            jobs.append(Job(path, writable(output / path.name), path.name))
    return Plan(_settled(jobs, num_variants), None if lone else output, left_out)


def _check_inputs(inputs, chooses):
    for path in inputs:
        if not path.exists():
            raise PlanError(f"{path}: expected a photo or a folder. Received: no such file.")
    if chooses and not any(path.is_dir() for path in inputs):
        raise PlanError(
            "--include and --exclude choose among the photos of a folder. Received: no folder."
        )


def _check_folder(output, lone):
    if output is None:
        raise PlanError(
            "Several photos need a folder to go to. Received: no --output. Set --output=FOLDER."
        )
    if not lone and not output.exists() and output.suffix.lower() in PICTURE_SUFFIXES:
        raise PlanError(
            f"{output}: several photos need a folder to go to. Received: the name of a picture. "
            f"Set --output to a folder, such as {output.with_suffix('')}."
        )
    if output.exists() and not output.is_dir():
        raise PlanError(
            f"{output}: several photos need a folder to go to. Received: a file. Set --output to "
            "a folder."
        )


def _beside(source):
    path = writable(source)
    return path.with_name(f"{path.stem}_color{path.suffix}")


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


def _patterns(globs):
    """Turns patterns into pairs: a compiled one, and whether it is held against the whole path."""
    globs = [glob.rstrip("/") for glob in globs]
    return [(re.compile(fnmatch.translate(glob), re.IGNORECASE), "/" in glob) for glob in globs]


def _matches(patterns, path):
    name = path.rpartition("/")[2]
    return any(pattern.match(path if whole else name) for pattern, whole in patterns)


def _folder_jobs(folder, output, include, exclude):
    own = os.path.realpath(output)
    if os.path.realpath(folder) == own:
        raise PlanError(
            f"{output}: colored photos must not go among their originals. Set --output to another "
            "folder."
        )
    jobs, unread, linked = [], [], []
    for name, what in _search(folder, "", own, exclude):
        source = folder / name
        if isinstance(what, OSError):
            problem = f"{source}: cannot be searched: {what.strerror or what}."
            if not name:
                raise PlanError(problem) from what
            jobs.append(Job(source, output / name, name, problem=problem))
        elif what == "link":
            linked.append(name)
        elif not include or _matches(include, name):
            if what == "unread":
                unread.append(name)
            else:
                jobs.append(Job(source, writable(output / name), name))
    left_out = list(formats.left_out_lines(folder, unread, linked))
    if not jobs:
        kind = "matching pictures" if include or exclude else "pictures"
        raise PlanError(
            f"{folder}: expected a folder with {kind} ({' '.join(PICTURE_SUFFIXES)}). "
            f"Received: none in it or below it.{' '.join(['', *left_out])}"
        )
    return jobs, left_out


def _search(folder, below, own, exclude):
    """Yields paths below `folder` with `"picture"`, `"unread"`, `"link"` or why it is closed."""
    try:
        with os.scandir(folder / below) as listing:
            entries = sorted(listing, key=lambda entry: entry.name)
    except OSError as error:
        yield below, error
        return
    folders = []
    for entry in entries:
        name = f"{below}/{entry.name}" if below else entry.name
        is_hint = entry.name.lower().endswith(BESIDE)
        if is_passed_over(entry.name) or is_hint or _matches(exclude, name):
            continue
        if entry.is_dir(follow_symlinks=False):
            folders.append((name, entry.path))
        elif entry.is_dir():
            yield name, "link"
        elif entry.name.lower().endswith(PICTURE_SUFFIXES):
            yield name, "picture"
        elif formats.is_unread(entry.name):
            yield name, "unread"
    for name, path in folders:
        if os.path.realpath(path) != own:
            yield from _search(folder, name, own, exclude)


def writable(path):
    """Names the file that a photo goes to: as itself, or with .png if its kind is not written."""
    suffix = path.suffix.lower()
    if suffix in WRITABLE_SUFFIXES:
        return path
    return (
        path.with_suffix(".png")
        if suffix in PICTURE_SUFFIXES
        else path.with_name(f"{path.name}.png")
    )


def _apart(jobs):
    """Gives photos that would become one PNG file names of their own: `b.bmp` is `b.bmp.png`."""
    wanted = collections.Counter(job.destination for job in jobs)
    return [
        dataclasses.replace(job, destination=job.destination.with_name(f"{job.source.name}.png"))
        if wanted[job.destination] > 1 and job.source.suffix.lower() not in WRITABLE_SUFFIXES
        else job
        for job in jobs
    ]


def _settled(jobs, num_variants):
    """Drops photos that are named twice; finds out what is there, and what would be lost."""
    # Folders repeat from photo to photo: one listing takes the place of thousands of questions.
    real_folder, listing = functools.cache(os.path.realpath), functools.cache(_listing)

    def find(path):
        folder, name = os.path.split(path)
        # Of disks that take a.jpg for A.JPG, a listing does not tell all that is there.
        return listing(folder).get(name) or _look(path)

    def real(path):
        found = find(path)
        if found and found.is_link:
            return os.path.realpath(path)
        folder, name = os.path.split(path)
        return os.path.join(real_folder(folder), name)

    def are_one(source, path):
        known = find(source), find(path)
        # Only a link, or another name of the same file, needs a closer look.
        are_plain = all(found and not found.is_link for found in known)
        if are_plain and known[0].inode != known[1].inode:
            return False
        return _are_one(source, path)

    sources = {}
    for job in jobs:
        sources.setdefault(real(job.source), job)
    taken, settled = {}, []
    for job in _apart(list(sources.values())):
        existing, problem = None, job.problem
        sheets = [sheet_path(job.destination)] if num_variants > 1 else []
        for path in variant_paths(job.destination, num_variants) + sheets:
            if existing is None and find(path):
                existing = path
            # On disks that take a.jpg for A.JPG only the file itself tells that they are one.
            is_own = existing is not None and are_one(job.source, path)
            if not problem and (is_own or real(path) in sources):
                problem = f"{path} is itself a photo to be colored. Choose another --output."
        # Variants are wanted twice if and only if what they are named after is.
        first = taken.setdefault(real(job.destination), job)
        if not problem and first is not job:
            problem = (
                f"{job.destination} is where {first.source} goes. Color it in a separate call."
            )
        if existing is not None or problem != job.problem:
            job = dataclasses.replace(job, existing=existing, problem=problem)
        settled.append(job)
    return settled


@dataclasses.dataclass(frozen=True, slots=True)
class _Found:
    is_link: bool
    inode: int


def _listing(folder):
    try:
        with os.scandir(folder or ".") as entries:
            return {entry.name: _Found(entry.is_symlink(), entry.inode()) for entry in entries}
    except OSError:
        return {}


def _look(path):
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return _Found(stat.S_ISLNK(status.st_mode), status.st_ino)


def _are_one(source, path):
    try:
        return os.path.samefile(source, path)
    except OSError:
        # A link that leads nowhere, or a photo that is gone.
        return False
