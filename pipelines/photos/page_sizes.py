"""Sizes of a photo's pages by its headers, before any pixel is decoded."""

import mmap
import os

import pyvips

from pipelines.photos import bitmaps


class NotTold(Exception):
    """A header that is damaged, or that nothing here reads without decoding."""


class TooManyPages(NotTold):
    """A TIFF file of more pages than are wanted.

    Args:
        count: How many it has.
    """

    def __init__(self, count):
        super().__init__(f"{count} pages")
        self.count = count


def read(path, kind, max_pages):
    """Reads the size of each page.

    Args:
        path: Path of a picture file.
        kind: Its `formats.Format`, by its first bytes.
        max_pages: Pages of a TIFF file, at most: to find one takes the longer the more there are.

    Returns:
        List of `(height, width)`, in pixels.

    Raises:
        NotTold: If the header does not tell.
        TooManyPages: If the file has more pages.
    """
    try:
        return _sizes(os.fspath(path), kind, max_pages)
    except (pyvips.Error, ValueError, LookupError, OSError) as error:
        raise NotTold(f"{path}: {error}") from error


def _sizes(path, kind, max_pages):
    if kind.name == "TIFF":
        return _tiff_sizes(path, max_pages)
    if kind.is_read_by_libvips:
        return [_size(getattr(pyvips.Image, kind.reader)(path, access="sequential"))]
    if kind.name == "HEIC":
        return _heic_sizes(path)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return [(bitmaps.pnm_header if kind.name == "PNM" else bitmaps.bmp_header)(data)[:2]]


def _size(image):
    return image.height, image.width


def _tiff_sizes(path, max_pages):
    first = pyvips.Image.tiffload(path)
    count = first.get("n-pages")
    if count > max_pages:
        raise TooManyPages(count)
    return [_size(first), *(_size(pyvips.Image.tiffload(path, page=n)) for n in range(1, count))]


def _heic_sizes(path):
    try:
        import pillow_heif

        width, height = pillow_heif.open_heif(path).size
    except Exception as error:
        # No such package, or SyntaxError, RuntimeError and more, none of them documented.
        raise ValueError("pillow-heif cannot read it") from error
    return [(height, width)]
