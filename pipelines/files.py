"""Files and folders: which are the user's own, and writing them whole or not at all."""

import contextlib
import logging
import os
import secrets
import shutil

from pipelines.errors import UserError

# What systems keep beside photos: thumbnails of a Synology, remains of a Mac's archive.
_LEFT_BEHIND = ("@eaDir", "__MACOSX")
NUM_NAMED = 10
_SAMPLES = ("astronaut.png", "chelsea.png", "coffee.png", "rocket.jpg")


def is_passed_over(name):
    """Whether a file or folder is hidden, or not the user's own, by its name."""
    return name.startswith(".") or name in _LEFT_BEHIND


def name_first(names):
    """The first ten of some names, as one text."""
    return ", ".join(names[:NUM_NAMED]) + (", ..." if len(names) > NUM_NAMED else "")


def warn_of(names, where, total, what):
    """Logs a warning, if there are any of `total`, such as `"folder: 3 of 9 pictures are gray"`."""
    if names:
        counts = f"{len(names)} of {total}"
        logging.warning("%s: %s %s: %s", where, counts, what, name_first(names))


def sample_photos():
    """Paths of scikit-image's own photographs; `UserError` if it is not installed."""
    try:
        import skimage
    except ImportError as error:
        raise UserError(
            "The sample pictures are scikit-image's. Install it: pip install scikit-image."
        ) from error
    folder = os.path.join(os.path.dirname(skimage.__file__), "data")
    return [os.path.join(folder, name) for name in _SAMPLES]


@contextlib.contextmanager
def atomic_write(path, mode="wb", overwrite=True, **options):
    """Opens a file that takes the place of `path` when the block ends, and vanishes if it raises.

    The folder exists; `mode` is `"w"` or `"wb"`. Yields the open file. Raises `FileExistsError` if
    there is a file and `overwrite` is false, `OSError` if it can't be written.
    """
    with atomic_path(path, overwrite) as temporary, open(temporary, mode, **options) as file:
        yield file


def write_text(path, text):
    """Writes a text file in one piece, in place of one that is there."""
    with atomic_write(path, "w") as file:
        file.write(text)


@contextlib.contextmanager
def atomic_path(path, overwrite=True):
    """Gives the path of a temporary sibling, to be made by the block, which then becomes `path`.

    For what only takes paths, and for folders. A folder that is there is never replaced, a file
    only if `overwrite` is true; else `FileExistsError` is raised. `OSError`: it can't be written.
    """
    path = os.fspath(path)
    # A short name of its own: beside a name of 255 bytes a longer one would not fit.
    temporary = os.path.join(os.path.dirname(path), f".{secrets.token_hex(8)}.part")
    try:
        yield temporary
        if os.path.isdir(temporary):
            for parent, _, names in os.walk(temporary):
                for name in names:
                    _sync(os.path.join(parent, name))
            if os.path.lexists(path):
                raise FileExistsError(f"{path} exists")
            os.rename(temporary, path)
        else:
            _sync(temporary)
            if overwrite:
                os.replace(temporary, path)
            else:
                _claim(temporary, path)
    finally:
        if os.path.isdir(temporary):
            shutil.rmtree(temporary, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _sync(path):
    # Else, after a power cut, the new name could lead to an empty file.
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _claim(temporary, path):
    """Gives `temporary` the name `path` in one step, unless that name is taken."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network disks): the name is claimed empty, then filled.
        open(path, "xb").close()
        os.replace(temporary, path)
