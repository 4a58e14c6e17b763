"""The table of picture formats, which everything that reads, writes or names pictures asks.

A new format is one row here. One that libvips does not read also needs a row in
`decoders._BITMAPS`, and one that takes metadata in its own way a function in
`encoders._ENCODERS`.

Sources: ISO/IEC 14496-12 (file type box); each format's own specification for its first bytes.
"""

import dataclasses
import os
import re

from pipelines.files import name_first
from pipelines.photos import headers


@dataclasses.dataclass(frozen=True)
class Format:
    """A picture format: how its files are known, read and, unless `writer` is None, written.

    Args:
        name: As people write it.
        suffixes: In lower case; a new file gets the first.
        media_type: MIME type.
        magic: Regular expression that matches the start of its files.
        reader: libvips operation without `_buffer`, a key of `decoders._BITMAPS`, or pillow-heif.
        brands: Of an ISO media file, those in its `ftyp` box that tell it.
        fail_on: What makes libvips refuse a file. "error" includes wrong checksums of PNG chunks;
            JPEG has no checksums, and damage leaves warnings.
        trained: What of it `tf.io.decode_image` reads, as people write it; None: nothing.
        writer: libvips operation without `_buffer`, or "tiff".
        options: Keyword arguments of that operation.
        depth: Most bits per channel in written files; deeper photos are rounded.
        alpha: Whether written files hold transparency.
        pages: Whether files hold several pages.
        max_side: Most pixels a side in written files.
        read_suffixes: Further suffixes, of files that are read and not written.
    """

    name: str
    suffixes: tuple[str, ...]
    media_type: str
    magic: bytes
    reader: str
    brands: frozenset = frozenset()
    fail_on: str = "error"
    trained: str | None = None
    writer: str | None = None
    options: dict = dataclasses.field(default_factory=dict, hash=False)
    depth: int = 8
    alpha: bool = True
    pages: bool = False
    max_side: int | None = None
    read_suffixes: tuple[str, ...] = ()

    @property
    def is_read_by_libvips(self):
        """Whether `reader` is an operation of libvips."""
        return self.reader.endswith("load")


_FTYP = rb"(?s:.{4})ftyp"
FORMATS = (
    Format(
        "JPEG",
        (".jpg", ".jpeg", ".jfif", ".jpe", ".jfi"),
        "image/jpeg",
        rb"\xff\xd8\xff",
        "jpegload",
        fail_on="warning",
        trained="JPEG",
        writer="jpegsave",
        options={"Q": 95, "subsample_mode": "off"},
        alpha=False,
        max_side=65_500,
        read_suffixes=(".mpo",),
    ),
    Format(
        "PNG",
        (".png",),
        "image/png",
        rb"\x89PNG\r\n\x1a\n",
        "pngload",
        trained="PNG",
        writer="pngsave",
        # On photos with grain: as small as the highest level makes them, within two percent, in a
        # tenth of its time; no other single filter does better.
        options={"compression": 3, "filter": "avg"},
        depth=16,
    ),
    Format(
        "TIFF",
        (".tif", ".tiff"),
        "image/tiff",
        rb"II[*+]\0|MM\0[*+]",
        "tiffload",
        writer="tiff",
        depth=16,
        pages=True,
    ),
    Format(
        "WebP",
        (".webp",),
        "image/webp",
        rb"RIFF(?s:.{4})WEBP",
        "webpload",
        trained="opaque WebP",
        writer="webpsave",
        # More effort takes up to four times as long for the same size.
        options={"Q": 90, "effort": 2, "exact": True},
        max_side=16_383,
    ),
    Format(
        "AVIF",
        (".avif",),
        "image/avif",
        _FTYP,
        "heifload",
        brands=frozenset([b"avif", b"avis"]),
        writer="heifsave",
        options={"compression": "av1", "Q": 80, "effort": 0, "subsample_mode": "off"},
        max_side=16_384,
    ),
    Format(
        "HEIC",
        (".heic", ".heif", ".hif"),
        "image/heic",
        _FTYP,
        "pillow-heif",
        # AVIF, above, may have the last two as well.
        brands=frozenset(b"heic heix heim heis hevc hevx mif1 msf1".split()),
    ),
    Format(
        "JPEG 2000",
        (".jp2", ".j2k"),
        "image/jp2",
        rb"\0\0\0\x0cjP  \r\n\x87\n|\xff\x4f\xff\x51",
        "openjpeg",
    ),
    Format("GIF", (".gif",), "image/gif", rb"GIF8[79]a", "gifload", trained="GIF"),
    Format("BMP", (".bmp",), "image/bmp", rb"BM", "opencv", trained="BMP"),
    Format(
        "PNM",
        (".pbm", ".pgm", ".ppm", ".pnm"),
        "image/x-portable-anymap",
        rb"P[1-6][ \t\r\n#]",
        "netpbm",
    ),
)

PICTURE_SUFFIXES = tuple(suffix for row in FORMATS for suffix in row.suffixes + row.read_suffixes)
# Of pictures that people have, and nothing here reads: JPEG XL, Photoshop, raw files of cameras.
_UNREAD_SUFFIXES = (
    *(".jxl", ".psd", ".psb", ".dng", ".nef", ".cr2", ".cr3", ".arw", ".orf", ".rw2", ".raf"),
    *(".pef", ".srw"),
)
WRITABLE_SUFFIXES = tuple(suffix for row in FORMATS if row.writer for suffix in row.suffixes)
# As long as the first bytes have to be for `identify`.
START = 64


def identify(start):
    """Tells the `Format` of a file by its first bytes, as its name may lie; None if it is none.

    They are the first `START` bytes or more, or the whole file if it is shorter.
    """
    brands = frozenset()
    if re.match(_FTYP, start):
        box = start[8 : min(int.from_bytes(start[:4]), START)]
        brands = frozenset(box[at : at + 4] for at in range(0, len(box), 4))
    for row in FORMATS:
        if re.match(row.magic, start) and (not row.brands or row.brands & brands):
            return row
    # Some programs leave stray bytes before a JPEG file.
    return FORMATS[0] if re.match(FORMATS[0].magic, headers.without_junk(start[:START])) else None


def by_suffix(path):
    """Returns the `Format` that a path's suffix names, or None."""
    suffix = os.path.splitext(path)[1].lower()
    rows = (row for row in FORMATS if suffix in row.suffixes + row.read_suffixes)
    return next(rows, None)


def is_unread(name):
    """Whether a file's suffix is of a picture format that nothing here reads."""
    return name.lower().endswith(_UNREAD_SUFFIXES)


def left_out_lines(where, unread, linked):
    """Says in a line each, if there are any, what of the folder `where` is left out.

    That is `unread`, pictures in formats that nothing here reads, and `linked`, links to folders.
    """
    for one, many, paths in (
        ("file of a format that is not read", "files of formats that are not read", unread),
        ("link to a folder", "links to folders", linked),
    ):
        if paths:
            what = one if len(paths) == 1 else many
            yield f"{where}: left out {len(paths):,} {what}: {name_first(paths)}"


def _listed(names):
    *others, last = names
    return f"{', '.join(others)} or {last}"


READ_NAMES = _listed([row.name for row in FORMATS])
TRAINED_NAMES = _listed([row.trained for row in FORMATS if row.trained])
