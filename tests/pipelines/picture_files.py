"""One small picture, as Pillow writes it in every format."""

import io
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import tifffile


def smooth_picture(height=24, width=36):
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 9, columns * 7, (rows + columns) * 4]
    return np.stack(channels, axis=-1).astype(np.uint8)


PICTURE = PIL.Image.fromarray(smooth_picture())


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **{"photometric": "rgb"} | options)
    return file.getvalue()


def chunk(name, payload):
    """A chunk of a PNG file."""
    end = struct.pack(">I", zlib.crc32(name + payload))
    return struct.pack(">I", len(payload)) + name + payload + end


FILES = {
    "jpeg": encoded(PICTURE, "JPEG", quality=95, subsampling=0),
    "jpeg progressive": encoded(PICTURE, "JPEG", progressive=True, subsampling=0),
    "jpeg gray": encoded(PICTURE.convert("L"), "JPEG"),
    "jpeg and more": encoded(PICTURE, "JPEG", subsampling=0) + b"trailer" * 99,
    "png": encoded(PICTURE, "PNG"),
    "png palette": encoded(PICTURE.quantize(16), "PNG"),
    "png two bits": encoded(PICTURE.quantize(4), "PNG", bits=2),
    "png gray, alpha": encoded(PICTURE.convert("LA"), "PNG"),
    "png one bit": encoded(PICTURE.convert("1"), "PNG"),
    "gif": encoded(PICTURE, "GIF"),
    "gif moving": encoded(
        PICTURE, "GIF", save_all=True, append_images=[PIL.ImageOps.mirror(PICTURE)]
    ),
    "bmp": encoded(PICTURE, "BMP"),
    "bmp palette": encoded(PICTURE.quantize(16), "BMP"),
    "bmp one bit": encoded(PICTURE.convert("1"), "BMP"),
    "webp": encoded(PICTURE, "WEBP", lossless=True),
    "webp lossy": encoded(PICTURE, "WEBP", quality=80),
    "webp moving": encoded(
        PICTURE, "WEBP", lossless=True, save_all=True, append_images=[PIL.ImageOps.mirror(PICTURE)]
    ),
    "tiff": encoded(PICTURE, "TIFF"),
    "tiff lzw": encoded(PICTURE, "TIFF", compression="tiff_lzw"),
    "tiff deflate": encoded(PICTURE, "TIFF", compression="tiff_adobe_deflate"),
    "tiff packbits": encoded(PICTURE, "TIFF", compression="packbits"),
    "tiff jpeg": encoded(PICTURE, "TIFF", compression="jpeg"),
    "tiff gray": encoded(PICTURE.convert("L"), "TIFF"),
    "tiff palette": encoded(PICTURE.quantize(16), "TIFF"),
    "tiff fax": encoded(PICTURE.convert("1"), "TIFF", compression="group4"),
    "ppm": encoded(PICTURE, "PPM"),
    "pgm": encoded(PICTURE.convert("L"), "PPM"),
    "pbm": encoded(PICTURE.convert("1"), "PPM"),
    "avif": encoded(PICTURE, "AVIF", quality=100, subsampling="4:4:4"),
}
