"""What a picture file tells before it is decoded: kind, size, orientation.

Law of the file: pure functions of bytes. A header that is cut short or damaged raises nothing: what
could not be read is 0 pixels or orientation 1, and the decoder after it says what is wrong.

Sources: ITU-T T.81 (JPEG segments), the PNG specification (W3C, third edition), TIFF 6.0 and CIPA
DC-008 (Exif).
"""

import struct

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff")
WRITABLE_SUFFIXES = (".jpg", ".jpeg", ".png")

_MAGIC = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
_WIDTH_TAG, _HEIGHT_TAG, _ORIENTATION_TAG = 256, 257, 274
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


def kind_of(start):
    """Tells the kind of a file by its first 16 bytes.

    Args:
        start: Bytes.

    Returns:
        `"JPEG"`, `"PNG"`, `"GIF"`, `"BMP"`, `"TIFF"`, `"WebP"`, or None for anything else.
    """
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)


def read_header(kind, data):
    """Reads how large a picture says it is, and which way up it is stored.

    Args:
        kind: What `kind_of` said.
        data: Bytes of the whole file.

    Returns:
        `(height, width, orientation)`: pixels as stored, 0 where they are not known (BMP and WebP,
        which their files' own limits bound), and the Exif orientation of JPEG and PNG, 1 to 8. For
        TIFF, whose decoder turns pictures upright, the orientation is 1.
    """
    view, height, width, orientation = memoryview(data), 0, 0, 1
    try:
        if kind == "JPEG":
            for marker, segment in _jpeg_segments(view):
                if marker in _START_OF_FRAME:
                    height, width = struct.unpack_from(">HH", segment, 1)
                elif marker == 0xE1 and segment[:6] == b"Exif\0\0":
                    orientation = _tiff_tags(segment[6:]).get(_ORIENTATION_TAG, 1)
        elif kind == "PNG":
            width, height = struct.unpack_from(">II", data, 16)
            for name, chunk in _png_chunks(view):
                if name == b"eXIf":
                    orientation = _tiff_tags(chunk).get(_ORIENTATION_TAG, 1)
        elif kind == "GIF":
            width, height = struct.unpack_from("<HH", data, 6)
        elif kind == "TIFF":
            tags = _tiff_tags(view)
            height, width = tags.get(_HEIGHT_TAG, 0), tags.get(_WIDTH_TAG, 0)
    except struct.error:
        pass  # Cut short: the decoder says so.
    return height, width, orientation


def _jpeg_segments(view):
    position = 2
    while position + 4 <= len(view) and view[position] == 0xFF:
        marker = view[position + 1]
        if marker == 0xDA:  # From here on the segments hold compressed pixels.
            return
        if marker == 0xFF:
            position += 1
            continue
        end = position + 2 + struct.unpack_from(">H", view, position + 2)[0]
        yield marker, view[position + 4 : end]
        position = end


def _png_chunks(view):
    position = 8
    while position + 8 <= len(view):
        length, name = struct.unpack_from(">I4s", view, position)
        yield name, view[position + 8 : position + 8 + length]
        position += 12 + length


def _tiff_tags(view):
    """Whole-numbered tags of the first directory of a TIFF block, which Exif is written in."""
    tags = {}
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(bytes(view[:4]))
    if order is None:
        return tags
    try:
        start = struct.unpack_from(order + "I", view, 4)[0]
        for entry in range(struct.unpack_from(order + "H", view, start)[0]):
            at = start + 2 + 12 * entry
            tag, kind = struct.unpack_from(order + "HH", view, at)
            if kind in (3, 4):  # SHORT and LONG
                tags[tag] = struct.unpack_from(order + {3: "H", 4: "I"}[kind], view, at + 8)[0]
    except struct.error:
        pass  # A damaged directory: what was read until here counts.
    return tags
