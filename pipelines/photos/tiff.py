"""TIFF where libvips falls short: what it would read wrong, and files of several sizes with Exif.

libvips continues where pieces are missing, leaves levels of other types than 8 and 16 unsigned bits
as they are, gives all pages that it writes one size, and writes no Exif into TIFF.

Source: TIFF 6.0, sections 8 (baseline), 14 (differencing predictor), 18 (extra samples); Adobe
Photoshop TIFF notes (Deflate); CIPA DC-008 (Exif).
"""

import concurrent.futures
import itertools
import os
import struct
import zlib

import numpy as np

from pipelines.photos import exif
from pipelines.photos.photo import PictureError

IPTC = 33723
_WIDTH, _HEIGHT = 256, 257
_SAMPLES, _PLANAR_CONFIGURATION, _TILE_WIDTH = 277, 284, 322
_BITS, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 259, 262, 339
_EXTRA_SAMPLES = 338
_NEW_SUBFILE_TYPE, _SUB_IFDS, _DNG_VERSION = 254, 330, 50706
_RGB, _CIE_LAB, _ICC_LAB, _COLOR_FILTERS, _LINEAR_RAW = 2, 8, 9, 32803, 34892
# Those that the libtiff in pyvips-binary may lack.
_COMPRESSIONS = {
    6: "JPEG of the first kind",
    34661: "JBIG",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
}
_STRIP_BYTES = 1 << 20
# A twentieth larger than at level 6, in a fifth of the time.
_LEVEL = 2
_MAX_BYTES = 1 << 32
_WHITES = {
    "char": (127,),
    "short": (255, 32_767),
    "int": (255, 65_535, 2**31 - 1),
    "uint": (255, 65_535, 2**32 - 1),
}
_LOWEST = {"char": -(2**7), "short": -(2**15), "int": -(2**31)}


def size_of(block, start):
    """Reads `(height, width)` of a TIFF page in pixels, 0 where the directory does not say."""
    entries, _ = block.directory(start)
    return tuple(block.number(entries, tag) or 0 for tag in (_HEIGHT, _WIDTH))


def refuse_raw(block):
    """Raises `PictureError` for raw files, whose first image is a thumbnail or not developed."""
    entries, _ = block.directory(block.first)
    is_reduced = (block.number(entries, _NEW_SUBFILE_TYPE) or 0) & 1
    is_raw = _DNG_VERSION in entries or (is_reduced and _SUB_IFDS in entries)
    if is_raw or block.number(entries, _PHOTOMETRIC) in (_COLOR_FILTERS, _LINEAR_RAW):
        raise PictureError(
            "expected a developed photo. Received: a raw file of a camera, such as DNG, NEF or "
            "CR2, with the photo itself in a form that is not read. Develop it, and save it as "
            "16-bit TIFF."
        )


def unusual(data):
    """Names what a TIFF file has that its decoder doesn't know: `"samples of 12 bits"`, or None."""
    block = exif.Block(data)
    entries, _ = block.directory(block.first)
    bits, kind = block.number(entries, _BITS) or 1, block.number(entries, _SAMPLE_FORMAT)
    compression = block.number(entries, _COMPRESSION)
    if compression in _COMPRESSIONS:
        return f"one that is compressed by {_COMPRESSIONS[compression]}"
    if kind == 3 and bits not in (16, 32):
        return f"floating-point samples of {bits} bits"
    return f"samples of {bits} bits" if bits not in (1, 2, 4, 8, 16, 32) else None


def has_unnamed_channel(block, start):
    """Whether a page's last channel is no color and no transparency: infrared, or a selection."""
    entries, _ = block.directory(start)
    return block.raw(entries, _EXTRA_SAMPLES) == b"\0\0"


