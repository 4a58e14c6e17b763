"""Bytes of a picture file in, photos out; and the sizes of its pages, by its header alone.

The size that the header claims is checked before any pixel is decoded, and damage raises: a file
never becomes a photo that is partly gray.
"""

import contextlib
import dataclasses
import functools
import io
import mmap
import os

import numpy as np
import pyvips

from pipelines.photos import bitmaps, exif, headers, icc, metadata, tiff
from pipelines.photos.photo import MAX_PIXELS, Metadata, PictureError

_CRITICAL, _WARNING = 8, 16
# Warnings of libvips would end up in the log of whoever colors a folder or, where they quote
# damaged bytes, on standard error.
if pyvips.API_mode:
    pyvips.ffi.def_extern(name="_log_handler_callback")(lambda *_: None)
    # GLib itself complains of pictures whose headers claim sizes beyond all limits.
    pyvips.glib_lib.g_log_set_handler(
        b"GLib-GObject",
        _CRITICAL | _WARNING,
        pyvips.glib_lib._log_handler_callback,
        pyvips.ffi.NULL,
    )
# Finished operations would be kept, with their pixels and the bytes of their files.
pyvips.cache_set_max(0)
_MAX_PAGES = 1000
# Of other formats little can be read once they are damaged.
_SALVAGED = ("JPEG", "PNG")
# Most pixels for each byte of a file that is worth salvaging.
_SPARSEST = 1000
_END_OF_PNG = b"IEND\xaeB`\x82"


def decode(kind, data, salvage=False):
    """Decodes a file's bytes to a list of `Photo`: one for each page of a TIFF file, else one.

    `kind` is its `Format`; `salvage` asks for what is left of a damaged JPEG or PNG file. Raises
    `PictureError` if the file is truncated, damaged, of an unusual sort or too large.
    """
    try:
        if kind.is_read_by_libvips:
            return _decode_with_vips(kind, data)
        return [_decode_heic(data) if kind.name == "HEIC" else _decode_bitmap(kind, data)]
    except PictureError:
        raise
    except (pyvips.Error, ValueError, OverflowError, EOFError) as error:
        if salvage and kind.name in _SALVAGED and (photo := _salvaged(kind, data)):
            return [photo]
        if kind.name == "TIFF" and (unusual := tiff.unusual(data)):
            raise PictureError(
                f"expected a TIFF picture of 8 or 16 bits or floating-point. Received: {unusual}. "
                "Save it as 16-bit RGB, compressed by LZW or Deflate."
            ) from error
        raise PictureError(
            f"expected a whole {kind.name} picture. Received: {len(data):,} bytes, truncated, "
            f"damaged or of an unusual sort of {kind.name}. Copy it again, or save it as PNG."
        ) from error


def _salvaged(kind, data):
    """The readable part of a damaged file; None if there is none."""
    load = getattr(pyvips.Image, f"{kind.reader}_buffer")
    try:
        image = load(headers.without_junk(data), access="sequential", fail_on="none")
        _check_size(kind.name, [(image.height, image.width)])
        if image.height * image.width > _SPARSEST * len(data):
            return None  # Nearly all would be gaps, and take long to fill.
        about = metadata.metadata_of(image)
        pixels, ignored = _pixels(kind.name, image)
    except (pyvips.Error, ValueError):
        return None
    if (pixels == pixels[0, 0]).all():
        return None
    photo = metadata.upright(pixels, metadata.orientation(kind, image, about), about)
    remark = "it is cut or damaged; what can be read of it is taken."
    return dataclasses.replace(photo, remarks=(remark, *ignored, *photo.remarks))


def _check_size(kind, sizes):
    """Refuses `(height, width)` of pages that hold no pixels, or too many."""
    total = sum(height * width for height, width in sizes)
    if total > MAX_PIXELS:
        width, height = sizes[0][1], sizes[0][0]
        received, fix = f"{width} x {height}", "Make it smaller first"
        if len(sizes) > 1:
            received, fix = f"{len(sizes)} pages from {received} on", "Split it first"
        raise PictureError(
            f"a picture may have up to {MAX_PIXELS:,} pixels. Received: {received} = {total:,}. "
            f"{fix}."
        )
    if not total:
        raise ValueError(f"{kind}: no pixels")


