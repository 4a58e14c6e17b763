"""Files that real programs write and readers get wrong, made by Pillow, tifffile and Little CMS."""

import io
import re
import struct

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest
import pyvips
import tifffile

from pipelines.photos import exif, formats, metadata, photo_files
from pipelines.photos.photo import Metadata, Note, Photo, PictureError
from tests.pipelines.picture_files import chunk, tiff

ROWS, COLUMNS = np.mgrid[:48, :64]
PICTURE = np.stack([ROWS * 5, COLUMNS * 3, (ROWS + COLUMNS) * 2], axis=-1).astype(np.uint8)


def read(data):
    return photo_files.decode_photo("file", data)[0].rgb


def refused(data):
    with pytest.raises(PictureError) as caught:
        read(data)
    assert "\n" not in str(caught.value)
    return str(caught.value)


RAW = {
    "DNG": {"extratags": [(50706, "B", 4, (1, 4, 0, 0), True)]},
    "NEF": {"subfiletype": 1, "subifds": 1},
    "color filters": {"photometric": 32803},
    "linear": {"photometric": 34892},
}


@pytest.mark.parametrize("name", RAW)
def test_a_raw_file_is_not_taken_for_its_thumbnail(name):
    pixels = PICTURE[..., 0] if name == "color filters" else PICTURE
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(pixels, **{"photometric": "rgb"} | RAW[name])
        if "subifds" in RAW[name]:
            writer.write(PICTURE, photometric="rgb")
    assert "Received: a raw file of a camera" in refused(file.getvalue())


def test_a_small_copy_behind_the_photo_makes_no_raw_file():
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        writer.write(PICTURE, photometric="rgb", subifds=1)
        writer.write(PICTURE[::2, ::2], photometric="rgb", subfiletype=1)
    np.testing.assert_array_equal(read(file.getvalue()), PICTURE)


@pytest.mark.parametrize("white", [1, 255, 65_535])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_floating_point_levels_of_any_white(white, dtype):
    if (white, dtype) == (65_535, np.float16):
        return  # Beyond its range.
    found = read(tiff((PICTURE * (white / 255)).astype(dtype)))
    assert found.dtype == np.uint16
    np.testing.assert_allclose(found / 257, PICTURE, atol=0.13)


def test_highlights_above_white_are_clipped_and_levels_of_no_scale_refused():
    levels = PICTURE.astype(np.float32) / 255
    levels[:2] = 40
    found = read(tiff(levels))
    assert (found[:2] == 65_535).all()
    np.testing.assert_allclose(found[2:] / 257, PICTURE[2:], atol=0.01)
    assert "from 0 to 1, 255 or 65535. Received: levels up to 1e+06" in refused(
        tiff(np.full((8, 8, 3), 1e6, np.float32))
    )