def lab_of(block, start):
    """Tells in which way a page holds CIE L*a*b*, which libvips reads for some depths alone.

    Returns `(position, is_signed)`: where its entry says so, to be overwritten by `as_rgb`, and
    whether a* and b* are signed; or None for a page that is not Lab of 8 or 16 bits.
    """
    entries, _ = block.directory(start)
    photometric = block.number(entries, _PHOTOMETRIC)
    if photometric in (_CIE_LAB, _ICC_LAB) and block.number(entries, _BITS) in (8, 16):
        return entries[_PHOTOMETRIC].position, photometric == _CIE_LAB
    return None


def as_rgb(block, positions):
    """Returns the file with pages of Lab said to be RGB, so that samples are read as they are."""
    if not positions:
        return block.data
    altered = bytearray(block.data)
    for position in positions:
        struct.pack_into(f"{block.order}H", altered, position, _RGB)
    return bytes(altered)


def check_page(block, start):
    """Refuses a page that libvips would read wrong.

    Raises `ValueError` if it has fewer strips or tiles, or fewer bytes, than its pixels take:
    libvips would leave gaps, and take minutes over a page of nothing but gaps. Raises
    `PictureError` if its channels lie in planes of tiles, which libvips refuses, or in planes of
    gray with transparency, which it mixes up.
    """
    entries, _ = block.directory(start)
    if misses_pieces(block, entries):
        raise ValueError("strips or tiles are missing")
    apart = block.number(entries, _PLANAR_CONFIGURATION) == 2
    if apart and (block.number(entries, _SAMPLES) == 2 or _TILE_WIDTH in entries):
        raise PictureError(
            "expected a TIFF picture with its channels side by side. Received: channels in planes "
            "of a sort that cannot be read. Save it with interleaved channels."
        )