def _decode_with_vips(kind, data):
    altered, num_rows, remarks, labs = data, 0, (), {}
    if kind.name == "JPEG":
        altered, num_rows, remarks = _strict_jpeg(data)
    elif kind.name == "PNG" and _END_OF_PNG not in data:
        raise ValueError("the last chunk is missing")  # libpng would not mind.
    elif kind.name == "TIFF":
        block = exif.Block(data)
        tiff.refuse_raw(block)
        starts = block.starts()
        labs = {start: lab for start in starts if (lab := tiff.lab_of(block, start))}
        # libvips writes to standard error if these go beyond its own limits.
        _check_size(kind.name, [tiff.size_of(block, start) for start in starts])
        altered = tiff.as_rgb(block, [position for position, _ in labs.values()])
    operation = getattr(pyvips.Image, f"{kind.reader}_buffer")
    load = functools.partial(operation, altered, access="sequential", fail_on=kind.fail_on)
    images = [load()]
    count = images[0].get("n-pages") if kind.name == "TIFF" else 1
    if (frames := _num_frames(kind, images[0], data)) > 1:
        remarks += (f"its first frame is taken, of {frames}.",)
    if count > _MAX_PAGES:
        raise PictureError(
            f"a TIFF file may have up to {_MAX_PAGES:,} pages. Received: {count:,}. Split it first."
        )
    images += [load(page=page) for page in range(1, count)]
    _check_size(kind.name, [(image.height - num_rows, image.width) for image in images])
    photos = []
    for page in range(count):
        # The header is read only; a page's decoder goes when its pixels are there.
        image, images[page] = images[page], None
        about, said = metadata.metadata_of(image), remarks
        if resolution := metadata.resolution(kind, image, altered):
            about = dataclasses.replace(about, resolution=resolution)
        if kind.name == "TIFF":
            start = starts[page] if page < len(starts) else None
            tiff.check_page(block, start)
            about = metadata.add_tiff_tags(about, block, start)
            if tiff.has_unnamed_channel(block, start):
                image = image[: image.bands - 1]
            image, scale = tiff.to_sixteen_bits(image)
            said += scale
            if start in labs:
                image = icc.lab_to_srgb(image, labs[start][1])
        if kind.name == "PNG" and (gamma := headers.png_gamma(data)):
            image = icc.gamma_to_srgb(image, gamma)
        turn = metadata.orientation(kind, image, about)
        pixels, ignored = _pixels(kind.name, image)
        photo = metadata.upright(pixels[: image.height - num_rows], turn, about)
        photos.append(dataclasses.replace(photo, remarks=said + ignored + photo.remarks))
    return photos


def _strict_jpeg(data):
    """What `headers.strict_jpeg` makes of a JPEG file, and remarks; refuses unusual sorts."""
    whole, remarks = headers.without_junk(data), ()
    if whole is not data:
        remarks += ("there are stray bytes around its first marker.",)
    if headers.lacks_end(whole):
        remarks += ("its end marker is missing; all its pixels are there.",)
    if headers.has_more_xmp(whole):
        remarks += ("its XMP metadata beyond the first 64 KB are left out.",)
    if unusual := headers.unusual_jpeg(whole):
        raise PictureError(
            "expected a baseline or progressive JPEG of 8 bits per sample. Received: "
            f"{unusual}. Save it as PNG or TIFF."
        )
    return *headers.strict_jpeg(whole), remarks


def _num_frames(kind, image, data):
    """How many frames an animation has; 1 for what is none."""
    if kind.name in ("PNG", "AVIF"):
        return (headers.png_frames if kind.name == "PNG" else headers.avif_frames)(data)
    is_animated = kind.name in ("GIF", "WebP") and image.get_typeof("n-pages")
    return image.get("n-pages") if is_animated else 1


