"""Exif blocks: read, corrected in place, built from the tags of TIFF pages.

What is cut short or damaged is left out. An Exif block begins with its byte order (`II` or `MM`),
not with `Exif`.

Source: CIPA DC-008 (Exif 3.0).
"""

import struct

from pipelines.photos import headers, tags

_ORIENTATION = 274
_THUMBNAIL_OFFSET, _THUMBNAIL_LENGTH = 513, 514
_PIXEL_WIDTH, _PIXEL_HEIGHT = 40962, 40963
_COLOR_SPACE = 40961
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
# Tags of a TIFF page that describe the photo, not how its pixels are stored. What an unknown tag
# means, an offset into the old file or the old picture's layers, cannot be known.
_DESCRIPTIVE = frozenset(
    [269, 270, 271, 272, 285, 305, 306, 315, 316, 18246, 18249, 33432, 50341, *range(40091, 40096)]
)


def orientation_of(exif):
    """Reads the way up of an Exif block.

    Returns:
        1 to 8, or None where the block does not say.
    """
    block = tags.Block(exif)
    orientation = block.number(block.directory(block.first)[0], _ORIENTATION)
    return orientation if orientation in range(1, 9) else None


def resolution_of(exif):
    """Reads the resolution of an Exif block.

    Returns:
        `(horizontal, vertical)` in pixels per inch, or None where the block does not say.
    """
    block = tags.Block(exif)
    entries, _ = block.directory(block.first)
    densities = []
    for tag in (_X_RESOLUTION, _Y_RESOLUTION):
        entry = entries.get(tag)
        if not entry or entry.kind != 5:
            return None
        above, below = (block.unpack("I", entry.position + offset) for offset in (0, 4))
        if not above or not below:
            return None
        factor = 2.54 if block.number(entries, _RESOLUTION_UNIT) == 3 else 1
        densities.append(headers.per_inch(above / below, factor))
    return tuple(densities)


def upright(exif, swapped):
    """Corrects an Exif block for pixels that are now upright and look different.

    The block keeps its layout, because makers' notes hold offsets into it. Its orientation becomes
    1, its color space sRGB, and its thumbnail, which shows the old picture, is wiped out.

    Args:
        exif: Bytes of the block.
        swapped: Whether width and height have changed places.

    Returns:
        Bytes of the corrected block, or None where it is no Exif block at all.
    """
    data = bytearray(exif)
    block = tags.Block(data)
    entries, position = block.directory(block.first)
    if not entries:
        return None
    if block.number(entries, _ORIENTATION) is not None:
        _put(block, entries[_ORIENTATION], 1)
    children, _ = block.directory(block.number(entries, tags.EXIF_POINTER))
    width, height = (children.get(tag) for tag in (_PIXEL_WIDTH, _PIXEL_HEIGHT))
    numbers = [block.number(children, tag) for tag in (_PIXEL_WIDTH, _PIXEL_HEIGHT)]
    if swapped and None not in numbers and width.kind == height.kind:
        _put(block, width, numbers[1])
        _put(block, height, numbers[0])
    if (space := children.get(_COLOR_SPACE)) and block.number(children, _COLOR_SPACE) is not None:
        _put(block, space, 1)  # sRGB, as the pixels are now.
    inner, _ = block.directory(block.number(children, tags.INTEROPERABILITY_POINTER))
    if (index := inner.get(1)) and block.raw(inner, 1) == b"R03\0":  # Adobe RGB
        data[index.position : index.position + 4] = b"R98\0"
    second = block.unpack("I", position)
    if second:
        struct.pack_into(block.order + "I", data, position, 0)
        thumbnail, _ = block.directory(second)
        start = block.number(thumbnail, _THUMBNAIL_OFFSET)
        length = block.number(thumbnail, _THUMBNAIL_LENGTH)
        if start and length and start >= 8 and start + length <= len(data):
            data[start : start + length] = bytes(length)
            if start + length == len(data):
                del data[start:]
    return bytes(data)


def _put(block, entry, number):
    code = {1: "B", 3: "H", 4: "I", 13: "I"}[entry.kind]
    struct.pack_into(block.order + code, block.data, entry.position, number)


def descriptive_tags(block, start):
    """Collects the tags of one page, or of an Exif block, that describe the photo.

    Args:
        block: `Block` of a TIFF file or an Exif block.
        start: Where the page's directory begins, or None for nowhere.

    Returns:
        Dict of `"image"`, `"exif"`, `"gps"` and `"interoperability"`, each `{tag: (kind, count,
        little-endian bytes)}`; empty where there are none.
    """
    entries, _ = block.directory(start)
    found = {"image": {tag: entries[tag] for tag in entries if tag in _DESCRIPTIVE}}
    found["exif"], _ = block.directory(block.number(entries, tags.EXIF_POINTER))
    found["gps"], _ = block.directory(block.number(entries, tags.GPS_POINTER))
    pointer = block.number(found["exif"], tags.INTEROPERABILITY_POINTER)
    found["interoperability"], _ = block.directory(pointer)
    found["exif"].pop(tags.INTEROPERABILITY_POINTER, None)
    # Types beyond 13 are BigTIFF's own.
    return {
        name: block.values({tag: entry for tag, entry in part.items() if entry.kind <= 13})
        for name, part in found.items()
    }


def resolution_tags(resolution):
    """Writes a resolution as tags.

    Args:
        resolution: `(horizontal, vertical)` in pixels per inch.

    Returns:
        `{tag: (kind, count, bytes)}`.
    """
    said = {_RESOLUTION_UNIT: (3, 1, struct.pack("<H", 2))}
    for tag, density in zip((_X_RESOLUTION, _Y_RESOLUTION), resolution, strict=True):
        said[tag] = (5, 1, struct.pack("<II", round(density * 1000), 1000))
    return said


def build(found):
    """Builds an Exif block.

    Returns:
        Bytes, or None where there is nothing to hold.
    """
    if not any(found.values()):
        return None
    packed, offset = tags.pack(found)
    return b"II*\0" + struct.pack("<I", offset) + packed
