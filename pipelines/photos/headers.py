"""What a JPEG, PNG or AVIF file tells before it is decoded, and its decoder would not.

A header that is cut short or damaged raises nothing; the decoder after it says what is wrong.

Source: ITU-T T.81 (JPEG segments).
"""

import re
import struct

_JPEG_BEHIND_JUNK = re.compile(rb"(?s:.{0,60}?)\xff\xd8[^\xff]{0,60}\xff[\xc0-\xfe]")
# Behind the data of a scan, in which 0xFF is followed by 0 or by the number of a restart.
_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_MOST_ROWS = 65_480
_END_OF_JPEG = b"\xff\xd9"
_MORE_XMP = b"http://ns.adobe.com/xmp/extension/\0"
_SAMPLE_SIZES = re.compile(rb"stsz\0\0\0\0(?s:.{4})((?s:.{4}))")
_READABLE_FRAMES = {0xC0, 0xC1, 0xC2}
_UNREADABLE_FRAMES = {
    **dict.fromkeys((0xC3, 0xC7, 0xCB, 0xCF), "lossless coding"),
    **dict.fromkeys((0xC9, 0xCA, 0xCD, 0xCE), "arithmetic coding"),
    **dict.fromkeys((0xC5, 0xC6), "hierarchical coding"),
}


def unusual_jpeg(data):
    """Names what a JPEG file has that its decoder doesn't know: `"12 bits per sample"`, or None."""
    for marker, start, end in _jpeg_segments(data):
        if marker in _UNREADABLE_FRAMES:
            return _UNREADABLE_FRAMES[marker]
        if marker in _READABLE_FRAMES and end > start:
            return None if data[start] == 8 else f"{data[start]} bits per sample"
    return None


def without_junk(data):
    """Takes stray bytes from around the first marker of a JPEG file, which are common."""
    match = _JPEG_BEHIND_JUNK.match(data)
    return b"\xff\xd8" + data[match.end() - 2 :] if match and match.end() > 4 else data


def lacks_end(data):
    """Whether a JPEG file has no end marker behind its first scan's header."""
    scan = max((end for _, _, end in _jpeg_segments(data)), default=0)
    return data.find(_END_OF_JPEG, scan) < 0


def has_more_xmp(data):
    """Whether a JPEG file has XMP in further segments, as what is longer than one has."""
    return any(
        marker == 0xE1 and data.startswith(_MORE_XMP, start)
        for marker, start, _ in _jpeg_segments(data)
    )


def strict_jpeg(data):
    """Alters a JPEG file so that libvips, told to fail on warnings, fails on damage and only on it.

    libvips asks libjpeg for warnings before it decodes eight more rows, and so not after the last
    rows, where the loss of some bytes anywhere shows. If those are all of the last row of blocks, a
    row of blocks is added to the header; what is decoded for it means nothing.

    And three oddities of whole files, of which libjpeg warns, are set right: an unknown revision of
    JFIF, scans that name other coefficients than sequential coding has, and a missing end marker.
    Returns `(altered, num_rows)`: bytes, and how many rows of pixels at the end mean nothing.
    """
    altered, num_rows, frame = bytearray(data), 0, None
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE0 and data[start : start + 5] == b"JFIF\0" and end - start >= 14:
            altered[start + 5] = 1
        elif marker in (0xC0, 0xC1) and end - start >= 9:
            frame = start
        elif marker == 0xDA and frame and end - start >= 6:
            altered[end - 3 : end] = b"\0\x3f\0"
            height = struct.unpack_from(">H", data, frame + 1)[0]
            num_components = data[frame + 5]
            # Where rows of blocks are 16 high, or several scans are gathered, warnings come early.
            factors = data[frame + 7 : frame + 6 + 3 * num_components : 3]
            flat = all(factor & 15 == 1 for factor in factors)
            if flat and data[start] == num_components and 0 < height < _MOST_ROWS:
                num_rows = -height % 8 + 8
                struct.pack_into(">H", altered, frame + 1, height + num_rows)
    if lacks_end(data) and _has_all_scans(data):
        altered += _END_OF_JPEG
    return bytes(altered), num_rows


