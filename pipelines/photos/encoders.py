"""Photos in, bytes of a picture file out.

libvips encodes the pixels. Metadata of JPEG, PNG and WebP is set into the file here, byte for byte
as the photo had it: libvips would write Exif through libexif, which drops tags that it does not
know, and would leave IPTC out of PNG.

Sources: ITU-T T.871 (JFIF); CIPA DC-008 (Exif); Adobe XMP part 3; ICC.1 annex B; the PNG
specification; RFC 9649 (WebP). IPTC in PNG follows ImageMagick and ExifTool.
"""

import dataclasses
import itertools
import struct
import zlib

import numpy as np
import pyvips

from pipelines.photos import exif, icc, metadata, tiff
from pipelines.photos.photo import PictureError

_KEEP_XMP_AND_ICC = 2 | 8
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
_NAMES = {"exif": "Exif", "xmp": "XMP", "iptc": "IPTC"}
# Most bytes of each. A segment of JPEG holds 65,533, with what says what it is.
_MOST = {
    "JPEG": {"exif": 65_533 - 6, "xmp": 65_533 - len(_XMP), "iptc": 65_533 - 27},
    "WebP": {"iptc": 0},
    "AVIF": {"iptc": 0},
}


def encode(kind, pages, note=None):
    """Encodes pages, one unless the format has several, with a `Note` for the XMP of each, or None.

    - JPEG: chroma at full size, no transparency; Exif, XMP and IPTC of up to 64 KB each.
    - PNG: exact; all metadata.
    - TIFF: exact, any number of pages, Deflate; all metadata but tags of the first directory that
      describe no photo, or are a maker's own.
    - WebP: exact transparency; no IPTC, and a resolution in Exif alone.
    - AVIF: chroma at full size; no IPTC, and Exif tags that libexif knows.

    `FORMATS` says the rest. Sixteen bits become eight where a format holds no more. Returns
    `(pieces, remarks)`: list of bytes, the pieces of the file; and strings that say what of the
    metadata it cannot hold. Raises `PictureError` if the format cannot hold the photos.
    """
    _check(kind, pages)
    abouts, lost = zip(*(_fitted(kind, page, note) for page in pages), strict=True)
    remarks = tuple(
        f"its {_NAMES[name]} metadata do not fit into {kind.name} and are left out."
        for name in dict.fromkeys(itertools.chain(*lost))
    )
    if kind.writer == "tiff":
        pixels = [_pixels(page) for page in pages]
        return tiff.encode(zip(pixels, abouts, strict=True), icc.srgb_profile()), remarks
    profile = icc.srgb_profile() if abouts[0].tagged else None
    return _ENCODERS[kind.name](kind, pages[0], abouts[0], profile), remarks


def _check(kind, pages):
    if len(pages) != 1 and (not kind.pages or not pages):
        raise PictureError(
            f"a {kind.name} file holds one page. Received: {len(pages)} pages. Write it as .tif."
        )
    for page in pages:
        height, width = page.rgb.shape[:2]
        if kind.max_side and max(height, width) > kind.max_side:
            raise PictureError(
                f"a {kind.name} file has up to {kind.max_side:,} pixels a side. Received: {width} "
                f"x {height}. Write it as .png or .tif."
            )
        alpha = page.alpha
        is_opaque = alpha is None or alpha.min() == np.iinfo(alpha.dtype).max
        if not kind.alpha and not is_opaque:
            raise PictureError(
                f"a {kind.name} file holds no transparency. Received: a photo that is transparent "
                "in places. Write it as .png, .tif or .webp."
            )


def _fitted(kind, page, note):
    """Metadata with the note, and which of them do not fit into the format and go."""
    about, most = page.metadata, _MOST.get(kind.name, {})
    if note:
        about = dataclasses.replace(about, xmp=metadata.annotate(about.xmp, note))
    lost = [name for name in most if len(getattr(about, name) or b"") > most[name]]
    about = dataclasses.replace(about, **dict.fromkeys(lost))
    if note and "xmp" in lost:
        # The note must not go with the rest.
        about = dataclasses.replace(about, xmp=metadata.annotate(None, note))
    return about, lost


def _pixels(page):
    if page.alpha is None:
        return np.ascontiguousarray(page.rgb)
    return np.dstack([page.rgb, page.alpha])


def _image(kind, page):
    pixels = _pixels(page) if kind.alpha else np.ascontiguousarray(page.rgb)
    height, width, bands = pixels.shape
    wide = pixels.dtype == np.uint16
    image = pyvips.Image.new_from_memory(
        pixels, width, height, bands, "ushort" if wide else "uchar"
    )
    if wide and kind.depth == 8:
        image, wide = (image / 257).rint().cast("uchar"), False
    return image.copy(interpretation="rgb16" if wide else "srgb")


