"""Sets metadata into encoded JPEG, PNG and WebP files, byte for byte as the photo had them.

libvips would write Exif through libexif, which drops tags that it does not know, and would leave
IPTC out of PNG.

Law of the file: pure functions. Each takes a whole file without metadata, as libvips encodes it,
and returns the pieces of the file with it; big pieces are views, not copies.

Sources: ITU-T T.871 (JFIF); CIPA DC-008 (Exif); Adobe XMP part 3; ICC.1 annex B; the PNG
specification; RFC 9649 (WebP). IPTC in PNG follows ImageMagick and ExifTool.
"""

import struct
import zlib

from pipelines.photos import exif, metadata

_MAX_SEGMENT = 65_533
_XMP = b"http://ns.adobe.com/xap/1.0/\0"
MAX_JPEG_XMP = _MAX_SEGMENT - len(_XMP)


def jpeg(encoded, about, icc):
    """Sets metadata into a JPEG file.

    Args:
        encoded: Bytes of the file, without a JFIF segment.
        about: A `Metadata`. What is longer than a segment, 65,533 bytes, is left out.
        icc: Bytes of an ICC profile shorter than a segment, or None.

    Returns:
        List of bytes.
    """
    unit, densities = 0, (1, 1)
    if about.resolution:
        unit, densities = 1, [min(max(round(value), 1), 65_535) for value in about.resolution]
    pieces = [b"\xff\xd8", _segment(0xE0, b"JFIF\0\1\2" + struct.pack(">BHHxx", unit, *densities))]
    if about.exif:
        pieces.append(_segment(0xE1, b"Exif\0\0" + about.exif))
    if about.xmp:
        pieces.append(_segment(0xE1, _XMP + about.xmp))
    if about.iptc:
        resources = metadata.resources_of_iptc(about.iptc)
        pieces.append(_segment(0xED, b"Photoshop 3.0\0" + resources))
    if icc:
        pieces.append(_segment(0xE2, b"ICC_PROFILE\0\1\1" + icc))
    return [*pieces, memoryview(encoded)[2:]]


def _segment(marker, payload):
    if len(payload) > _MAX_SEGMENT:
        return b""
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def png(encoded, about, icc):
    """Sets metadata into a PNG file.

    Args:
        encoded: Bytes of the file.
        about: A `Metadata`.
        icc: Bytes of an ICC profile, or None.

    Returns:
        List of bytes.
    """
    end = 8 + 12 + 13
    pieces = [encoded[:end]]
    if encoded[end + 4 : end + 8] == b"pHYs":
        end += 12 + 9  # libvips writes one even where nothing is known.
    if about.resolution:
        densities = [round(density / 0.0254) for density in about.resolution]
        pieces.append(_chunk(b"pHYs", struct.pack(">IIB", *densities, 1)))
    if icc:
        pieces.append(_chunk(b"iCCP", b"sRGB\0\0" + zlib.compress(icc)))
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


def webp(encoded, about, icc, size, alpha):
    """Sets metadata into a WebP file, which can hold neither IPTC nor, outside Exif, a resolution.

    Args:
        encoded: Bytes of the file.
        about: A `Metadata`.
        icc: Bytes of an ICC profile, or None.
        size: `(height, width)` in pixels.
        alpha: Whether the picture is transparent anywhere.

    Returns:
        List of bytes.
    """
    block = about.exif
    if about.resolution and not block:
        block = exif.build({"image": exif.resolution_tags(about.resolution)})
    if not (icc or block or about.xmp):
        return [encoded]
    flags = 32 * bool(icc) + 16 * bool(alpha) + 8 * bool(block) + 4 * bool(about.xmp)
    sides = [(side - 1).to_bytes(3, "little") for side in (size[1], size[0])]
    start = _riff(b"VP8X", struct.pack("<B3x", flags) + sides[0] + sides[1])
    start += _riff(b"ICCP", icc) if icc else b""
    end = _riff(b"EXIF", block) if block else b""
    end += _riff(b"XMP ", about.xmp) if about.xmp else b""
    # Of a transparent picture libwebp has written a header of this sort already.
    position = 12 + (18 if encoded[12:16] == b"VP8X" else 0)
    length = 4 + len(start) + len(encoded) - position + len(end)
    header = b"RIFF" + struct.pack("<I", length) + b"WEBP"
    return [header, start, memoryview(encoded)[position:], end]


def _riff(name, payload):
    return name + struct.pack("<I", len(payload)) + payload + b"\0" * (len(payload) % 2)
