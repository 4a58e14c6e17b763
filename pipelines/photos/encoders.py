"""Photos in, bytes of a picture file out.

Law of the file: what a format cannot hold is refused before anything is encoded, except for depth
(sixteen bits become eight) and for metadata, where each encoder says what is left out.
"""

import dataclasses

import numpy as np
import pyvips

from pipelines.photos import containers, icc, tiff
from pipelines.photos.metadata import PictureError, annotate

# What libjpeg, libwebp and libheif allow.
_MAX_SIDE = {"JPEG": 65_500, "WebP": 16_383, "AVIF": 16_384}
_KEEP_XMP_AND_ICC = 2 | 8
_KINDS = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".webp": "WebP",
    ".avif": "AVIF",
}


def encode(suffix, pages, note=None):
    """Encodes photos.

    - JPEG: quality 95, chroma at full size, 8 bits, no transparency; Exif, XMP and IPTC of up to
      64 KB each.
    - PNG: exact, 8 or 16 bits; all metadata.
    - TIFF: exact, 8 or 16 bits, any number of pages, Deflate; all metadata but tags of the first
      directory that describe no photo, or are a maker's own.
    - WebP: quality 90 with exact transparency, 8 bits; no IPTC.
    - AVIF: quality 80, chroma at full size, 8 bits; no IPTC, and Exif tags that libexif knows.

    Args:
        suffix: Lower-case suffix of the file, with its dot; one of `headers.WRITABLE_SUFFIXES`.
        pages: List of `Photo`, of one unless TIFF is asked for.
        note: A `Note` for the XMP of every page, or None.

    Returns:
        List of bytes: the pieces of the file.

    Raises:
        PictureError: If the format cannot hold the photos.
    """
    kind = _KINDS[suffix]
    _check(kind, pages)
    abouts = [_metadata(kind, page, note) for page in pages]
    if kind == "TIFF":
        pixels = [_pixels(page) for page in pages]
        return tiff.encode(zip(pixels, abouts, strict=True), icc.srgb_profile())
    profile = icc.srgb_profile() if abouts[0].tagged else None
    return _ENCODERS[kind](pages[0], abouts[0], profile)


def _check(kind, pages):
    if len(pages) != 1 and (kind != "TIFF" or not pages):
        raise PictureError(
            f"a {kind} file holds one page. Received: {len(pages)} pages. Write it as .tif."
        )
    for page in pages:
        height, width = page.rgb.shape[:2]
        limit = _MAX_SIDE.get(kind)
        if limit and max(height, width) > limit:
            raise PictureError(
                f"a {kind} file has up to {limit:,} pixels a side. Received: {width} x {height}. "
                "Write it as .png or .tif."
            )
        if kind == "JPEG" and page.alpha is not None and page.alpha.min() < _full(page):
            raise PictureError(
                "a JPEG file holds no transparency. Received: a photo that is transparent in "
                "places. Write it as .png, .tif or .webp."
            )


def _full(page):
    return np.iinfo(page.rgb.dtype).max


def _metadata(kind, page, note):
    if not note:
        return page.metadata
    xmp = annotate(page.metadata.xmp, note)
    if kind == "JPEG" and len(xmp) > containers.MAX_JPEG_XMP:
        xmp = annotate(None, note)  # The note must not go with the rest.
    return dataclasses.replace(page.metadata, xmp=xmp)


def _pixels(page):
    if page.alpha is None:
        return np.ascontiguousarray(page.rgb)
    return np.dstack([page.rgb, page.alpha])


def _image(page, alpha=True, eight_bits=True):
    pixels = _pixels(page) if alpha else np.ascontiguousarray(page.rgb)
    height, width, bands = pixels.shape
    wide = pixels.dtype == np.uint16
    image = pyvips.Image.new_from_memory(
        pixels, width, height, bands, "ushort" if wide else "uchar"
    )
    if wide and eight_bits:
        image, wide = (image / 257).rint().cast("uchar"), False
    return image.copy(interpretation="rgb16" if wide else "srgb")


def _encode_jpeg(page, about, profile):
    encoded = _image(page, alpha=False).jpegsave_buffer(Q=95, subsample_mode="off", keep="none")
    return containers.jpeg(encoded, about, profile)


def _encode_png(page, about, profile):
    image = _image(page, eight_bits=False)
    # On photos with grain: as small as the highest level makes them, within two percent, in a
    # tenth of its time; no other single filter does better.
    encoded = image.pngsave_buffer(compression=3, filter="avg", keep="none")
    return containers.png(encoded, about, profile)


def _encode_webp(page, about, profile):
    # More effort takes up to four times as long for the same size.
    encoded = _image(page).webpsave_buffer(Q=90, effort=2, exact=True, keep="none")
    alpha = page.alpha is not None
    return containers.webp(encoded, about, profile, page.rgb.shape[:2], alpha)


def _encode_avif(page, about, profile):
    # Exif wants a resolution, and says 72 where none is known.
    densities = about.resolution or (72, 72)
    image = _image(page).copy(xres=densities[0] / 25.4, yres=densities[1] / 25.4)
    block = about.exif and b"Exif\0\0" + about.exif
    for name, value in (("exif", block), ("xmp", about.xmp), ("icc-profile", profile)):
        if value:
            image.set_type(pyvips.GValue.blob_type, f"{name}-data", value)
    keep = "all" if about.exif or about.resolution else _KEEP_XMP_AND_ICC
    return [
        image.heifsave_buffer(compression="av1", Q=80, effort=0, subsample_mode="off", keep=keep)
    ]


_ENCODERS = {
    "JPEG": _encode_jpeg,
    "PNG": _encode_png,
    "WebP": _encode_webp,
    "AVIF": _encode_avif,
}
