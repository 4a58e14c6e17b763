"""Exif blocks and the directories of tags that they and TIFF files hold: read, corrected and built.

What is cut short or damaged is left out. An Exif block begins with its byte order (`II` or `MM`),
not with `Exif`.

Sources: CIPA DC-008 (Exif 3.0); TIFF 6.0; BigTIFF (libtiff).
"""

import struct
import typing

import numpy as np

from pipelines.photos import headers

EXIF_POINTER, GPS_POINTER, INTEROPERABILITY_POINTER = 34665, 34853, 40965
# For each type the bytes of a value, and the bytes that trade places between the byte orders.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_UNITS = {**_SIZES, 5: 4, 10: 4}
# Types of whole numbers.
_CODES = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}
# Far more than files hold; what asks for more is made to keep readers busy.
_MAX_DIRECTORIES, _MAX_ENTRIES = 1000, 1000
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


class Entry(typing.NamedTuple):
    """Where one tag's value lies in its block."""

    kind: int
    count: int
    position: int
    size: int


class Block:
    """The directories of a TIFF file or an Exif block, given as bytes from the byte order on."""

    def __init__(self, data):
        self.data = data
        self.order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
        magic = self.unpack("H", 2) if self.order else None
        is_big = magic == 43
        # Of a directory's number of entries, and of an offset.
        self._count, self._offset = ("Q", "Q") if is_big else ("H", "I")
        self.first = self.unpack(self._offset, 8 if is_big else 4) if magic in (42, 43) else None

    def unpack(self, code, position):
        """Returns the number at `position`, or None beyond the end."""
        try:
            return struct.unpack_from(self.order + code, self.data, position)[0]
        except (struct.error, OverflowError):
            return None

    def directory(self, start):
        """Reads the directory at `start`.

        Returns `(entries, next_position)`: a dict from tag to `Entry`, and where the offset of the
        next directory stands; `({}, None)` where no directory is.
        """
        count = self.unpack(self._count, start) if start else None
        if count is None:
            return {}, None
        inline = struct.calcsize(self._offset)
        begin, length = start + struct.calcsize(self._count), 4 + 2 * inline
        entries, end = {}, begin + count * length
        for at in range(begin, min(end, begin + _MAX_ENTRIES * length, len(self.data)), length):
            tag, kind = self.unpack("H", at), self.unpack("H", at + 2)
            number, position = self.unpack(self._offset, at + 4), at + 4 + inline
            size = _SIZES.get(kind, 0) * (number or 0)
            if size > inline:
                position = self.unpack(self._offset, position)
            if size and position is not None and position + size <= len(self.data):
                entries[tag] = Entry(kind, number, position, size)
        return entries, end

    def starts(self):
        """Lists where the directories of the chain begin: the pages of a TIFF file."""
        starts, start = [], self.first
        while start and start not in starts and len(starts) < _MAX_DIRECTORIES:
            starts.append(start)
            _, position = self.directory(start)
            start = position and self.unpack(self._offset, position)
        return starts

    def number(self, entries, tag):
        """Returns the whole number that `tag` holds, or None."""
        entry = entries.get(tag)
        code = _CODES.get(entry.kind) if entry else None
        return self.unpack(code, entry.position) if code else None

    def raw(self, entries, tag):
        """Returns the bytes of a tag as they stand in the block, or None."""
        entry = entries.get(tag)
        return bytes(self.data[entry.position : entry.position + entry.size]) if entry else None

    def values(self, entries):
        """Returns `{tag: (kind, count, bytes)}`, the bytes in little-endian order."""
        values = {}
        for tag, (kind, count, _, _) in entries.items():
            raw = self.raw(entries, tag)
            if self.order == ">" and _UNITS[kind] > 1:
                raw = np.frombuffer(raw, f">u{_UNITS[kind]}").astype(f"<u{_UNITS[kind]}").tobytes()
            values[tag] = (kind, count, raw)
        return values