def misses_pieces(block, entries):
    """Whether a page, by its directory, has fewer strips, tiles or bytes than its pixels take."""
    tiled = _TILE_WIDTH in entries
    offsets, lengths = (324, 325) if tiled else (273, 279)
    if offsets not in entries:
        return False  # The oldest sort of JPEG in TIFF has none.
    height, width = (block.number(entries, tag) or 0 for tag in (_HEIGHT, _WIDTH))
    if (block.number(entries, _COMPRESSION) or 1) == 1:
        bits = (block.number(entries, _BITS) or 1) * (block.number(entries, _SAMPLES) or 1)
        if height * width * bits > 8 * len(block.data):
            return True
    rows = block.number(entries, 323 if tiled else 278) or height or 1
    columns = (block.number(entries, _TILE_WIDTH) or 1) if tiled else max(width, 1)
    expected = -(-height // rows) * -(-width // columns)
    if block.number(entries, _PLANAR_CONFIGURATION) == 2:
        expected *= block.number(entries, _SAMPLES) or 1
    found = block.values({tag: entries[tag] for tag in (lengths,) if tag in entries})
    for kind, _, raw in found.values():
        code = {3: "<u2", 4: "<u4", 16: "<u8"}.get(kind)
        if code and not np.frombuffer(raw, code)[:expected].all():
            return True
    return entries[offsets].count < expected


def encode(pages, icc):
    """Encodes pages, compressed with Deflate and the horizontal predictor.

    `pages` are pairs of uint8 or uint16 pixels of shape `(height, width, channels)`, 3 channels of
    sRGB or 4 with unassociated alpha, and a `Metadata`; pages that are tagged get the profile
    `icc`. Returns a list of bytes, the pieces of the file. Raises `ValueError` if it would end
    beyond 4 GiB, where TIFF's offsets end.
    """
    pieces, position, pointer = [b"II*\0", bytes(4)], 8, 1
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for pixels, about in pages:
            rows = max(1, _STRIP_BYTES // (pixels[0].nbytes))
            starts = range(0, len(pixels), rows)
            strips = list(pool.map(lambda row: _compress(pixels[row : row + rows]), starts))  # noqa: B023
            found = _tags(pixels, rows, about, icc if about.tagged else None)
            lengths = [len(strip) for strip in strips]
            offsets = list(itertools.accumulate(lengths, initial=position))
            at = offsets.pop()
            strips.append(b"\0" * (at % 2))  # Directories begin at even offsets.
            at += at % 2
            if at + (1 << 20) > _MAX_BYTES:
                raise ValueError("its compressed pixels end beyond 4 GiB, where TIFF ends")
            found["image"][273] = _longs(offsets)
            found["image"][279] = _longs(lengths)
            packed, directory = exif.pack(found, at)
            pieces[pointer] = struct.pack("<I", directory)
            pieces += strips
            # The offset of the next page's directory is a piece of its own, to be filled in.
            end = directory - at + 2 + 12 * struct.unpack_from("<H", packed, directory - at)[0]
            pieces += [packed[:end], packed[end : end + 4], packed[end + 4 :]]
            pointer = len(pieces) - 2
            position = at + len(packed)
    return pieces


def _compress(strip):
    difference = strip.copy()
    difference[:, 1:] -= strip[:, :-1]  # Wraps around, as it should.
    return zlib.compress(difference.astype(difference.dtype.newbyteorder("<")), _LEVEL)


def _tags(pixels, rows, about, icc):
    height, width, channels = pixels.shape
    block = exif.Block(about.exif or b"")
    found = exif.descriptive_tags(block, block.first)
    said = found["image"]
    said[256], said[257] = _longs([width]), _longs([height])
    said[258] = _shorts([pixels.itemsize * 8] * channels)
    said[259] = _shorts([8])  # Deflate
    said[262] = _shorts([2])  # RGB
    said[274] = _shorts([1])  # upright
    said[277] = _shorts([channels])
    said[278] = _longs([rows])
    said[284] = _shorts([1])  # channels side by side
    said[317] = _shorts([2])  # horizontal predictor
    if channels == 4:
        said[338] = _shorts([2])  # unassociated alpha
    if about.resolution:
        said |= exif.resolution_tags(about.resolution)
    for tag, kind, value in ((700, 1, about.xmp), (IPTC, 7, about.iptc), (34675, 7, icc)):
        if value:
            said[tag] = (kind, len(value), value)
    return {**found, "image": said}


def _longs(values):
    return 4, len(values), struct.pack(f"<{len(values)}I", *values)


def _shorts(values):
    return 3, len(values), struct.pack(f"<{len(values)}H", *values)


def to_sixteen_bits(image):
    """Takes floating-point, signed or 32-bit levels of a `pyvips.Image` to uint16; others stay.

    Levels of whole numbers are signed around gray if some are negative; else black is 0, and white
    the least of 255, 65535 and the type's highest that no level is above. White of floating-point
    levels is 1, 255 or 65535; a few that are a little higher are clipped, and other scales raise
    `PictureError`. Returns `(image, remarks)`, strings as in `Photo.remarks`.
    """
    is_floating = image.format in ("float", "double")
    if not is_floating and image.format not in _WHITES:
        return image, ()
    image = image.copy_memory()  # It is read more than once.
    if is_floating:
        black, white, remarks = 0, _floating_white(image), ()
    else:
        whites = _WHITES[image.format]
        is_signed = image.min() < 0
        black = _LOWEST[image.format] if is_signed else 0
        white = whites[-1] if is_signed else next(w for w in whites if image.max() <= w)
        remarks = (f"its levels are taken from {black} (black) to {white} (white).",)
    # Doubles, because floats have no room for 32 bits.
    scaled = ((image.cast("double") - black) * (65_535 / (white - black))).rint().cast("ushort")
    kind = {"b-w": "grey16", "srgb": "rgb16", "scrgb": "rgb16"}.get(image.interpretation)
    return scaled.copy(interpretation=kind or image.interpretation), remarks


def _floating_white(image):
    white, share = 1, (image > 1).avg() / 255
    # Few and small ones are highlights above white.
    if share > 0.1 and image.max() > 16:
        white = next((level for level in (255, 65_535) if image.max() <= level + 0.5), None)
    if white is None:
        raise PictureError(
            "expected floating-point levels from 0 to 1, 255 or 65535. Received: levels up to "
            f"{image.max():g}. Save it as 16-bit RGB."
        )
    return white
