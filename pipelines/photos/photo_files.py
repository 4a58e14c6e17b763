"""Photo files in, pixels and metadata out, and back; and photos of pictures as callers pass them.

A photo is uint8 or uint16 sRGB of shape `(height, width, 3)`, upright. A file that is missing,
truncated, damaged or no picture raises one line. A file is written whole or not at all. Any number
of threads may call at once.

The format of a file is identified by its first bytes, and only that decoder is called: libvips
itself would try far more formats than these.
"""

import io
import logging
import os
import pathlib
import sys

import numpy as np
import pyvips

from pipelines.files import atomic_write
from pipelines.photos import decoders, encoders, formats
from pipelines.photos.photo import Photo, PictureError, TakenError, eight_bits

_LOGGER = logging.getLogger(__name__)
_COUNTED_PAGES = 100
# What TIFF does not hold as Pillow has it, and what that becomes.
_CONVERTED = {"La": "LA", "RGBa": "RGBA", "YCbCr": "RGB", "HSV": "RGB", "P": "RGB", "PA": "RGBA"}


def read_photo(path, salvage=False):
    """Reads a photo file: pixels, transparency and metadata.

    Colors are converted to sRGB by the file's ICC profile, if it has one that is whole; CMYK
    without one is taken for a common press. The photo is turned the way up that its orientation
    asks for, and the orientation is then 1. Floating-point, signed and 32-bit levels of TIFF become
    uint16 (`tiff.to_sixteen_bits`). Its `remarks` are logged as warnings.

    Not kept: thumbnails, which would show the old picture; of Photoshop's own data everything but
    IPTC; XMP beyond the first 64 KB of a JPEG file; tags of a TIFF page that describe its storage
    or that are a maker's own; the further pictures of an animation.

    Args:
        path: Path of a file in one of `formats.FORMATS`; HEIC needs the extra `heic`.
        salvage: Whether of a damaged JPEG or PNG file is taken what can be read, the rest being
            gray, black or transparent; default False.

    Returns:
        List of `Photo`: the pages of a TIFF file, or one photo. uint16 if the file has more than 8
        bits for each channel, else uint8.

    Raises:
        PictureError: If the file is missing, empty, truncated, damaged, no picture of these kinds,
            or claims more than `MAX_PIXELS` pixels on all its pages together.
    """
    return _decode(path, *_read_bytes(path), salvage)


def decode_photo(path, data, salvage=False):
    """Reads a photo from bytes as `read_photo` does, with its errors, which name `path`."""
    return _decode(path, _kind(path, data), data, salvage)


def write_photo(path, pages, overwrite=False, note=None):
    """Writes a photo file whole or not at all.

    A photo whose file had an ICC profile is tagged with one of sRGB. `encoders.encode` says what
    each format holds; metadata that do not fit are logged as a warning.

    Args:
        path: Path that ends in one of `formats.WRITABLE_SUFFIXES`.
        pages: Sequence of `Photo`; of more than one only for TIFF.
        overwrite: Whether a file that exists is replaced; default False.
        note: A `Note` that goes into the XMP, that the colors are computed; or None.

    Raises:
        TakenError: If the file exists and `overwrite` is False.
        PictureError: If the suffix is another one, the format cannot hold the photo, or the file
            cannot be stored.
    """
    path = pathlib.Path(path)
    pieces = encode_photo(path, pages, note)
    try:
        with atomic_write(path, overwrite=overwrite) as file:
            file.writelines(pieces)
    except FileExistsError as error:
        raise TakenError(
            f"{path}: a new file was expected, and one is there already. Choose another name, or "
            "ask for overwriting (--overwrite)."
        ) from error
    except OSError as error:
        raise PictureError(f"{path}: cannot be written: {error.strerror or error}.") from error


def encode_photo(path, pages, note=None):
    """Makes the bytes that `write_photo` would write: a list, the pieces of the file.

    Arguments and errors are those of `write_photo`, but for what has to do with storing: `path`
    only says the format, and names the file in errors.
    """
    suffix = os.path.splitext(path)[1]
    if suffix.lower() not in formats.WRITABLE_SUFFIXES:
        raise PictureError(
            f"{path}: a picture is written as {', '.join(formats.WRITABLE_SUFFIXES)}. "
            f"Received: suffix={suffix!r}. Choose one of these suffixes."
        )
    try:
        pieces, remarks = encoders.encode(formats.by_suffix(path), list(pages), note)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    except (pyvips.Error, ValueError) as error:
        reason = " ".join(str(error).split())
        raise PictureError(f"{path}: cannot be encoded: {reason}.") from error
    for remark in remarks:
        _LOGGER.warning("%s: %s", path, remark)
    return pieces


