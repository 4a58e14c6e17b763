"""Pillow is the second implementation here; it also makes the files."""

import io
import os
import struct
import zlib

import numpy as np
import PIL.Image
import PIL.ImageOps
import pytest
import tensorflow as tf

from pipelines import decode, headers


def smooth_picture(height=24, width=36):
    rows, columns = np.mgrid[0:height, 0:width]
    channels = [rows * 9, columns * 7, (rows + columns) * 4]
    return np.stack(channels, axis=-1).astype(np.uint8)


PICTURE = PIL.Image.fromarray(smooth_picture())


def encoded(picture, kind, **options):
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def opened(data):
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    return np.asarray(upright.convert("RGB")).astype(int)


def read_bytes(folder, data, name="picture"):
    path = folder / name
    path.write_bytes(data)
    return decode.read_picture(path)


FILES = {
    "jpeg": encoded(PICTURE, "JPEG", quality=95, subsampling=0),
    "jpeg progressive": encoded(PICTURE, "JPEG", progressive=True, subsampling=0),
    "jpeg gray": encoded(PICTURE.convert("L"), "JPEG"),
    "jpeg and more": encoded(PICTURE, "JPEG", subsampling=0) + b"trailer" * 99,
    "png": encoded(PICTURE, "PNG"),
    "png palette": encoded(PICTURE.quantize(16), "PNG"),
    "png gray, alpha": encoded(PICTURE.convert("LA"), "PNG"),
    "png one bit": encoded(PICTURE.convert("1"), "PNG"),
    "gif": encoded(PICTURE, "GIF"),
    "gif moving": encoded(
        PICTURE, "GIF", save_all=True, append_images=[PIL.ImageOps.mirror(PICTURE)]
    ),
    "bmp": encoded(PICTURE, "BMP"),
    "bmp palette": encoded(PICTURE.quantize(16), "BMP"),
    "webp": encoded(PICTURE, "WEBP", lossless=True),
    "webp alpha": encoded(PICTURE.convert("RGBA"), "WEBP", lossless=True),
    "tiff": encoded(PICTURE, "TIFF"),
    "tiff lzw": encoded(PICTURE, "TIFF", compression="tiff_lzw"),
    "tiff gray": encoded(PICTURE.convert("L"), "TIFF"),
}


@pytest.mark.parametrize("name", FILES)
def test_reads_what_pillow_reads(name, tmp_path):
    picture = read_bytes(tmp_path, FILES[name])
    assert picture.dtype == np.uint8 and picture.flags.c_contiguous
    np.testing.assert_allclose(picture, opened(FILES[name]), atol=2 if "jpeg" in name else 0)


def test_sixteen_bits_become_eight(tmp_path):
    levels = (np.arange(256, dtype=np.uint16) * 257).reshape(16, 16)
    data = tf.io.encode_png(levels[..., None]).numpy()
    expected = np.repeat((levels[..., None] >> 8).astype(np.uint8), 3, axis=-1)
    np.testing.assert_array_equal(read_bytes(tmp_path, data), expected)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_stands_the_way_exif_says(kind, orientation, tmp_path):
    exif = PIL.Image.Exif()
    exif[274] = orientation
    options = {"JPEG": {"subsampling": 0}, "WEBP": {"lossless": True}}.get(kind, {})
    data = encoded(PICTURE, kind, exif=exif, **options)
    picture = read_bytes(tmp_path, data)
    assert picture.shape == ((24, 36, 3) if orientation < 5 else (36, 24, 3))
    np.testing.assert_allclose(picture, opened(data), atol=2)


