"""Formats that libvips does not read: BMP and JPEG 2000 by OpenCV, and PBM, PGM, PPM (P1 to P6).

Sources: Microsoft's bitmap headers; ISO/IEC 15444-1 (JPEG 2000); the Netpbm documentation (pbm,
pgm, ppm), version 10.
"""

import os
import re
import struct

import numpy as np

from pipelines.photos.headers import per_inch
from pipelines.photos.photo import MAX_PIXELS

# OpenCV reads its own limit once, when it is loaded; if it was before, that of `decoders` holds
# alone.
os.environ.setdefault("OPENCV_IO_MAX_IMAGE_PIXELS", str(MAX_PIXELS))
import cv2  # noqa: E402

_TO_RGB = {3: cv2.COLOR_BGR2RGB, 4: cv2.COLOR_BGRA2RGBA}
_TOKEN = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])*(\d+)")


def bmp_header(data):
    """Reads the sizes of a BMP file.

    Returns `(height, width, resolution, alpha)`: pixels, 0 where the header is cut short;
    `(horizontal, vertical)` pixels per inch or None; and whether some bits are transparency, by a
    mask.
    """
    try:
        length = struct.unpack_from("<I", data, 14)[0]
        if length < 40:
            width, height = struct.unpack_from("<HH", data, 18)
            return height, width, None, False
        width, height = struct.unpack_from("<ii", data, 18)
        densities = struct.unpack_from("<ii", data, 38)
        alpha = length >= 56 and struct.unpack_from("<I", data, 66)[0] != 0
    except struct.error:
        return 0, 0, None, False
    resolution = None
    if min(densities) > 0:
        resolution = tuple(per_inch(density, 0.0254) for density in densities)
    return abs(height), abs(width), resolution, alpha


def decode_bmp(data):
    """Decodes a BMP file to uint8 of shape `(height, width, 3 or 4)`; `ValueError` if damaged."""
    _, _, _, alpha = bmp_header(data)
    pixels = _decode(data, cv2.IMREAD_UNCHANGED if alpha else cv2.IMREAD_COLOR)
    return cv2.cvtColor(pixels, _TO_RGB[pixels.shape[-1]])


def jpeg_2000_size(data):
    """Reads `(height, width)` of a JPEG 2000 file in pixels, 0 where its header is cut short."""
    place = data.find(b"\xff\x4f\xff\x51")
    if place < 0 or place + 24 > len(data):
        return 0, 0
    right, bottom, left, top = struct.unpack_from(">IIII", data, place + 8)
    return max(bottom - top, 0), max(right - left, 0)


def decode_jpeg_2000(data):
    """Decodes a JPEG 2000 file to uint8 or uint16 of shape `(height, width, 3 or 4)`.

    Raises `ValueError` if it is cut short, damaged, or of other channels.
    """
    pixels = _decode(data, cv2.IMREAD_UNCHANGED)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=-1)
    if pixels.dtype not in (np.uint8, np.uint16) or pixels.shape[-1] not in _TO_RGB:
        raise ValueError("other channels than gray, RGB and transparency")
    return cv2.cvtColor(pixels, _TO_RGB[pixels.shape[-1]])


def _decode(data, flag):
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flag)
    except cv2.error as error:
        raise ValueError("OpenCV cannot read it") from error
    if pixels is None:
        raise ValueError("OpenCV cannot read it")
    return pixels


def pnm_header(data):
    """Reads the header, which precedes the pixels.

    Returns `(height, width, largest, start)`: pixels, the level that means white, and where the
    pixels start. Raises `ValueError` if the header is cut short or damaged.
    """
    numbers, position = [], 2
    for _ in range(2 if data[1:2] in b"14" else 3):
        # Nine digits hold every number that is allowed here.
        match = _TOKEN.match(data, position)
        if not match or len(match[1]) > 9:
            raise ValueError("the header is damaged")
        numbers.append(int(match[1]))
        position = match.end()
    width, height, largest = (*numbers, 1)[:3]
    if not 1 <= largest <= 65_535:
        raise ValueError("the largest level is not in [1, 65535]")
    return height, width, largest, position + 1


def decode_pnm(data):
    """Decodes the first picture of the file.

    Returns an array of shape `(height, width, 3)`, stretched to the full range: uint8, or uint16
    where levels go beyond 255. Raises `ValueError` if the file is cut short or damaged.
    """
    height, width, largest, start = pnm_header(data)
    kind = int(data[1:2])
    channels = 3 if kind in (3, 6) else 1
    count = height * width * channels
    if kind == 4:
        row = (width + 7) // 8
        packed = np.frombuffer(data, np.uint8, height * row, start).reshape(height, row)
        levels = 1 - np.unpackbits(packed, axis=1, count=width)
    elif kind == 1:
        # The digits need no spaces between them.
        digits = np.frombuffer(re.sub(rb"#[^\n\r]*|\s", b"", data[start - 1 :]), np.uint8)[:count]
        if ((digits != 48) & (digits != 49)).any():
            raise ValueError("a pixel is neither 0 nor 1")
        levels = 49 - digits
    elif kind in (2, 3):
        text = re.sub(rb"#[^\n\r]*", b"", data[start - 1 :])
        levels = np.fromstring(text, np.int64, count, sep=" ")
    else:
        levels = np.frombuffer(data, ">u2" if largest > 255 else np.uint8, count, start)
    if levels.size != count or (count and not 0 <= levels.min() <= levels.max() <= largest):
        raise ValueError("pixels are missing or damaged")
    full = 65_535 if largest > 255 else 255
    if largest != full:
        levels = (levels.astype(np.uint32) * full + largest // 2) // largest
    dtype = np.uint16 if largest > 255 else np.uint8
    return levels.astype(dtype).reshape(height, width, channels).repeat(3 // channels, axis=2)