def _has_all_scans(data):
    """Whether no scan is missing that a progressive file refines its coefficients by."""
    missing = set()
    for marker, start, end in _jpeg_segments(data, all_scans=True):
        if marker == 0xC2 and end - start >= 9:
            names = data[start + 6 : end : 3]
            missing = {(name, place) for name in names for place in range(64)}
        elif marker == 0xDA and end - start >= 6 and data[end - 1] & 15 == 0:
            names = data[start + 1 : end - 3 : 2]
            places = range(data[end - 3], data[end - 2] + 1)
            missing -= {(name, place) for name in names for place in places}
    return not missing


def _jpeg_segments(data, all_scans=False):
    """Yields `(marker, start, end)` of each segment's contents, up to the first scan's header.

    Or, with `all_scans`, to the end of the file.
    """
    position, marker = 2, 0
    while (all_scans or marker != 0xDA) and position + 4 <= len(data) and data[position] == 0xFF:
        marker = data[position + 1]
        if marker == 0xFF:
            position += 1
            continue
        end = position + 2 + struct.unpack_from(">H", data, position + 2)[0]
        yield marker, position + 4, min(end, len(data))
        position = end
        if marker == 0xDA and all_scans:
            following = _NEXT_MARKER.search(data, position)
            position = following.start() if following else len(data)


def jfif_resolution(data):
    """Reads the `(horizontal, vertical)` pixels per inch of a JPEG file outside Exif, or None."""
    for marker, start, end in _jpeg_segments(data):
        if marker == 0xE0 and data[start : start + 5] == b"JFIF\0" and end - start >= 12:
            unit, *densities = struct.unpack_from(">BHH", data, start + 7)
            if unit in (1, 2) and 0 not in densities:
                return tuple(per_inch(density, 1 if unit == 1 else 2.54) for density in densities)
    return None


def png_resolution(data):
    """Reads the `(horizontal, vertical)` pixels per inch of a PNG file, or None."""
    chunk = _png_chunks(data).get(b"pHYs", b"")
    if len(chunk) != 9:
        return None
    *densities, unit = struct.unpack(">IIB", chunk)
    known = unit == 1 and 0 not in densities
    return tuple(per_inch(density, 0.0254) for density in densities) if known else None


def png_gamma(data):
    """Reads the exponent of light that a PNG file's levels have, where it is not that of sRGB.

    1.0 means levels that are light itself; None that the file says nothing, says 1/2.2, which
    stands for sRGB, or names its colors otherwise.

    Source: the PNG specification, 4.2.2.1.
    """
    chunks = _png_chunks(data)
    if len(chunks.get(b"gAMA", b"")) != 4 or chunks.keys() & {b"sRGB", b"iCCP", b"cICP"}:
        return None
    gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100_000
    return None if gamma == 0 or abs(gamma * 2.2 - 1) < 0.05 else gamma


def png_frames(data):
    """How many frames a PNG file has: more than 1 if it is animated."""
    chunk = _png_chunks(data).get(b"acTL", b"")
    return struct.unpack_from(">I", chunk)[0] if len(chunk) == 8 else 1


def avif_frames(data):
    """How many frames an AVIF file has: more than 1 if it is animated.

    Source: ISO/IEC 14496-12, 8.7.3.2 (sizes of samples).
    """
    sizes = _SAMPLE_SIZES.search(data) if data[8:12] == b"avis" else None
    return struct.unpack(">I", sizes[1])[0] if sizes else 1


def _png_chunks(data):
    """Returns the contents of the chunks before the pixels, by name."""
    chunks, position = {}, 8
    while position + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, position)
        if name == b"IDAT":
            break
        chunks[name] = data[position + 8 : position + 8 + min(length, 64)]
        position += 12 + length
    return chunks


def per_inch(density, factor):
    """Converts pixels per unit of length to pixels per inch; `factor` is a unit's share of an inch.

    The result is a whole number where a whole number of pixels per meter, which PNG and BMP hold,
    can say it no better.
    """
    exact = density * factor
    return float(round(exact)) if abs(exact - round(exact)) < 0.0128 else round(exact, 3)