INTEGERS = {
    "int8": (PICTURE // 2, 0, 127),
    "int8, signed around gray": (PICTURE - 128.0, -128, 127),
    "int16": (PICTURE, 0, 255),
    "int16, above 255": (PICTURE * (32_767 / 255), 0, 32_767),
    "int16, signed around gray": ((PICTURE - 128.0) * 256, -32_768, 32_767),
    "int32": (PICTURE, 0, 255),
    "uint32": (PICTURE, 0, 255),
    "uint32, of 16 bits": (PICTURE * 257.0, 0, 65_535),
    "uint32, of 32 bits": (PICTURE * (2**32 / 256), 0, 4_294_967_295),
}


@pytest.mark.parametrize("bands", [1, 3])
@pytest.mark.parametrize("name", INTEGERS)
def test_signed_and_32_bit_levels_are_scaled_by_what_is_in_them(name, bands, caplog):
    levels, black, white = INTEGERS[name]
    levels = levels.astype(name.split(",")[0])
    data = tiff(levels) if bands == 3 else tiff(levels[..., 0], photometric="minisblack")
    np.testing.assert_allclose(read(data)[..., 0] / 257, PICTURE[..., 0], atol=1.1)
    assert caplog.messages == [
        f"file: its levels are taken from {black} (black) to {white} (white)."
    ]


def handmade(bits, compression=1, data=bytes(48 * 64 * 2)):
    """A gray TIFF file of what tifffile does not write."""
    fields = [(256, 64), (257, 48), (258, bits), (259, compression), (262, 1), (273, 122)]
    fields += [(277, 1), (278, 48), (279, len(data))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    head = b"II*\0" + struct.pack("<IH", 8, len(fields))
    return head + entries + bytes(4) + data


@pytest.mark.parametrize(
    "data, received",
    [
        (handmade(12), "samples of 12 bits"),
        (handmade(6), "samples of 6 bits"),
        (handmade(8, 34_925), "compressed by LZMA"),
        (handmade(8, 6), "compressed by JPEG of the first kind"),
        (tiff(PICTURE / 255), "floating-point samples of 64 bits"),
    ],
)
def test_what_is_not_read_of_tiff_is_named(data, received):
    message = refused(data)
    assert received in message and "truncated" not in message and "16-bit RGB" in message


def test_a_profile_of_rgb_holds_for_gray_levels():
    profile = bytes(pyvips.Image.profile_load("p3"))
    gray, rgb = io.BytesIO(), io.BytesIO()
    image = PIL.Image.fromarray(PICTURE[..., 0])
    image.save(gray, "PNG", icc_profile=profile)
    image.convert("RGB").save(rgb, "PNG", icc_profile=profile)
    np.testing.assert_array_equal(read(gray.getvalue()), read(rgb.getvalue()))


@pytest.mark.parametrize(
    "suffix, field, size, name",
    [
        (".jpg", "exif", 65_528, "Exif"),
        (".jpg", "xmp", 65_505, "XMP"),
        (".jpg", "iptc", 65_507, "IPTC"),
        (".webp", "iptc", 1, "IPTC"),
        (".avif", "iptc", 1, "IPTC"),
    ],
)
def test_metadata_that_do_not_fit_are_named(suffix, field, size, name, caplog):
    for packet in (bytes(size), bytes(size - 1)):
        photo = Photo(PICTURE, metadata=Metadata(**{field: packet}))
        photo_files.encode_photo(f"a{suffix}", [photo])
    kind = formats.by_suffix(f"a{suffix}").name
    expected = f"a{suffix}: its {name} metadata do not fit into {kind} and are left out."
    assert caplog.messages == [expected]


def lab_of_picture():
    profiles = [PIL.ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    transform = PIL.ImageCms.buildTransform(*profiles, "RGB", "LAB")
    return PIL.ImageCms.applyTransform(PIL.Image.fromarray(PICTURE), transform)


def test_lab_of_every_sort():
    image = lab_of_picture()
    file = io.BytesIO()
    image.save(file, "TIFF")
    # Eight bits of Lab are coarse where it is dark.
    off = np.abs(read(file.getvalue()).astype(int) - PICTURE)
    assert off.mean() < 0.7 and off.max() < 16
    # Pillow's a and b have an offset in memory, or none, by version: take what it wrote.
    stored = tifffile.imread(io.BytesIO(file.getvalue()))
    lightness, ab = stored[..., :1].astype(int), stored[..., 1:].astype(np.int8).astype(int)
    sorts = {
        ("cielab", np.uint16): np.dstack([lightness * 257, (ab * 256) % 65_536]),
        ("icclab", np.uint8): np.dstack([lightness, ab + 128]),
        ("icclab", np.uint16): np.dstack([lightness * 256, (ab + 128) * 256]),
    }
    for (photometric, dtype), samples in sorts.items():
        found = read(tiff(samples.astype(dtype), photometric=photometric))
        assert found.dtype == dtype
        off = np.abs(found / (257 if dtype == np.uint16 else 1) - PICTURE)
        assert off.mean() < 0.7 and off.max() < 16


@pytest.mark.parametrize("kind", [0, 1, 2])
def test_only_what_is_said_to_be_transparency_is(kind):
    """0: infrared of a scanner, or a selection; 1 and 2: transparency."""
    pixels = np.dstack([PICTURE, np.full_like(PICTURE[..., 0], 255)])
    pixels[0, 0] = 0
    data = tiff(pixels, extrasamples=[kind])
    (photo,) = photo_files.decode_photo("file", data)
    assert (photo.alpha is None) == (kind == 0)
    np.testing.assert_array_equal(photo.rgb[1:], PICTURE[1:])


JPEG = {}
for name, options in {
    "4:2:0": {},
    "4:4:4": {"subsampling": 0},
    "progressive": {"progressive": True},
    "gray": {},
}.items():
    image, file = PIL.Image.fromarray(PICTURE), io.BytesIO()
    (image.convert("L") if name == "gray" else image).save(file, "JPEG", quality=90, **options)
    JPEG[name] = file.getvalue()


def segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


PROFILE = b"ICC_PROFILE\0\1\1" + bytes(pyvips.Image.profile_load("p3"))
ADOBE = b"http://ns.adobe.com/"
BROKEN = {
    "no end": lambda data: data[:-2],
    "half an end": lambda data: data[:-1],
    "junk before": lambda data: b"\r\n\0junk" + data,
    "junk behind the first marker": lambda data: data[:2] + b"\0\0\0" + data[2:],
    "bad Exif": lambda data: data[:2] + segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff") + data[2:],
    "no Exif at all": lambda data: data[:2] + segment(0xE1, b"Exif\0\0garbage") + data[2:],
    "short APP14": lambda data: data[:2] + segment(0xEE, b"Adobe\0d") + data[2:],
    "bad profile": lambda data: data[:2] + segment(0xE2, PROFILE[:300]) + data[2:],
    "piece of a profile": lambda data: data[:2] + segment(0xE2, b"ICC_PROFILE\0\1\2bad") + data[2:],
    "bad XMP": lambda data: data[:2] + segment(0xE1, ADOBE + b"xap/1.0/\0<x") + data[2:],
    "long XMP": lambda data: data[:2] + segment(0xE1, ADOBE + b"xmp/extension/\0x") + data[2:],
}


@pytest.mark.parametrize("kind", JPEG)
@pytest.mark.parametrize("name", BROKEN)
def test_whole_pixels_with_broken_wrapping_are_read(kind, name):
    np.testing.assert_array_equal(read(BROKEN[name](JPEG[kind])), read(JPEG[kind]))


@pytest.mark.parametrize(
    "name, remark",
    [
        ("no end", "its end marker is missing; all its pixels are there."),
        ("junk before", "there are stray bytes around its first marker."),
        ("bad Exif", "its Exif metadata are damaged and left out."),
        ("bad XMP", "its XMP metadata are damaged and left out."),
        ("long XMP", "its XMP metadata beyond the first 64 KB are left out."),
        (
            "bad profile",
            "its color profile is damaged or meant for other channels, and ignored.",
        ),
    ],
)
def test_what_was_mended_or_left_out_is_said(name, remark, caplog):
    read(BROKEN[name](JPEG["4:2:0"]))
    assert caplog.messages == [f"file: {remark}"]


def test_whole_photos_are_read_without_remark(caplog):
    for data in JPEG.values():
        read(data)
    assert not caplog.messages


@pytest.mark.parametrize("kind", ["AVIF", "GIF", "PNG", "WebP"])
def test_of_an_animation_the_first_frame_is_taken_and_that_is_said(kind, caplog):
    frames = [PIL.Image.fromarray(level) for level in (PICTURE, 255 - PICTURE, PICTURE // 2)]
    file = io.BytesIO()
    frames[0].save(file, kind, save_all=True, append_images=frames[1:], quality=90)
    assert np.abs(read(file.getvalue()).astype(int) - PICTURE).mean() < 12
    assert caplog.messages == ["file: its first frame is taken, of 3."]


@pytest.mark.parametrize("kind", JPEG)
def test_an_end_marker_makes_no_cut_file_whole(kind):
    for lost in (3, 4, 9, 40):
        for data in (JPEG[kind][:-lost], JPEG[kind][:-lost] + b"\xff\xd9"):
            assert "truncated" in refused(data)


def test_a_progressive_file_cut_between_scans_is_not_whole():
    data = JPEG["progressive"]
    scans = [match.start() for match in re.finditer(b"\xff\xda", data)]
    assert len(scans) > 5
    # Tables may stand before a scan's header.
    for cut in (data[: data.rfind(b"\xff\xc4", 0, scan)] for scan in scans[1:]):
        assert "truncated" in refused(cut)
        (photo,) = photo_files.decode_photo("file", cut, salvage=True)
        assert photo.rgb.shape == PICTURE.shape and "cut or damaged" in photo.remarks[0]


def png(pixels, *chunks):
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "PNG")
    data = file.getvalue()
    return data[:33] + b"".join(chunks) + data[33:]


@pytest.mark.parametrize("side, is_read", [(99, True), (20_000, False)])
def test_nothing_is_salvaged_of_a_file_that_is_nearly_all_gaps(side, is_read):
    data = png(np.random.default_rng(0).integers(0, 256, PICTURE.shape, dtype=np.uint8))
    header = struct.pack(">II", side, side) + data[24:29]
    cut = data[:8] + chunk(b"IHDR", header) + data[33:-40]
    if is_read:
        (photo,) = photo_files.decode_photo("file", cut, salvage=True)
        assert photo.rgb.shape == (side, side, 3)
    else:
        with pytest.raises(PictureError, match="truncated"):
            photo_files.decode_photo("file", cut, salvage=True)


def gamma(value):
    return chunk(b"gAMA", struct.pack(">I", round(value * 100_000)))


def to_light(levels):
    return np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)


@pytest.mark.parametrize("value", [1.0, 0.55])
@pytest.mark.parametrize("bands", [1, 3, 4])
def test_gamma_of_png_is_applied_to_colors_alone(value, bands):
    stored = np.round(to_light(PICTURE / 255) ** value * 255).astype(np.uint8)
    alpha = PICTURE[..., 1]
    pixels = {1: stored[..., 0], 3: stored, 4: np.dstack([stored, alpha])}[bands]
    (photo,) = photo_files.decode_photo("file", png(pixels, gamma(value)))
    expected = PICTURE if bands > 1 else np.repeat(PICTURE[..., :1], 3, axis=-1)
    bright = expected > 60  # Below, eight bits of light are few.
    np.testing.assert_allclose(photo.rgb[bright].astype(int), expected[bright], atol=5)
    if bands == 4:
        np.testing.assert_array_equal(photo.alpha, alpha)


@pytest.mark.parametrize(
    "chunks", [[gamma(0.45455)], [gamma(1.0), chunk(b"sRGB", b"\0")], [gamma(0)], [gamma(1)[:9]]]
)
def test_other_gamma_changes_nothing(chunks):
    if len(chunks[0]) < 16:
        chunks = [chunk(b"gAMA", b"\0")]
    np.testing.assert_array_equal(read(png(PICTURE, *chunks)), PICTURE)


STALE = b"""<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:hdrgm="http://ns.adobe.com/hdr-gain-map/1.0/"
    xmlns:GCamera="http://ns.google.com/photos/1.0/camera/" hdrgm:Version="1.0"
    xmlns:exif="http://ns.adobe.com/exif/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
    GCamera:MotionPhoto="1" GCamera:MicroVideoOffset="9" exif:ColorSpace="65535" dc:format="kept"
    xmlns:Container="http://ns.google.com/photos/1.0/container/">
   <Container:Directory><rdf:Seq/></Container:Directory>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>"""


def test_claims_about_the_old_file_go():
    made = metadata.annotate(STALE, Note("model", "1"))
    for word in (b"MotionPhoto", b"MicroVideo", b"hdrgm:Version", b"Directory", b"ColorSpace"):
        assert word in STALE and word not in made
    assert b"kept" in made and b"AISystemUsed" in made


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_mark_of_adobe_rgb_goes(order):
    found = {
        "image": {},
        "exif": {40961: (3, 1, struct.pack("<H", 65_535))},
        "interoperability": {1: (2, 4, b"R03\0")},
    }
    block = exif.build(found)
    if order == ">":
        other = PIL.Image.Exif()
        other.endian = ">"
        other.get_ifd(34665)[40961] = 65_535
        other[271] = "Maker"
        block = other.tobytes()[6:]
    after = exif.Block(exif.upright(block, False))
    entries, _ = after.directory(after.first)
    children, _ = after.directory(after.number(entries, exif.EXIF_POINTER))
    assert after.number(children, 40961) == 1
    if order == "<":
        inner, _ = after.directory(after.number(children, exif.INTEROPERABILITY_POINTER))
        assert after.raw(inner, 1) == b"R98\0"


@pytest.mark.parametrize("name", ["a.jp2", "a.j2k"])
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "L", "I;16"])
def test_jpeg_2000(name, kind):
    pixels = {
        "RGB": PICTURE,
        "RGBA": np.dstack([PICTURE, PICTURE[..., 1]]),
        "L": PICTURE[..., 0],
        "I;16": PICTURE[..., 0].astype(np.uint16) * 257,
    }[kind]
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, "JPEG2000", no_jp2=name == "a.j2k")
    data = file.getvalue()
    (photo,) = photo_files.decode_photo("file", data)
    expected = pixels if pixels.ndim == 3 else np.dstack([pixels] * 3)
    np.testing.assert_array_equal(photo.rgb, expected[..., :3])
    assert (photo.alpha is not None) == (kind == "RGBA") and photo.rgb.dtype == pixels.dtype
    for share in (0.3, 0.5, 0.9):
        assert "whole JPEG 2000" in refused(data[: int(share * len(data))])


@pytest.mark.parametrize("suffix", [".jfif", ".jpe", ".jfi", ".mpo"])
def test_jpeg_of_rarer_names(suffix, tmp_path):
    assert formats.by_suffix(f"a{suffix}").name == "JPEG"
    if suffix in formats.WRITABLE_SUFFIXES:
        photo_files.write_picture(tmp_path / f"a{suffix}", PICTURE)
        assert (tmp_path / f"a{suffix}").read_bytes().startswith(b"\xff\xd8\xff")
    else:
        with pytest.raises(PictureError, match="Choose one of these suffixes"):
            photo_files.write_picture(tmp_path / f"a{suffix}", PICTURE)