def count_pixels(path):
    """Counts the pixels of all pages of a photo's file by its header, without decoding.

    Where the header does not say, it is the size of the file in bytes; 0 if there is no such file.
    """
    try:
        with open(path, "rb") as file:
            kind = formats.identify(file.read(formats.START))
        if kind is None:
            return 0
        return sum(
            height * width for height, width in decoders.page_sizes(path, kind, _COUNTED_PAGES)
        )
    except decoders.NotTold:
        return os.stat(path).st_size
    except OSError:
        return 0


def expected(path):
    """How the line begins that says what is wrong with a photo's file."""
    return f"{path}: expected a {formats.READ_NAMES} picture. Received: "


def read_picture(path):
    """Reads the pixels of a picture file's first page in eight bits.

    Returns uint8 sRGB of shape `(height, width, 3)`, upright. Raises `PictureError` as
    `read_photo`.
    """
    return eight_bits(read_photo(path)[0].rgb)


def decode_picture(path, data):
    """Reads pixels from a file's bytes as `read_picture` does, with its errors."""
    return eight_bits(decode_photo(path, data)[0].rgb)


def write_picture(path, rgb, overwrite=False):
    """Writes uint8 or uint16 sRGB pixels without metadata, with the rules of `write_photo`."""
    write_photo(path, [Photo(np.asarray(rgb))], overwrite)


def _read_bytes(path):
    """The `Format` of a file, and its bytes."""
    begin = expected(path)
    if not os.path.isfile(path):
        what = "a folder" if os.path.isdir(path) else "no such file"
        raise PictureError(f"{begin}{what}. Check the path.")
    try:
        with open(path, "rb") as file:
            # Files of other kinds may be of any size.
            kind = _kind(path, file.read(formats.START))
            file.seek(0)
            return kind, file.read()
    except OSError as error:
        raise PictureError(f"{begin}{error.strerror or error}.") from error


def _kind(path, start):
    if not start:
        raise PictureError(f"{expected(path)}an empty file. Copy it again.")
    kind = formats.identify(start)
    if kind is None:
        advice = (
            "Save it as PNG."
            if formats.is_unread(os.fspath(path))
            else "Open it in another program to see what it is, or leave it out."
        )
        raise PictureError(f"{expected(path)}a file that is none of these. {advice}")
    return kind


def _decode(path, kind, data, salvage):
    try:
        pages = decoders.decode(kind, data, salvage)
    except PictureError as error:
        raise PictureError(f"{path}: {error}") from error
    for remark in dict.fromkeys(remark for page in pages for remark in page.remarks):
        _LOGGER.warning("%s: %s", path, remark)
    return pages


def is_image(picture):
    """Whether something is an image of Pillow's, which need not be installed."""
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(picture, module.Image)


def to_photo(image):
    """Reads a `PIL.Image.Image` as its file would be read: turned upright, in sRGB.

    The `Photo` is uint16 for the modes I, whose levels are scaled by what is in them, I;16 and F,
    else uint8. Raises `PictureError` if the levels of mode F have no common white.
    """
    from PIL import ImageOps

    mode = image.mode
    image = ImageOps.exif_transpose(image)
    if mode in _CONVERTED:
        is_clear = mode == "P" and image.has_transparency_data
        image = image.convert("RGBA" if is_clear else _CONVERTED[mode])
    file = io.BytesIO()
    try:
        profile = image.info.get("icc_profile")
        image.save(file, "TIFF", compression="raw", icc_profile=profile)
        return decode_photo(f"Pillow image of mode {mode}", file.getvalue())[0]
    except PictureError:
        raise
    except (OSError, ValueError) as error:
        raise PictureError(
            f"A Pillow image of mode {mode} can't be colored ({error}). Convert it to RGB."
        ) from error


def as_photo(picture):
    """Makes a `Photo` of a path, a Pillow image or an array, or raises `PictureError`."""
    if isinstance(picture, (str, os.PathLike)):
        return read_photo(picture)[0]
    if is_image(picture):
        return to_photo(picture)
    pixels = np.asarray(picture)
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    known = pixels.dtype in (np.uint8, np.uint16)
    if not known or pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4) or pixels.size == 0:
        raise PictureError(
            "A picture is a path, a Pillow image, or a uint8 or uint16 array of shape (height, "
            "width) or (height, width, 1, 3 or 4) with at least one pixel. Received: "
            f"{type(picture).__name__}, dtype={pixels.dtype}, shape={np.shape(picture)}."
        )
    alpha = pixels[..., 3] if pixels.shape[2] == 4 else None
    rgb = np.repeat(pixels, 3, axis=-1) if pixels.shape[2] == 1 else pixels[..., :3]
    return Photo(np.ascontiguousarray(rgb), alpha)