def _pixels(kind, image):
    """Decodes to sRGB, uint8 or uint16, of shape `(height, width, 3 or 4)`; and gives remarks."""
    colors = icc.BANDS.get(image.interpretation)
    extra = image.bands - colors if colors else -1
    if image.format not in ("uchar", "ushort") or extra not in (0, 1):
        raise PictureError(
            f"expected a {kind} picture of gray, RGB or CMYK, with one more channel at most, of 8 "
            f"or 16 bits. Received: {image.bands} channels of sort "
            f"{image.interpretation} and type {image.format}. Save it as 16-bit RGB."
        )
    image, remarks = icc.to_srgb(image)
    dtype = {"uchar": np.uint8, "ushort": np.uint16}[image.format]
    pixels = np.frombuffer(image.write_to_memory(), dtype)
    return pixels.reshape(image.height, image.width, image.bands), remarks


# What reads `(height, width, ...)` of a header, and what decodes the file.
_BITMAPS = {
    "netpbm": (bitmaps.pnm_header, bitmaps.decode_pnm),
    "opencv": (bitmaps.bmp_header, bitmaps.decode_bmp),
    "openjpeg": (bitmaps.jpeg_2000_size, bitmaps.decode_jpeg_2000),
}


def _decode_bitmap(kind, data):
    read_header, read_pixels = _BITMAPS[kind.reader]
    height, width, *others = read_header(data)
    _check_size(kind.name, [(height, width)])
    resolution = others[0] if kind.name == "BMP" else None
    return metadata.upright(read_pixels(data), 1, Metadata(resolution=resolution))


@contextlib.contextmanager
def _opened_heic(source):
    try:
        import pillow_heif
    except ImportError as error:
        raise PictureError(
            "HEIC is read by the extra package pillow-heif. Received: a HEIC picture, and no such "
            "package. Run: pip install 'colorization[heic]'"
        ) from error
    try:
        yield pillow_heif.open_heif(source, convert_hdr_to_8bit=False)
    except PictureError:
        raise
    except Exception as error:
        # SyntaxError, RuntimeError, IndexError and more, none of them documented.
        raise ValueError("pillow-heif cannot read it") from error


def _decode_heic(data):
    with _opened_heic(io.BytesIO(data)) as file:
        width, height = file.size
        _check_size("HEIC", [(height, width)])
        pixels = np.ascontiguousarray(file).reshape(height, width, -1)
    kind = "ushort" if pixels.dtype == np.uint16 else "uchar"
    image = pyvips.Image.new_from_memory(pixels, width, height, pixels.shape[2], kind)
    colors = 3 if image.bands > 2 else 1
    interpretation = {("uchar", 1): "b-w", ("ushort", 1): "grey16", ("ushort", 3): "rgb16"}
    image = image.copy(interpretation=interpretation.get((kind, colors), "srgb"))
    for field, name in (("exif", "exif-data"), ("xmp", "xmp-data"), ("icc_profile", icc.PROFILE)):
        if value := file.info.get(field):
            image.set_type(pyvips.GValue.blob_type, name, value)
    pixels, ignored = _pixels("HEIC", image)
    # Its decoder has turned it upright.
    photo = metadata.upright(pixels, 1, metadata.metadata_of(image))
    return dataclasses.replace(photo, remarks=ignored + photo.remarks)


class NotTold(Exception):
    """A header that is damaged, or that can't be read without decoding."""


class TooManyPages(NotTold):
    """A TIFF file with too many pages, `count` of them."""

    def __init__(self, count):
        super().__init__(f"{count} pages")
        self.count = count


def page_sizes(path, kind, max_pages):
    """Reads `(height, width)` of each page of a picture file, in pixels.

    `max_pages` bounds those of a TIFF file, since each takes longer to find than the last. Raises
    `NotTold` if the header does not say, `TooManyPages` if the file has more.
    """
    path = os.fspath(path)
    try:
        if kind.name == "HEIC":
            with _opened_heic(path) as file:
                return [file.size[::-1]]
        if not kind.is_read_by_libvips:
            with (
                open(path, "rb") as file,
                mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
            ):
                return [_BITMAPS[kind.reader][0](data)[:2]]
        load = getattr(pyvips.Image, kind.reader)
        pages = [load(path, access="sequential")]
        count = pages[0].get("n-pages") if kind.name == "TIFF" else 1
        if count > max_pages:
            raise TooManyPages(count)
        pages += [load(path, page=page) for page in range(1, count)]
        return [(page.height, page.width) for page in pages]
    except (pyvips.Error, ValueError, LookupError, OSError) as error:
        raise NotTold(f"{path}: {error}") from error
