"""Encoded photos inside a graph, against Pillow and OpenCV."""

import io
import struct
import zlib

import cv2
import numpy as np
import pytest
import skimage.data
import tensorflow as tf
from PIL import Image, ImageOps

from colorization.serving import signatures
from pipelines.batches import decoding

PHOTO = Image.fromarray(skimage.data.astronaut()[::8, ::6])
GRAY = PHOTO.convert("L")
DEEP = np.random.default_rng(0).integers(0, 65536, (20, 30, 4)).astype(np.uint16)
JPEG = 0


@tf.function(input_signature=[tf.TensorSpec((), tf.string)])
def header(encoded):
    return decoding.read_header(encoded)


def decoder(depth):
    @tf.function(input_signature=[tf.TensorSpec((), tf.string)])
    def decode(encoded):
        about = decoding.read_header(encoded)
        pixels = signatures.decode_file(encoded, about.kind, depth)
        return decoding.upright(pixels, about.turn)

    return decode


shallow, deep = decoder(tf.uint8), decoder(tf.uint16)


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def transparent():
    image = PHOTO.copy()
    image.putalpha(GRAY)
    return image


WHOLE = {
    "JPEG": encoded(PHOTO, "JPEG"),
    "gray JPEG": encoded(GRAY, "JPEG"),
    "progressive JPEG": encoded(PHOTO, "JPEG", progressive=True, quality=100),
    "PNG": encoded(PHOTO, "PNG"),
    "gray PNG": encoded(GRAY, "PNG"),
    "one-bit PNG": encoded(PHOTO.convert("1"), "PNG"),
    "two-bit palette PNG": encoded(PHOTO.quantize(4), "PNG"),
    "transparent palette PNG": encoded(PHOTO.quantize(16), "PNG", transparency=1),
    "transparent PNG": encoded(transparent(), "PNG"),
    "opaque RGBA PNG": encoded(PHOTO.convert("RGBA"), "PNG"),
    "gray PNG with alpha": encoded(GRAY.convert("LA"), "PNG"),
    "GIF": encoded(PHOTO, "GIF"),
    "BMP": encoded(PHOTO, "BMP"),
    "gray BMP": encoded(GRAY, "BMP"),
    "palette BMP": encoded(PHOTO.convert("P"), "BMP"),
    "BMP of 32 bits": encoded(PHOTO.convert("RGBA"), "BMP"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_pixels_are_what_pillow_reads(name):
    pixels = shallow(WHOLE[name]).numpy()
    assert pixels.shape[2] == (4 if name.startswith("transparent") else 3)
    mode = {3: "RGB", 4: "RGBA"}[pixels.shape[2]]
    expected = np.asarray(Image.open(io.BytesIO(WHOLE[name])).convert(mode))
    np.testing.assert_allclose(pixels.astype(int), expected, atol=1)


@pytest.mark.slow
@pytest.mark.parametrize("name", WHOLE)
def test_half_a_file_is_an_empty_picture(name):
    data = WHOLE[name][: len(WHOLE[name]) // 2]
    assert header(data).problem.numpy() == b""
    assert shallow(data).shape == (0, 0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_followed_as_pillow_does(kind, turn, order):
    exif = Image.Exif()
    exif.endian = order
    exif[271], exif[0x0112], exif[305] = "maker", turn, "software"
    data = encoded(PHOTO, kind, exif=exif.tobytes())
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    np.testing.assert_allclose(shallow(data).numpy().astype(int), expected, atol=1)


@pytest.mark.slow
@pytest.mark.parametrize("channels", [3, 4])
def test_sixteen_bits_are_read_and_written_to_the_last(channels):
    order = [2, 1, 0, 3][:channels]
    data = cv2.imencode(".png", DEEP[..., order])[1].tobytes()
    assert header(data).is_deep
    pixels = deep(data)
    np.testing.assert_array_equal(pixels, DEEP[..., :channels])
    again = signatures.encode_file(pixels[..., :3], pixels[..., 3:], 1).numpy()
    read = cv2.imdecode(np.frombuffer(again, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(read[..., order], DEEP[..., :channels])


def test_jpeg_keeps_chroma_at_full_size():
    pixels = np.asarray(PHOTO)
    data = signatures.encode_file(pixels, pixels[..., 3:], JPEG).numpy()
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "JPEG" and {layer[1:3] for layer in picture.layer} == {(1, 1)}
    other = Image.open(io.BytesIO(encoded(PHOTO, "JPEG", quality=95, subsampling=0)))
    errors = [np.abs(np.asarray(image).astype(int) - pixels).mean() for image in (picture, other)]
    assert errors[0] < 1.05 * errors[1]


def png_of(width, height):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    start = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + start + chunk(b"IDAT", zlib.compress(bytes(999)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "a JPEG, PNG, GIF or BMP file was expected"),
        (b"hello" * 20, "a JPEG, PNG, GIF or BMP file was expected"),
        (encoded(PHOTO, "TIFF"), "a JPEG, PNG, GIF or BMP file was expected"),
        (b"\xff\xd8\xff", "this sort of JPEG can't be decoded here"),
        (encoded(PHOTO.convert("CMYK"), "JPEG"), "this sort of JPEG can't be decoded here"),
        (encoded(PHOTO.convert("1"), "BMP"), "this sort of BMP can't be decoded here"),
        (png_of(0, 5), "the header of this PNG is damaged"),
        (png_of(30_000, 20_000), "up to 100,000,000 pixels were expected, not 30000 x 20000"),
        (png_of(2**32 - 1, 2**31 - 1), "up to 100,000,000 pixels were expected"),
        (b"\xff\xd8" + b"\xff" * 10**6, "this sort of JPEG can't be decoded here"),
    ],
)
def test_what_must_not_be_decoded_says_why(data, problem):
    assert header(data).problem.numpy().decode().startswith(problem)


@pytest.mark.parametrize("name", ["JPEG", "PNG", "GIF", "BMP"])
def test_no_header_cut_anywhere_raises(name):
    for length in range(0, 120, 3):
        header(WHOLE[name][:length])
