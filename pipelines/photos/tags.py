"""Directories of tags, as TIFF files and Exif blocks hold them: read and packed.

What is cut short or damaged is left out.

Sources: TIFF 6.0; BigTIFF (libtiff); CIPA DC-008 (Exif 3.0).
"""

import struct
import typing

import numpy as np

EXIF_POINTER, GPS_POINTER, INTEROPERABILITY_POINTER = 34665, 34853, 40965
# For each type the bytes of a value, and the bytes that trade places between the byte orders.
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
_UNITS = {**_SIZES, 5: 4, 10: 4}
# Far more than files hold; what asks for more is made to keep readers busy.
_MAX_DIRECTORIES, _MAX_ENTRIES = 1000, 1000


class Entry(typing.NamedTuple):
    """Where one tag's value lies in its block."""

    kind: int
    count: int
    position: int
    size: int


class Block:
    """The directories of a TIFF file or an Exif block.

    Args:
        data: Bytes, from the byte order on.
    """

    def __init__(self, data):
        self.data = data
        start = bytes(data[:4])
        self.order = {b"II": "<", b"MM": ">"}.get(start[:2])
        magic = self.unpack("H", 2) if self.order else None
        self._big = magic == 43
        self.first = None
        if magic in (42, 43):
            self.first = self.unpack("Q", 8) if self._big else self.unpack("I", 4)

    def unpack(self, code, position):
        """Returns the number at `position`, or None beyond the end."""
        try:
            return struct.unpack_from(self.order + code, self.data, position)[0]
        except (struct.error, OverflowError):
            return None

    def directory(self, start):
        """Reads the directory at `start`.

        Returns:
            `(entries, next_position)`: a dict from tag to `Entry`, and where the offset of the next
            directory stands; `({}, None)` where no directory is.
        """
        count, begin, length = self._shape(start)
        if count is None:
            return {}, None
        offset, inline = ("Q", 8) if self._big else ("I", 4)
        entries, end = {}, begin + count * length
        for at in range(begin, min(end, begin + _MAX_ENTRIES * length, len(self.data)), length):
            tag, kind = self.unpack("H", at), self.unpack("H", at + 2)
            number = self.unpack(offset, at + 4)
            size = _SIZES.get(kind, 0) * (number or 0)
            position = at + 4 + inline if size <= inline else self.unpack(offset, at + 4 + inline)
            if size and position is not None and position + size <= len(self.data):
                entries[tag] = Entry(kind, number, position, size)
        return entries, end

    def _shape(self, start):
        """Returns the number of entries, where they begin, and the length of one."""
        count = self.unpack("Q" if self._big else "H", start) if start else None
        return (count, (start or 0) + 8, 20) if self._big else (count, (start or 0) + 2, 12)

    def starts(self):
        """Lists where the directories of the chain begin: the pages of a TIFF file."""
        starts, start = [], self.first
        while start and start not in starts and len(starts) < _MAX_DIRECTORIES:
            starts.append(start)
            count, begin, length = self._shape(start)
            position = None if count is None else begin + count * length
            start = position and self.unpack("Q" if self._big else "I", position)
        return starts

    def number(self, entries, tag):
        """Returns the whole number that `tag` holds, or None."""
        entry = entries.get(tag)
        code = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q"}.get(entry.kind) if entry else None
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

    Args:
        found: As `descriptive_tags` returns it; `"image"` may hold any further tags.
        start: Where the bytes will stand in the file; an even number.

    Returns:
        `(packed, offset)`: little-endian bytes of even length, and the offset in the file of the
        page's directory. The last four bytes of the directory itself, the offset of the next, are
        zero.
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