def test_a_big_endian_and_a_broken_exif():
    def jpeg(tiff):
        segment = b"Exif\0\0" + tiff
        return b"\xff\xd8\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + b"\xff\xda"

    entry = struct.pack(">HHIHH", 274, 3, 1, 6, 0)
    tiff = b"MM\0*" + struct.pack(">IH", 8, 1) + entry
    assert headers.read_header("JPEG", jpeg(tiff))[2] == 6
    for broken in (b"", tiff[:9], tiff[:14], b"XX" + tiff[2:], b"MM\0*\xff\xff\xff\xff"):
        assert headers.read_header("JPEG", jpeg(broken))[2] == 1
    for length in range(len(jpeg(tiff))):
        headers.read_header("JPEG", jpeg(tiff)[:length])


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_raise(name, share, tmp_path):
    data = FILES[name].removesuffix(b"trailer" * 99)
    if name == "gif moving":
        share /= 3  # Only the first of its pictures must be whole.
    with pytest.raises(decode.PictureError, match="cut.*expected a") as caught:
        read_bytes(tmp_path, data[: int(len(data) * share)], "cut")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_raises(tmp_path):
    data = bytearray(FILES["png"])
    data[len(data) // 2] ^= 255
    with pytest.raises(decode.PictureError, match="damaged"):
        read_bytes(tmp_path, bytes(data))


def test_what_is_no_picture(tmp_path):
    for data, received in ((b"", "an empty file"), (b"%PDF-1.7 " * 9, "none of these")):
        with pytest.raises(decode.PictureError, match=received):
            read_bytes(tmp_path, data, "scan.jpg")
    with pytest.raises(decode.PictureError, match="a folder"):
        decode.read_picture(tmp_path)
    with pytest.raises(decode.PictureError, match="missing.png.*no such file"):
        decode.read_picture(tmp_path / "missing.png")


def test_a_huge_picture_is_refused_by_its_header(tmp_path):
    ihdr = b"IHDR" + struct.pack(">IIBBBBB", 30_000, 20_000, 8, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + ihdr + struct.pack(">I", zlib.crc32(ihdr))
    jpeg = b"\xff\xd8\xff\xc0\0\x0b\x08" + struct.pack(">HH", 20_000, 30_000) + b"\3" + bytes(9)
    gif = b"GIF89a" + struct.pack("<HH", 30_000, 20_000)
    for data in (png, jpeg, gif):
        with pytest.raises(decode.PictureError, match="30000 x 20000 = 600,000,000"):
            read_bytes(tmp_path, data)


def test_tf_data_decodes_as_eager_code_does(tmp_path):
    names = [name for name in FILES if not name.startswith(("tiff", "bmp p", "webp a"))]
    table = tf.data.Dataset.from_tensor_slices([FILES[name] for name in names])
    table = table.map(decode.decode_in_graph)
    assert table.element_spec.shape.as_list() == [None, None, 3]
    for name, picture in zip(names, table, strict=True):
        atol = 12 if name.startswith("jpeg") else 0  # The quick transform, not the exact one.
        np.testing.assert_allclose(picture, opened(FILES[name]), atol=atol)
        if "gray" in name:
            np.testing.assert_array_equal(picture[..., 0], picture[..., 2])
    with pytest.raises(tf.errors.InvalidArgumentError):
        list(
            table.take(0).concatenate(
                tf.data.Dataset.from_tensors(b"none").map(decode.decode_in_graph)
            )
        )


def test_written_pictures_come_back(tmp_path):
    picture = smooth_picture()
    for name, atol in (("a.png", 0), ("a.PNG", 0), ("a.jpg", 4), ("é ü.JPEG", 4)):
        decode.write_picture(tmp_path / name, picture)
        written = (tmp_path / name).read_bytes()
        np.testing.assert_allclose(opened(written), picture, atol=atol)
    # Chroma at full size: one sample for each pixel in all three components.
    jpeg = PIL.Image.open(tmp_path / "a.jpg")
    assert [component[1:3] for component in jpeg.layer] == [(1, 1)] * 3
    assert (tmp_path / "a.jpg").stat().st_mode & 0o777 == 0o666 & ~_umask()
    assert len(list(tmp_path.iterdir())) == 4


def _umask():
    umask = os.umask(0)
    os.umask(umask)
    return umask


@pytest.mark.parametrize("links", [True, False])
def test_only_overwrites_when_asked(links, tmp_path, monkeypatch):
    def link(source, target):
        raise OSError(1, "Operation not permitted")

    if not links:
        monkeypatch.setattr(os, "link", link)
    path = tmp_path / "a.png"
    decode.write_picture(path, smooth_picture())
    before = path.read_bytes()
    with pytest.raises(decode.PictureError, match="a.png.*--overwrite"):
        decode.write_picture(path, 255 - smooth_picture())
    assert path.read_bytes() == before
    decode.write_picture(path, 255 - smooth_picture(), overwrite=True)
    np.testing.assert_array_equal(decode.read_picture(path), 255 - smooth_picture())
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(error, tmp_path, monkeypatch):
    def fsync(_):
        raise error

    path = tmp_path / "a.png"
    decode.write_picture(path, smooth_picture())
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises((decode.PictureError, KeyboardInterrupt)):
        decode.write_picture(path, smooth_picture(), overwrite=True)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_written(tmp_path):
    with pytest.raises(decode.PictureError, match=r"\.webp"):
        decode.write_picture(tmp_path / "a.webp", smooth_picture())
    with pytest.raises(decode.PictureError, match="No such file"):
        decode.write_picture(tmp_path / "nowhere" / "a.png", smooth_picture())
    with pytest.raises(decode.PictureError, match=r"a\.jpg: cannot be written") as caught:
        decode.write_picture(tmp_path / "a.jpg", np.zeros((1, 70_000, 3), np.uint8))
    assert "\n" not in str(caught.value)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(decode.PictureError, match="folder.png"):
        decode.write_picture(tmp_path / "folder.png", smooth_picture(), overwrite=True)
    assert os.listdir(tmp_path) == ["folder.png"]
