"""Pillow, tifffile, OpenCV and pillow-heif are the other implementations; they make the files."""

import concurrent.futures
import io
import os
import struct
import zlib

import cv2
import numpy as np
import PIL.Image
import PIL.ImageCms
import PIL.ImageOps
import pytest
import pyvips
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.photos import decoders, photo_files
from pipelines.photos import tiff as tiff_files
from pipelines.photos.photo import MAX_PIXELS, Metadata, Photo, PictureError
from tests.pipelines.picture_files import FILES, PICTURE, chunk, encoded, smooth_picture, tiff

FEW = settings(max_examples=25, deadline=None, derandomize=True)


ALPHA = smooth_picture()[::-1, :, 1].copy()
TRANSPARENT = PIL.Image.fromarray(np.dstack([smooth_picture(), ALPHA]))
P3 = bytes(pyvips.Image.profile_load("p3"))
CMYK = bytes(pyvips.Image.profile_load("cmyk"))


def opened(data):
    upright = PIL.ImageOps.exif_transpose(PIL.Image.open(io.BytesIO(data)))
    return np.asarray(upright.convert("RGB")).astype(int)


def read_bytes(folder, data, name="picture"):
    path = folder / name
    path.write_bytes(data)
    return photo_files.read_photo(path)


def written(folder, name, *pages, **options):
    photo_files.write_photo(folder / name, pages, overwrite=True, **options)
    return (folder / name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_reads_what_pillow_reads(name, tmp_path):
    (photo,) = read_bytes(tmp_path, FILES[name])
    assert photo.rgb.dtype == np.uint8 and photo.rgb.flags.c_contiguous
    # Lossy coding leaves the decoder some freedom; the codecs themselves are the same.
    lossy = name.startswith(("jpeg", "tiff jpeg", "webp lossy", "avif"))
    np.testing.assert_allclose(photo.rgb, opened(FILES[name]), atol=6 if lossy else 0)
    assert (photo.alpha is not None) == ("alpha" in name)


def test_reads_heic(tmp_path):
    pillow_heif = pytest.importorskip("pillow_heif")
    for mode, image in (("RGB", PICTURE), ("RGBA", TRANSPARENT), ("L", PICTURE.convert("L"))):
        file = io.BytesIO()
        # Quality -1 and an identity matrix mean lossless.
        options = {"quality": -1, "matrix_coefficients": 0, "chroma": 444}
        pillow_heif.from_pillow(image).save(file, **options)
        (photo,) = read_bytes(tmp_path, file.getvalue())
        np.testing.assert_array_equal(photo.rgb, np.asarray(image.convert("RGB")))
        assert (photo.alpha is not None) == (mode == "RGBA")
        with pytest.raises(PictureError, match="whole HEIC"):
            read_bytes(tmp_path, file.getvalue()[:-99])


def test_says_how_to_get_heic(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pillow_heif", None)
    with pytest.raises(PictureError, match=r"pip install 'colorization\[heic\]'"):
        read_bytes(tmp_path, b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(99))


DEPTHS = st.sampled_from([np.uint8, np.uint16])
SIDES = st.integers(1, 40)


def noise(seed, *shape, dtype=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def channels(photo, count):
    """What a file of this many channels should have held for the photo to come out."""
    if count < 3:
        assert (photo.rgb == photo.rgb[..., :1]).all()
    parts = [photo.rgb[..., :1] if count < 3 else photo.rgb]
    return np.concatenate([*parts, photo.alpha[..., None]] if count % 2 == 0 else parts, axis=-1)


@pytest.mark.slow
@FEW
@given(SIDES, SIDES, DEPTHS, st.sampled_from([1, 3, 4]), st.integers(0, 99))
def test_reads_png_of_any_size_and_depth(tmp_path_factory, height, width, dtype, count, seed):
    pixels = noise(seed, height, width, count, dtype=dtype)
    code = {1: None, 3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}[count]
    data = cv2.imencode(".png", pixels if code is None else cv2.cvtColor(pixels, code))[1].tobytes()
    (photo,) = read_bytes(tmp_path_factory.getbasetemp(), data)
    np.testing.assert_array_equal(channels(photo, count), pixels, strict=True)


@FEW
@given(
    SIDES,
    SIDES,
    DEPTHS,
    st.sampled_from([1, 2, 3, 4]),
    st.sampled_from([{}, {"tile": (16, 32)}, {"rowsperstrip": 3}]),
    st.sampled_from([{}, {"compression": "zlib"}, {"compression": "zlib", "predictor": 2}]),
    st.sampled_from(["contig", "separate"]),
    st.sampled_from(["<", ">"]),
    st.booleans(),
)
def test_reads_tiff_of_any_layout(
    tmp_path_factory, height, width, dtype, count, layout, packing, plan, order, big
):
    pixels = noise(height * width, height, width, count, dtype=dtype)
    options = {**layout, **packing, "byteorder": order, "bigtiff": big, "planarconfig": plan}
    if count % 2 == 0:
        options["extrasamples"] = ["unassalpha"]
    stored = np.ascontiguousarray(np.moveaxis(pixels, -1, 0)) if plan == "separate" else pixels
    if count == 1:
        stored = pixels[..., 0]
        del options["planarconfig"]
    data = tiff(stored, photometric="rgb" if count > 2 else "minisblack", **options)
    if plan == "separate" and (count == 2 or (count > 2 and "tile" in layout)):
        with pytest.raises(PictureError, match="channels side by side"):
            read_bytes(tmp_path_factory.getbasetemp(), data)
        return
    (photo,) = read_bytes(tmp_path_factory.getbasetemp(), data)
    np.testing.assert_array_equal(channels(photo, count), pixels, strict=True)


@FEW
@given(SIDES, SIDES, st.integers(1, 6), st.sampled_from([1, 7, 255, 256, 1000, 65535]))
def test_reads_netpbm_of_any_range(tmp_path_factory, height, width, kind, largest):
    if kind in (1, 4):
        largest = 1
    levels = noise(largest, height, width, 3 if kind in (3, 6) else 1, dtype=np.uint32)
    levels %= largest + 1
    header = f"P{kind} # a comment 1 2 3\n{width} # 4\n {height}\n"
    if kind in (1, 4):
        header = header[:-1] + ("\n" if kind == 4 else " ")
        body = np.packbits(1 - levels[..., 0], axis=1).tobytes() if kind == 4 else None
    else:
        header += f"{largest}\n"
        body = levels.astype(">u2" if largest > 255 else np.uint8).tobytes()
    if kind == 1:
        body = "".join(str(1 - level) for level in levels.ravel()).encode()
    elif kind < 4:
        body = " ".join(map(str, levels.ravel())).encode()
    (photo,) = read_bytes(tmp_path_factory.getbasetemp(), header.encode() + body)
    full = 255 if largest < 256 else 65535
    expected = np.floor(levels * (full / largest) + 0.5)
    np.testing.assert_allclose(photo.rgb, np.broadcast_to(expected, photo.rgb.shape), atol=0)
    assert photo.rgb.dtype == (np.uint8 if largest < 256 else np.uint16)


@FEW
@given(SIDES, SIDES, DEPTHS, st.booleans(), st.sampled_from(["png", "tif"]))
def test_exact_formats_hold_any_photo(tmp_path_factory, height, width, dtype, alpha, suffix):
    pixels = noise(height + width, height, width, 4, dtype=dtype)
    photo = Photo(pixels[..., :3], pixels[..., 3] if alpha else None)
    name = f"a.{suffix}"
    data = written(tmp_path_factory.getbasetemp(), name, photo)
    if suffix == "tif":
        found = tifffile.imread(io.BytesIO(data))
    else:
        found = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        found = found[..., [2, 1, 0, 3][: found.shape[-1]]]
    np.testing.assert_array_equal(found, pixels[..., : 4 if alpha else 3], strict=True)
    (again,) = photo_files.read_photo(tmp_path_factory.getbasetemp() / name)
    np.testing.assert_array_equal(again.rgb, photo.rgb, strict=True)


def test_floating_point_becomes_sixteen_bits(tmp_path):
    levels = np.float32([[-0.5, 0.0, 0.25, 0.5, 1.0, 7.0, np.nan]])
    expected = [0, 0, 16384, 32768, 65535, 65535]
    for pixels, photometric in ((levels, "minisblack"), (np.dstack([levels] * 3), "rgb")):
        (photo,) = read_bytes(tmp_path, tiff(pixels, photometric=photometric))
        assert photo.rgb.dtype == np.uint16
        np.testing.assert_array_equal(photo.rgb[0, :6], np.outer(expected, [1, 1, 1]))


def test_white_may_be_zero(tmp_path):
    gray = smooth_picture()[..., 0]
    (photo,) = read_bytes(tmp_path, tiff(gray, photometric="miniswhite"))
    np.testing.assert_array_equal(photo.rgb[..., 2], 255 - gray)


def test_premultiplied_colors_are_divided_again(tmp_path):
    pixels = np.uint8([[[64, 32, 128, 128], [10, 20, 30, 255], [0, 0, 0, 0]]])
    (photo,) = read_bytes(tmp_path, tiff(pixels, extrasamples=["assocalpha"]))
    np.testing.assert_allclose(photo.rgb[0], [[128, 64, 255], [10, 20, 30], [0, 0, 0]], atol=1)
    np.testing.assert_array_equal(photo.alpha[0], [128, 255, 0])


def test_pages_keep_their_sizes_and_depths(tmp_path):
    pages = [
        Photo(noise(1, 20, 30, 3)),
        Photo(noise(2, 9, 50, 3, dtype=np.uint16), noise(3, 9, 50, dtype=np.uint16)),
        Photo(noise(4, 1, 1, 3), metadata=Metadata(resolution=(200.0, 100.0))),
    ]
    data = written(tmp_path, "a.tif", *pages)
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        found = [page.asarray() for page in file.pages]
        assert file.pages[2].resolution == (200, 100)
    np.testing.assert_array_equal(found[0], pages[0].rgb)
    np.testing.assert_array_equal(found[1], np.dstack([pages[1].rgb, pages[1].alpha]))
    for page, again in zip(pages, photo_files.read_photo(tmp_path / "a.tif"), strict=True):
        np.testing.assert_array_equal(again.rgb, page.rgb, strict=True)
        assert again.metadata == page.metadata
    with pytest.raises(PictureError, match="a.png: a PNG file holds one page. Received: 3 pages"):
        written(tmp_path, "a.png", *pages)


@pytest.mark.parametrize(
    ("kind", "orientation"),
    [*(("JPEG", turn) for turn in range(1, 9)), ("PNG", 6), ("WEBP", 5), ("TIFF", 8), ("AVIF", 2)],
)
def test_stands_the_way_exif_says(kind, orientation, tmp_path):
    exif = PIL.Image.Exif()
    exif[274] = orientation
    options = {
        "JPEG": {"subsampling": 0},
        "WEBP": {"lossless": True},
        "AVIF": {"quality": 100, "subsampling": "4:4:4"},
    }
    data = encoded(PICTURE, kind, exif=exif, **options.get(kind, {}))
    (photo,) = read_bytes(tmp_path, data)
    assert photo.rgb.shape == ((24, 36, 3) if orientation < 5 else (36, 24, 3))
    np.testing.assert_allclose(photo.rgb, opened(data), atol=6)
    # Written again in any format, no viewer turns it once more.
    for name in ("a.jpg", "a.png", "a.tif", "a.webp", "a.avif"):
        if name == "a.avif" and kind != "AVIF":
            continue  # The slow encoder.
        again = PIL.Image.open(io.BytesIO(written(tmp_path, name, photo)))
        assert again.getexif().get(274, 1) == 1
        assert again.size == photo.rgb.shape[1::-1]


def gray_profile(gamma):
    """A gray ICC profile, version 2, of a pure power law."""
    white = struct.pack(">4s4x3i", b"XYZ ", 63190, 65536, 54061)
    tags = {
        b"desc": struct.pack(">4s4xI2s88x", b"desc", 2, b"g\0"),
        b"cprt": b"text\0\0\0\0none\0\0\0\0",
        b"wtpt": white,
        b"kTRC": struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256)),
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        value += bytes(-len(value) % 4)
        table += name + struct.pack(">II", 132 + 12 * len(tags) + len(body), len(value))
        body += value
    header = struct.pack(
        ">I4xI4s4s4s", 132 + 12 * 4 + len(body), 0x02100000, b"mntr", b"GRAY", b"XYZ "
    )
    header = (header + bytes(12) + b"acsp").ljust(68, b"\0") + white[8:]
    return header.ljust(128, b"\0") + table + body


@pytest.mark.parametrize(
    ("image", "profile"),
    [(PICTURE, P3), (PICTURE.convert("L"), gray_profile(1.8)), (PICTURE.convert("CMYK"), CMYK)],
    ids=["rgb", "gray", "cmyk"],
)
def test_profiles_are_applied_as_little_cms_does(image, profile, tmp_path):
    expected = PIL.ImageCms.profileToProfile(
        image,
        PIL.ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        PIL.ImageCms.createProfile("sRGB"),
        renderingIntent=PIL.ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=PIL.ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    (photo,) = read_bytes(tmp_path, encoded(image, "TIFF", icc_profile=profile))
    np.testing.assert_allclose(photo.rgb, np.asarray(expected, int), atol=1)
    assert np.abs(photo.rgb - np.asarray(image.convert("RGB"), int)).max() > 5
    assert photo.metadata.tagged


def test_sixteen_bits_are_converted_in_sixteen(tmp_path):
    levels = np.arange(0, 65536, 64, dtype=np.uint16)
    data = tiff(np.dstack([levels.reshape(16, 64)] * 3), iccprofile=P3)
    (photo,) = read_bytes(tmp_path, data)
    # Grays are the same in both spaces.
    np.testing.assert_allclose(photo.rgb[..., 1].ravel(), levels, atol=48)
    assert len(np.unique(photo.rgb)) > 1000


def test_a_profile_of_srgb_changes_no_pixel_and_none_changes_transparency(tmp_path):
    srgb = PIL.ImageCms.ImageCmsProfile(PIL.ImageCms.createProfile("sRGB")).tobytes()
    for profile in (srgb, P3):
        (photo,) = read_bytes(tmp_path, encoded(TRANSPARENT, "PNG", icc_profile=profile))
        np.testing.assert_array_equal(photo.alpha, ALPHA)
        assert (photo.rgb == smooth_picture()).all() == (profile is srgb)


@pytest.mark.parametrize("profile", [P3[:300], b"junk" * 99, gray_profile(1.8), CMYK[:5000]])
def test_a_damaged_or_foreign_profile_is_ignored(profile, tmp_path):
    for kind in ("TIFF", "JPEG"):
        data = encoded(PICTURE, kind, icc_profile=profile)
        (photo,) = read_bytes(tmp_path, data)
        np.testing.assert_allclose(photo.rgb, opened(data), atol=2)


def test_untagged_cmyk_is_taken_for_the_usual_press(tmp_path):
    for kind, options in (("TIFF", {}), ("JPEG", {"quality": 100, "subsampling": 0})):
        cmyk = PICTURE.convert("CMYK")
        (plain,) = read_bytes(tmp_path, encoded(cmyk, kind, **options))
        (tagged,) = read_bytes(tmp_path, encoded(cmyk, kind, icc_profile=CMYK, **options))
        np.testing.assert_array_equal(plain.rgb, tagged.rgb)
        assert not plain.metadata.tagged


def test_adobe_ycck_is_read(tmp_path):
    cmyk = np.dstack([smooth_picture(), np.zeros((24, 36), np.uint8)])
    image = pyvips.Image.new_from_memory(cmyk, 36, 24, 4, "uchar").copy(interpretation="cmyk")
    data = image.jpegsave_buffer(Q=98, keep="none")
    at = data.index(b"Adobe") + 11
    (plain,) = read_bytes(tmp_path, data)
    # The same samples, said to be YCCK: the decoder has to convert them first.
    ycck = data[:at] + b"\2" + data[at + 1 :]
    pillow = PIL.Image.open(io.BytesIO(ycck))
    assert pillow.mode == "CMYK" and data[at] == 0
    (photo,) = read_bytes(tmp_path, ycck)
    (expected,) = read_bytes(tmp_path, encoded(pillow, "TIFF"))
    np.testing.assert_allclose(photo.rgb, expected.rgb.astype(int), atol=4)
    assert np.abs(photo.rgb - plain.rgb.astype(int)).max() > 50


def test_tagged_photos_stay_tagged(tmp_path):
    photo = Photo(smooth_picture(), metadata=Metadata(tagged=True))
    for name in ("a.jpg", "a.png", "a.tif", "a.webp", "a.avif"):
        image = PIL.Image.open(io.BytesIO(written(tmp_path, name, photo)))
        profile = PIL.ImageCms.ImageCmsProfile(io.BytesIO(image.info["icc_profile"]))
        srgb = PIL.ImageCms.createProfile("sRGB")
        moved = PIL.ImageCms.profileToProfile(PICTURE, profile, srgb)
        np.testing.assert_allclose(np.asarray(moved, int), smooth_picture(), atol=1)
        plain = written(tmp_path, name, Photo(smooth_picture()))
        assert "icc_profile" not in PIL.Image.open(io.BytesIO(plain)).info


def test_transparency_is_kept_to_the_byte(tmp_path):
    # Colors below full transparency too, which a careless encoder drops.
    photo = Photo(noise(1, 24, 36, 3), ALPHA)
    for name in ("a.png", "a.tif", "a.webp"):
        image = PIL.Image.open(io.BytesIO(written(tmp_path, name, photo)))
        np.testing.assert_array_equal(np.asarray(image)[..., 3], ALPHA)
        (again,) = photo_files.read_photo(tmp_path / name)
        np.testing.assert_array_equal(again.alpha, ALPHA)
        if name != "a.webp":
            np.testing.assert_array_equal(np.asarray(image)[..., :3], photo.rgb)
    for data in (encoded(TRANSPARENT, "PNG"), encoded(TRANSPARENT, "WEBP", lossless=True)):
        np.testing.assert_array_equal(read_bytes(tmp_path, data)[0].alpha, ALPHA)


def test_a_transparent_color_becomes_transparency(tmp_path):
    (photo,) = read_bytes(tmp_path, encoded(PICTURE, "PNG", transparency=(0, 0, 0)))
    np.testing.assert_array_equal(photo.alpha == 0, (smooth_picture() == 0).all(axis=-1))


def test_a_bitmap_is_transparent_only_by_its_mask(tmp_path):
    pixels = np.dstack([smooth_picture(), ALPHA])[::-1, :, [2, 1, 0, 3]].tobytes()
    for length, alpha in ((40, False), (108, True)):
        header = struct.pack("<IiiHHI", length, 36, 24, 1, 32, 3 if alpha else 0)
        header += struct.pack("<Iii8x", len(pixels), 11811, 11811)
        if alpha:
            header += struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs" + bytes(48)
        start = 14 + length
        data = struct.pack("<2sI4xI", b"BM", start + len(pixels), start) + header + pixels
        (photo,) = read_bytes(tmp_path, data)
        np.testing.assert_array_equal(photo.rgb, smooth_picture())
        assert photo.metadata.resolution == (300.0, 300.0)
        if alpha:
            np.testing.assert_array_equal(photo.alpha, ALPHA)
        else:
            assert photo.alpha is None


def test_jpeg_is_written_with_chroma_at_full_size(tmp_path):
    jpeg = PIL.Image.open(io.BytesIO(written(tmp_path, "a.jpg", Photo(smooth_picture()))))
    assert [component[1:3] for component in jpeg.layer] == [(1, 1)] * 3
    np.testing.assert_allclose(np.asarray(jpeg, int), smooth_picture(), atol=4)


def test_lossy_formats_are_near(tmp_path):
    ramp = cv2.resize(smooth_picture(2, 2) * 4, (96, 96), interpolation=cv2.INTER_LINEAR)
    for name in ("a.webp", "a.avif"):
        data = written(tmp_path, name, Photo(ramp))
        np.testing.assert_allclose(opened(data), ramp, atol=6)


def test_eight_bits_are_the_nearest_of_sixteen(tmp_path):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256, 1).repeat(3, axis=2)
    photo_files.write_picture(tmp_path / "a.png", levels)
    eight = photo_files.read_picture(tmp_path / "a.png")
    assert eight.dtype == np.uint8
    np.testing.assert_array_equal(eight, np.round(levels / 257))
    jpeg = written(tmp_path, "a.jpg", Photo(levels))
    np.testing.assert_allclose(opened(jpeg), np.round(levels / 257), atol=3)


def test_what_a_format_cannot_hold_is_said_before_writing(tmp_path):
    def wide(width):
        return Photo(np.zeros((1, width, 3), np.uint8))

    for name, photo, message in (
        ("a.jpg", wide(65_501), "up to 65,500 pixels a side. Received: 65501 x 1"),
        ("a.webp", wide(16_384), "up to 16,383 pixels a side"),
        ("a.avif", wide(16_385), "up to 16,384 pixels a side"),
        ("a.jpg", Photo(smooth_picture(), ALPHA), "no transparency"),
        ("a.bmp", wide(1), r"written as \.jpg.*Received: suffix='\.bmp'"),
    ):
        with pytest.raises(PictureError, match=f"{name}: .*{message}") as caught:
            photo_files.write_photo(tmp_path / name, [photo])
        assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())
    written(tmp_path, "a.jpg", wide(65_500))
    written(tmp_path, "a.webp", wide(16_383))
    written(tmp_path, "a.jpg", Photo(smooth_picture(), np.full((24, 36), 255, np.uint8)))


def test_tiff_ends_at_four_gigabytes(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_files, "_MAX_BYTES", 1 << 20)
    with pytest.raises(PictureError, match="a.tif: cannot be encoded: .*4 GiB"):
        written(tmp_path, "a.tif", Photo(smooth_picture()))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_truncated_files_raise(name, share, tmp_path):
    data = FILES[name].removesuffix(b"trailer" * 99)
    if name == "gif moving":
        share /= 3  # Only the first of its pictures must be whole.
    with pytest.raises(PictureError, match="cut: expected a") as caught:
        read_bytes(tmp_path, data[: int(len(data) * share)], "cut")
    assert "\n" not in str(caught.value)


def test_a_damaged_file_raises(tmp_path):
    for name in ("png", "tiff deflate", "avif"):
        data = bytearray(FILES[name])
        data[len(data) // 2] ^= 255
        with pytest.raises(PictureError, match="damaged"):
            read_bytes(tmp_path, bytes(data))


@pytest.mark.parametrize("options", [{"subsampling": 0}, {"subsampling": 2}, {"progressive": True}])
@pytest.mark.parametrize("height", [233, 240])
def test_a_jpeg_with_a_gap_raises(options, height, tmp_path):
    noisy = noise(0, 30, 45, 3).repeat(8, axis=0).repeat(8, axis=1)[:height]
    data = encoded(PIL.Image.fromarray(noisy), "JPEG", quality=90, **options)
    # Within the last rows too, where the least is missing.
    for start in (3000, len(data) - 600):
        with pytest.raises(PictureError, match="whole JPEG"):
            read_bytes(tmp_path, data[:start] + data[start + 400 :])


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
def test_an_odd_jpeg_that_is_whole_is_read(mode, tmp_path):
    image = PICTURE.resize((99, 77)).convert(mode)
    data = encoded(image, "JPEG", subsampling=0, quality=90)
    (plain,) = read_bytes(tmp_path, data)
    assert plain.rgb.shape == (77, 99, 3)
    scan = data.index(b"\xff\xda")
    spectrum = scan + 2 + int.from_bytes(data[scan + 2 : scan + 4]) - 3
    assert data[spectrum : spectrum + 2] == b"\0\x3f"
    odd = [
        data[:-2] + b"\0\0\0" + data[-2:],
        data + b"more",
        data[:spectrum] + b"\0\0" + data[spectrum + 2 :],
    ]
    if mode != "CMYK":  # Which has no JFIF header.
        odd.append(data[:11] + b"\3" + data[12:])
    for data in odd:
        np.testing.assert_array_equal(read_bytes(tmp_path, data)[0].rgb, plain.rgb)


@pytest.mark.parametrize(
    ("marker", "bits", "received"),
    [
        (0xC1, 12, "12 bits per sample"),
        (0xC9, 8, "arithmetic coding"),
        (0xC3, 8, "lossless coding"),
        (0xC5, 8, "hierarchical coding"),
    ],
)
def test_unusual_jpeg_is_refused_by_its_name(marker, bits, received, tmp_path):
    data = bytearray(FILES["jpeg"])
    start = data.index(b"\xff\xc0")
    data[start + 1], data[start + 4] = marker, bits
    with pytest.raises(PictureError, match=f"baseline or progressive.*Received: {received}"):
        read_bytes(tmp_path, bytes(data))


def test_unusual_tiff_is_refused_by_its_name(tmp_path):
    with pytest.raises(PictureError, match="8 or 16 bits.*6 channels.*16-bit RGB"):
        read_bytes(tmp_path, tiff(noise(0, 8, 8, 6)))


def test_a_tiff_without_all_its_pieces_raises(tmp_path):
    # Readers of maps take what is missing for nothing, and paint it black.
    pixels = np.zeros((64, 64, 3), np.uint8)
    whole = tiff(pixels, tile=(16, 16))
    width = struct.pack("<HHI", 256, 4, 1)
    strips = tiff(pixels, rowsperstrip=8)
    lengths = struct.pack("<8H", *[64 * 8 * 3] * 8)
    assert width in whole and lengths in strips
    read_bytes(tmp_path, whole)
    read_bytes(tmp_path, strips)
    for data in (
        whole.replace(width + struct.pack("<I", 64), width + struct.pack("<I", 6400)),
        # Of uncompressed ones libvips would look for each before it gave up.
        tiff(pixels).replace(width + struct.pack("<I", 64), width + struct.pack("<I", 6_400_000)),
        strips.replace(lengths, lengths[:6] + bytes(2) + lengths[8:]),
    ):
        with pytest.raises(PictureError, match="whole TIFF"):
            read_bytes(tmp_path, data)


def test_what_is_no_picture(tmp_path):
    for data, received in (
        (b"", "an empty file"),
        (b"%PDF-1.7 " * 9, "none of these"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "none of these"),
    ):
        with pytest.raises(PictureError, match=received):
            read_bytes(tmp_path, data, "scan.jpg")
    for name, advice in (("scan.psd", "Save it as PNG"), ("letter.txt", "leave it out")):
        with pytest.raises(PictureError, match=f"none of these. .*{advice}"):
            read_bytes(tmp_path, b"Dear Sir or Madam", name)
    with pytest.raises(PictureError, match="a folder"):
        photo_files.read_photo(tmp_path)
    with pytest.raises(PictureError, match="missing.png.*no such file"):
        photo_files.read_photo(tmp_path / "missing.png")


def test_a_huge_picture_is_refused_by_its_header(tmp_path):
    width, height = 30_000, 20_000
    png = b"\x89PNG\r\n\x1a\n"
    png += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    png += chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")
    jpeg = bytearray(FILES["jpeg"])
    start = jpeg.index(b"\xff\xc0")
    jpeg[start + 5 : start + 9] = struct.pack(">HH", height, width)
    gif = bytearray(FILES["gif"])
    frame = gif.index(b",\0\0\0\0$\0\x18\0")
    gif[6:10] = gif[frame + 5 : frame + 9] = struct.pack("<HH", width, height)
    bmp = bytearray(FILES["bmp"])
    bmp[18:26] = struct.pack("<ii", width, height)
    tiff_file = FILES["tiff"]
    for tag, old, new in ((256, 36, width), (257, 24, height)):
        entry = struct.pack("<HHI", tag, 4, 1)
        assert entry + struct.pack("<I", old) in tiff_file
        tiff_file = tiff_file.replace(
            entry + struct.pack("<I", old), entry + struct.pack("<I", new)
        )
    for data in (
        png,
        bytes(jpeg),
        bytes(gif),
        bytes(bmp),
        b"P6 30000 20000 255\n" + bytes(99),
        tiff_file,
    ):
        with pytest.raises(PictureError, match="30000 x 20000 = 600,000,000"):
            read_bytes(tmp_path, data)


def test_pages_count_together(tmp_path, monkeypatch):
    monkeypatch.setattr(decoders, "MAX_PIXELS", 2000)
    data = encoded(PICTURE, "TIFF", save_all=True, append_images=[PICTURE, PICTURE])
    with pytest.raises(PictureError, match="3 pages from 36 x 24 on = 2,592. Split it"):
        read_bytes(tmp_path, data)


def test_a_width_beyond_all_limits_is_refused_in_silence(tmp_path, capfd):
    entry = struct.pack("<HHI", 256, 4, 1)
    file = FILES["tiff"].replace(entry + struct.pack("<I", 36), entry + struct.pack("<I", 2**31))
    with pytest.raises(PictureError, match="2147483648 x 24"):
        read_bytes(tmp_path, file)
    size = b"ispe" + bytes(4)
    at = FILES["avif"].index(size) + len(size)
    file = FILES["avif"][:at] + struct.pack(">I", 2**27) + FILES["avif"][at + 4 :]
    with pytest.raises(PictureError):
        read_bytes(tmp_path, file)
    assert capfd.readouterr().err == ""


def test_opencv_has_the_same_limit():
    assert os.environ["OPENCV_IO_MAX_IMAGE_PIXELS"] == str(MAX_PIXELS)


def test_any_number_of_threads_may_read(tmp_path):
    jpeg = encoded(PICTURE.resize((360, 240)), "JPEG", quality=90, subsampling=0)
    files = {**FILES, "damaged jpeg": jpeg[:3000] + jpeg[3400:], "damaged png": FILES["png"][:-40]}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    def read(name):
        try:
            return photo_files.read_picture(tmp_path / name)
        except PictureError:
            return "refused"

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(read, list(files) * 4))
    for name, outcome in zip(list(files) * 4, outcomes, strict=True):
        np.testing.assert_array_equal(outcome, "refused" if "damaged" in name else read(name))


def test_names_of_any_kind_are_written(tmp_path):
    for name in ("a.png", "b.PNG", "é ü.JPEG", "x" * 251 + ".png", "[n=2].tif"):
        photo_files.write_picture(tmp_path / name, smooth_picture())
        assert photo_files.read_picture(tmp_path / name).shape == (24, 36, 3)
    assert len(list(tmp_path.iterdir())) == 5
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o666 & ~umask


def test_only_overwrites_when_asked(tmp_path):
    path = tmp_path / "a.png"
    photo_files.write_picture(path, smooth_picture())
    before = path.read_bytes()
    with pytest.raises(PictureError, match="a.png.*--overwrite"):
        photo_files.write_picture(path, 255 - smooth_picture())
    assert path.read_bytes() == before
    photo_files.write_picture(path, 255 - smooth_picture(), overwrite=True)
    np.testing.assert_array_equal(photo_files.read_picture(path), 255 - smooth_picture())
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_stored(tmp_path):
    with pytest.raises(PictureError, match="No such file"):
        photo_files.write_picture(tmp_path / "nowhere" / "a.png", smooth_picture())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(PictureError, match="folder.png"):
        photo_files.write_picture(tmp_path / "folder.png", smooth_picture(), overwrite=True)
    assert os.listdir(tmp_path) == ["folder.png"]