def _save(kind, image, keep="none"):
    return getattr(image, f"{kind.writer}_buffer")(keep=keep, **kind.options)


def _jpeg(kind, page, about, profile):
    unit, densities = 0, (1, 1)
    if about.resolution:
        unit, densities = 1, [min(max(round(value), 1), 65_535) for value in about.resolution]
    jfif = b"JFIF\0\1\2" + struct.pack(">BHHxx", unit, *densities)
    pieces = [b"\xff\xd8", _segment(0xE0, jfif)]
    if about.exif:
        pieces.append(_segment(0xE1, b"Exif\0\0" + about.exif))
    if about.xmp:
        pieces.append(_segment(0xE1, _XMP + about.xmp))
    if about.iptc:
        resources = metadata.resources_of_iptc(about.iptc)
        pieces.append(_segment(0xED, b"Photoshop 3.0\0" + resources))
    if profile:
        pieces.append(_segment(0xE2, b"ICC_PROFILE\0\1\1" + profile))
    return [*pieces, memoryview(_save(kind, _image(kind, page)))[2:]]


def _segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _png(kind, page, about, profile):
    encoded = _save(kind, _image(kind, page))
    end = 8 + 12 + 13
    pieces = [encoded[:end]]
    if encoded[end + 4 : end + 8] == b"pHYs":
        end += 12 + 9  # libvips writes one even where nothing is known.
    if about.resolution:
        densities = [round(density / 0.0254) for density in about.resolution]
        pieces.append(_chunk(b"pHYs", struct.pack(">IIB", *densities, 1)))
    if profile:
        pieces.append(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(profile)))
    if about.exif:
        pieces.append(_chunk(b"eXIf", about.exif))
    if about.xmp:
        pieces.append(_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + about.xmp))
    if about.iptc:
        resources = metadata.resources_of_iptc(about.iptc)
        digits = resources.hex()
        lines = [digits[start : start + 72] for start in range(0, len(digits), 72)]
        text = "\n".join(["", "iptc", f"{len(resources):8d}", *lines, ""])
        name = b"Raw profile type iptc\0\0"
        pieces.append(_chunk(b"zTXt", name + zlib.compress(text.encode())))
    return [*pieces, memoryview(encoded)[end:]]


def _chunk(name, payload):
    checksum = zlib.crc32(payload, zlib.crc32(name))
    return struct.pack(">I", len(payload)) + name + payload + struct.pack(">I", checksum)


def _webp(kind, page, about, profile):
    encoded = _save(kind, _image(kind, page))
    block = about.exif
    if about.resolution and not block:
        block = exif.build({"image": exif.resolution_tags(about.resolution)})
    if not (profile or block or about.xmp):
        return [encoded]
    alpha = page.alpha is not None
    flags = 32 * bool(profile) + 16 * alpha + 8 * bool(block) + 4 * bool(about.xmp)
    height, width = page.rgb.shape[:2]
    sides = b"".join((side - 1).to_bytes(3, "little") for side in (width, height))
    start = _riff(b"VP8X", struct.pack("<B3x", flags) + sides)
    start += _riff(b"ICCP", profile) if profile else b""
    end = _riff(b"EXIF", block) if block else b""
    end += _riff(b"XMP ", about.xmp) if about.xmp else b""
    # Of a transparent picture libwebp has written a header of this sort already.
    position = 12 + (18 if encoded[12:16] == b"VP8X" else 0)
    length = 4 + len(start) + len(encoded) - position + len(end)
    header = b"RIFF" + struct.pack("<I", length) + b"WEBP"
    return [header, start, memoryview(encoded)[position:], end]


def _riff(name, payload):
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)


def _avif(kind, page, about, profile):
    # Exif wants a resolution, and says 72 where none is known.
    densities = about.resolution or (72, 72)
    image = _image(kind, page).copy(xres=densities[0] / 25.4, yres=densities[1] / 25.4)
    block = about.exif and b"Exif\0\0" + about.exif
    for name, value in (("exif", block), ("xmp", about.xmp), ("icc-profile", profile)):
        if value:
            image.set_type(pyvips.GValue.blob_type, f"{name}-data", value)
    keep = "all" if about.exif or about.resolution else _KEEP_XMP_AND_ICC
    return [_save(kind, image, keep)]


_ENCODERS = {"JPEG": _jpeg, "PNG": _png, "WebP": _webp, "AVIF": _avif}