def pack(found, start=8):
    """Packs a page's directory with the ones that it points to.

    `found` is as `descriptive_tags` returns it; `"image"` may hold any further tags. `start`, an
    even number, is where the bytes will stand in the file. Returns `(packed, offset)`:
    little-endian bytes of even length, and the offset in the file of the page's directory, whose
    last four bytes, the offset of the next, are zero.
    """
    packed, image = b"", dict(found["image"])
    children = dict(found.get("exif", {}))
    for name, parent, pointer in (
        ("interoperability", children, INTEROPERABILITY_POINTER),
        ("exif", image, EXIF_POINTER),
        ("gps", image, GPS_POINTER),
    ):
        tags = children if name == "exif" else found.get(name)
        if tags:
            parent[pointer] = (4, 1, struct.pack("<I", start + len(packed)))
            packed += _pack_directory(tags, start + len(packed))
    return packed + _pack_directory(image, start + len(packed)), start + len(packed)


def _pack_directory(tags, start):
    entries, values = [], b""
    end = start + 2 + 12 * len(tags) + 4
    for tag, (kind, count, raw) in sorted(tags.items()):
        if len(raw) > 4:
            value = struct.pack("<I", end + len(values))
            values += raw + b"\0" * (len(raw) % 2)
        else:
            value = raw.ljust(4, b"\0")
        entries.append(struct.pack("<HHI", tag, kind, count) + value)
    return struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + values


def orientation_of(exif):
    """Reads the way up of an Exif block, 1 to 8, or None where it does not say."""
    block = Block(exif)
    orientation = block.number(block.directory(block.first)[0], _ORIENTATION)
    return orientation if orientation in range(1, 9) else None


def resolution_of(exif):
    """Reads the `(horizontal, vertical)` pixels per inch of an Exif block, or None."""
    block = Block(exif)
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
    1, its color space sRGB, and its thumbnail, which shows the old picture, is wiped out. `swapped`
    says whether width and height have changed places. Returns None where there is no Exif block at
    all.
    """
    data = bytearray(exif)
    block = Block(data)
    entries, position = block.directory(block.first)
    if not entries:
        return None
    if block.number(entries, _ORIENTATION) is not None:
        _put(block, entries[_ORIENTATION], 1)
    children, _ = block.directory(block.number(entries, EXIF_POINTER))
    width, height = (children.get(tag) for tag in (_PIXEL_WIDTH, _PIXEL_HEIGHT))
    numbers = [block.number(children, tag) for tag in (_PIXEL_WIDTH, _PIXEL_HEIGHT)]
    if swapped and None not in numbers and width.kind == height.kind:
        _put(block, width, numbers[1])
        _put(block, height, numbers[0])
    if (space := children.get(_COLOR_SPACE)) and block.number(children, _COLOR_SPACE) is not None:
        _put(block, space, 1)  # sRGB, as the pixels are now.
    inner, _ = block.directory(block.number(children, INTEROPERABILITY_POINTER))
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
    struct.pack_into(block.order + _CODES[entry.kind], block.data, entry.position, number)


def descriptive_tags(block, start):
    """Collects the tags of one page, or of an Exif block, that describe the photo.

    `start` is where the page's directory begins in the `Block`, or None for nowhere. Returns a dict
    of `"image"`, `"exif"`, `"gps"` and `"interoperability"`, each `{tag: (kind, count,
    little-endian bytes)}`.
    """
    entries, _ = block.directory(start)
    found = {"image": {tag: entries[tag] for tag in entries if tag in _DESCRIPTIVE}}
    found["exif"], _ = block.directory(block.number(entries, EXIF_POINTER))
    found["gps"], _ = block.directory(block.number(entries, GPS_POINTER))
    pointer = block.number(found["exif"], INTEROPERABILITY_POINTER)
    found["interoperability"], _ = block.directory(pointer)
    found["exif"].pop(INTEROPERABILITY_POINTER, None)
    # Types beyond 13 are BigTIFF's own.
    return {
        name: block.values({tag: entry for tag, entry in part.items() if entry.kind <= 13})
        for name, part in found.items()
    }


def resolution_tags(resolution):
    """Writes `(horizontal, vertical)` pixels per inch as tags, `{tag: (kind, count, bytes)}`."""
    said = {_RESOLUTION_UNIT: (3, 1, struct.pack("<H", 2))}
    for tag, density in zip((_X_RESOLUTION, _Y_RESOLUTION), resolution, strict=True):
        said[tag] = (5, 1, struct.pack("<II", round(density * 1000), 1000))
    return said


def build(found):
    """Builds the bytes of an Exif block, or None where there is nothing to hold."""
    if not any(found.values()):
        return None
    packed, offset = pack(found)
    return b"II*\0" + struct.pack("<I", offset) + packed
