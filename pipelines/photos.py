"""Photo files in, pixels and what the file says of them out, and back.

Law of the file: a photo is uint8 or uint16 sRGB of shape `(height, width, 3)`, upright. A file that
is missing, truncated, damaged or no picture raises one line; it never becomes a photo that is
partly gray. A file is written whole or not at all. Any number of threads may call at once.

The kind of a file is told by its first bytes, and exactly that decoder is called: libvips, left to
guess, would parse far more kinds than these.
"""

import os
import pathlib
import secrets

import numpy as np
import pyvips

from pipelines import decoders, encoders, headers
from pipelines.decoders import MAX_PIXELS
from pipelines.headers import PICTURE_SUFFIXES, WRITABLE_SUFFIXES
from pipelines.metadata import Metadata, Note, Photo, PictureError

__all__ = [
    "MAX_PIXELS",
    "PICTURE_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "Metadata",
    "Note",
    "Photo",
    "PictureError",
    "read_photo",
    "read_picture",
    "write_photo",
    "write_picture",
]

_KINDS = "JPEG, PNG, TIFF, WebP, AVIF, HEIC, GIF, BMP or PNM"


def read_photo(path):
    """Reads a photo file: pixels, transparency and metadata.

    Colors are converted to sRGB by the file's ICC profile, if it has one that is whole; CMYK
    without one is taken for a common press. The photo is turned the way up that its orientation
    asks for, and the orientation is then 1. Levels of 32-bit floating-point TIFF are taken to lie
    in [0, 1], gamma-encoded; they are clipped and become uint16.

    Not kept: thumbnails, which would show the old picture; of Photoshop's own data everything but
    IPTC; XMP beyond the first 64 KB of a JPEG file; tags of a TIFF page that describe its storage
    or that are a maker's own; the further pictures of an animation.

    Args:
        path: Path of a JPEG, PNG, TIFF, WebP, AVIF, GIF, BMP or PNM file, or of a HEIC file if the
            extra `heic` is installed. The kind is known by the first bytes, not by the name.

    Returns:
        List of `Photo`: the pages of a TIFF file, or one photo. uint16 if the file has more than 8
        bits for each channel, else uint8.

    Raises:
        PictureError: If the file is missing, empty, truncated, damaged, no picture of these kinds,
            or claims more than `MAX_PIXELS` pixels on all its pages together.
    """
    kind, data = _read_bytes(path)
    try:
        return decoders.decode(kind, data)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error


def write_photo(path, pages, overwrite=False, note=None):
    """Writes a photo file whole or not at all: no reader ever sees a part of it.

    A photo whose file had an ICC profile is tagged with one of sRGB. `encoders.encode` says what
    each format holds.

    Args:
        path: Path that ends in one of `WRITABLE_SUFFIXES`.
        pages: Sequence of `Photo`; of more than one only for TIFF.
        overwrite: Whether a file that is there already is replaced; default False.
        note: A `Note` that goes into the XMP, that the colors are computed; or None.

    Raises:
        PictureError: If the suffix is another one, the file exists and `overwrite` is False, the
            format cannot hold the photo, or the file cannot be stored.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix not in WRITABLE_SUFFIXES:
        raise PictureError(
            f"{path}: a picture is written as {', '.join(WRITABLE_SUFFIXES)}. "
            f"Received: suffix={path.suffix!r}. Choose one of these suffixes."
        )
    try:
        _store(path, encoders.encode(suffix, list(pages), note), overwrite)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    except FileExistsError as error:
        raise PictureError(
            f"{path}: a new file was expected, and one is there already. Choose another name, or "
            "ask for overwriting (--overwrite)."
        ) from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {error.strerror or error}.") from error
    except (pyvips.Error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise PictureError(f"{path}: cannot be encoded: {reason}.") from error


def read_picture(path):
    """Reads the pixels of a picture file's first page in eight bits.

    Args:
        path: As in `read_photo`.

    Returns:
        uint8 array of shape `(height, width, 3)`: sRGB in `[0, 255]`, upright.

    Raises:
        PictureError: As `read_photo` does.
    """
    rgb = read_photo(path)[0].rgb
    if rgb.dtype == np.uint8:
        return rgb
    # The nearest level, in whole numbers.
    return ((rgb * np.uint32(255) + 32_895) >> 16).astype(np.uint8)


def write_picture(path, rgb, overwrite=False):
    """Writes pixels without metadata.

    Args:
        path: As in `write_photo`.
        rgb: uint8 or uint16 array of shape `(height, width, 3)`, sRGB.
        overwrite: As in `write_photo`.

    Raises:
        PictureError: As `write_photo` does.
    """
    write_photo(path, [Photo(np.asarray(rgb))], overwrite)


def _store(path, pieces, overwrite):
    # A short name of its own: beside a name of 255 bytes a longer one would not fit.
    temporary = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with open(temporary, "xb") as file:
            file.writelines(pieces)
            file.flush()
            os.fsync(file.fileno())
        if not overwrite:
            _claim(path, temporary)
        else:
            os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _claim(path, temporary):
    """Gives `temporary` the name `path`, unless that name is taken, in one step."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:
        # No hard links here (FAT, some network disks): the name is claimed empty, then filled.
        open(path, "xb").close()
        os.replace(temporary, path)


def _read_bytes(path):
    expected = f"{path}: expected a {_KINDS} picture. Received: "
    if not os.path.isfile(path):
        what = "a folder" if os.path.isdir(path) else "no such file"
        raise PictureError(f"{expected}{what}. Check the path.")
    try:
        with open(path, "rb") as file:
            start = file.read(64)
            kind = headers.kind_of(start)
            if not start:
                raise PictureError(f"{expected}an empty file. Copy it again.")
            if kind is None:
                raise PictureError(f"{expected}a file that is none of these. Save it as PNG.")
            file.seek(0)
            return kind, file.read()
    except OSError as error:
        raise PictureError(f"{expected}{error.strerror or error}.") from error
