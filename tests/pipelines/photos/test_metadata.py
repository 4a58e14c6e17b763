"""Pillow, tifffile and ElementTree read what is written, and Pillow makes the files."""

import concurrent.futures
import io
import struct
from xml.etree import ElementTree

import numpy as np
import PIL.Image
import PIL.IptcImagePlugin
import PIL.TiffImagePlugin
import pytest
import tifffile

from pipelines.photos import exif, metadata, photo_files
from pipelines.photos.photo import Metadata, Note, Photo

EXTENSION = "{http://iptc.org/std/Iptc4xmpExt/2008-02-29/}"
RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
DC = "{http://purl.org/dc/elements/1.1/}"
PIXELS = np.full((24, 36, 3), 99, np.uint8)
PICTURE = PIL.Image.fromarray(PIXELS)
IPTC = b"\x1c\x01\x5a\0\x03\x1b%G\x1c\x02\x78\0\x09A caption\x1c\x02\x50\0\x05Adams"
XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/" x:xmptk="Some editor">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="uuid:1" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"
    xmlns:mine="http://example.org/mine/" tiff:Orientation="6" mine:shelf="A &amp; B&#10;7"/>
  <rdf:Description rdf:about="uuid:1" xmlns:dc="http://purl.org/dc/elements/1.1/">
   <dc:title><rdf:Alt><rdf:li xml:lang="x-default">Dünen</rdf:li></rdf:Alt></dc:title>
  </rdf:Description>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>""".encode()
TEXTS = {271: "Maker", 272: "Model", 306: "1936:10:01 12:00:00", 315: "Adams", 33432: "Public"}
CHILDREN = {
    36867: "1936:10:01 12:00:00",
    37500: b"A maker's note \xff\0",
    37510: b"ASCII\0\0\0comment",
    40962: 36,
    40963: 24,
    42036: "A lens",
    65002: "private",
    33434: (1, 30),
}
PLACE = {1: "N", 2: (37.0, 44.0, 30.5)}


def exif_block(order=">", orientation=6, thumbnail=b"\xff\xd8thumbnail\xff\xd9"):
    block = PIL.Image.Exif()
    block.endian = order
    for tag, value in TEXTS.items():
        block[tag] = value
    block[274] = orientation
    block[0x8769] = dict(CHILDREN)
    block[0x8825] = dict(PLACE)
    block[65001] = "private"
    data = bytearray(block.tobytes().removeprefix(b"Exif\0\0"))
    if thumbnail:
        # Pillow writes none: a second directory with two entries, then the picture.
        first = struct.unpack_from(order + "I", data, 4)[0]
        end = first + 2 + 12 * struct.unpack_from(order + "H", data, first)[0]
        start = len(data)
        struct.pack_into(order + "I", data, end, start)
        data += struct.pack(
            order + "HHHIIHHIII", 2, 513, 4, 1, start + 30, 514, 4, 1, len(thumbnail), 0
        )
        data += thumbnail
    return bytes(data)


def found(exif_data):
    """What Pillow reads: texts and both lower directories."""
    block = PIL.Image.Exif()
    block.load(b"Exif\0\0" + exif_data)
    return dict(block), dict(block.get_ifd(0x8769)), dict(block.get_ifd(0x8825))


def jpeg(**blocks):
    file = io.BytesIO()
    PICTURE.save(file, "JPEG", **blocks)
    return file.getvalue()


def with_iptc(data, iptc):
    resources = metadata.resources_of_iptc(b"\x1c\x02\x05\0\1x")
    other = b"8BIM\x04\x0c\x03odd" + struct.pack(">I", 5) + b"thumb\0"
    own = resources.replace(
        resources[8:], struct.pack(">I", len(iptc)) + iptc + b"\0" * (len(iptc) % 2)
    )
    payload = b"Photoshop 3.0\0" + other + own
    return data[:2] + b"\xff\xed" + struct.pack(">H", len(payload) + 2) + payload + data[2:]


def read_bytes(folder, data):
    (folder / "picture").write_bytes(data)
    (photo,) = photo_files.read_photo(folder / "picture")
    return photo


@pytest.fixture
def photo(tmp_path):
    """A photo with everything, on its side."""
    data = jpeg(exif=b"Exif\0\0" + exif_block(), xmp=XMP, dpi=(300, 300))
    return read_bytes(tmp_path, with_iptc(data, IPTC))


@pytest.mark.parametrize("order", ["<", ">"])
def test_exif_is_kept_byte_for_byte_but_for_what_is_mended(order):
    before, after = exif_block(order), exif.upright(exif_block(order), swapped=True)
    texts, children, place = found(before)
    assert found(after)[0] == {**texts, 274: 1}
    assert found(after)[1] == {**children, 40962: 24, 40963: 36}
    assert found(after)[2] == place
    assert b"thumbnail" in before and b"thumbnail" not in after
    changed = sum(a != b for a, b in zip(before, after, strict=False))
    assert changed <= 1 + 2 + 2  # The orientation, two sizes, the offset of the thumbnail.


def test_an_orientation_of_64_bits_is_mended():
    entry = struct.pack("<HHHII", 1, 274, 16, 1, 26)
    block = b"II*\0" + struct.pack("<I", 8) + entry + bytes(4) + struct.pack("<Q", 6)
    assert exif.orientation_of(exif.upright(block, swapped=False)) == 1


def test_a_broken_exif_block_raises_nothing():
    block = exif_block()
    for length in range(len(block)):
        part = block[:length]
        exif.upright(part, swapped=True)
        exif.orientation_of(part)
        exif.resolution_of(part)
        exif.build(exif.descriptive_tags(exif.Block(part), exif.Block(part).first))
    assert exif.orientation_of(block) == 6
    for broken in (b"", b"XX" + block[2:], b"MM\0*\xff\xff\xff\xff", block[:4] + bytes(4)):
        assert exif.orientation_of(broken) is None
        assert exif.upright(broken, swapped=False) is None


def test_a_photo_brings_all_it_says(photo):
    about = photo.metadata
    assert photo.rgb.shape == (36, 24, 3)
    assert about.exif == exif.upright(exif_block(), swapped=True)
    assert about.xmp == XMP.replace(b'Orientation="6"', b'Orientation="1"')
    assert about.iptc == IPTC
    assert about.resolution == (300.0, 300.0)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".avif"])
def test_every_format_holds_what_it_can(suffix, photo, tmp_path):
    path = tmp_path / f"a{suffix}"
    photo_files.write_photo(path, [photo])
    image = PIL.Image.open(path)
    texts = {tag: value for tag, value in image.getexif().items() if tag in TEXTS}
    assert texts == TEXTS
    children, place = (dict(image.getexif().get_ifd(tag)) for tag in (0x8769, 0x8825))
    lost = {65002} if suffix == ".avif" else set()  # libexif's own dictionary decides.
    for tag in CHILDREN.keys() - lost - {40962, 40963}:
        expected = CHILDREN[tag]
        if tag == 33434:
            expected = PIL.TiffImagePlugin.IFDRational(1, 30)
            assert children[tag] in (expected, (1, 30))
        else:
            assert children[tag] == expected, tag
    assert (children[40962], children[40963]) == (24, 36)
    assert place == PLACE
    assert image.getexif().get(274, 1) == 1
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp").encode()
    assert xmp == photo.metadata.xmp
    if suffix in (".jpg", ".png", ".tif"):
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.01)
    if suffix in (".jpg", ".tif"):
        iptc = PIL.IptcImagePlugin.getiptcinfo(image)
        assert iptc[(2, 120)] == b"A caption" and iptc[(2, 80)] == b"Adams"
    if suffix == ".png":
        _, name, length, *lines = image.info["Raw profile type iptc"].split("\n")
        resources = bytes.fromhex("".join(lines))
        assert name == "iptc" and int(length) == len(resources) and IPTC in resources


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp"])
def test_what_is_written_is_read_again(suffix, photo, tmp_path):
    path = tmp_path / f"a{suffix}"
    photo_files.write_photo(path, [photo])
    (again,) = photo_files.read_photo(path)
    assert again.metadata.xmp == photo.metadata.xmp
    assert again.metadata.iptc == (None if suffix == ".webp" else IPTC)
    assert again.metadata.tagged == photo.metadata.tagged
    if suffix == ".tif":
        # Rebuilt as a directory of its own, in the other byte order, private tags left out.
        assert found(again.metadata.exif)[1:] == found(photo.metadata.exif)[1:]
    else:
        assert again.metadata.exif == photo.metadata.exif
    if suffix != ".webp":  # Its Exif holds none here, and WebP has no other place.
        assert again.metadata.resolution == photo.metadata.resolution


def test_tags_of_tiff_become_exif(tmp_path):
    data = io.BytesIO()
    tifffile.imwrite(
        data,
        PIXELS,
        photometric="rgb",
        resolution=(118.11, 118.11),
        resolutionunit="CENTIMETER",
        software="scanner",
        datetime="2001:02:03 04:05:06",
        description="A pier",
        metadata=None,
        byteorder=">",
        extratags=[(315, 2, 0, "Adams", True), (274, 3, 1, 8, True), (700, 1, len(XMP), XMP, True)],
    )
    photo = read_bytes(tmp_path, data.getvalue())
    assert photo.metadata.resolution == (300.0, 300.0)
    photo_files.write_photo(tmp_path / "a.jpg", [photo])
    image = PIL.Image.open(tmp_path / "a.jpg")
    # Pillow takes the orientation from XMP where Exif says none.
    expected = {274: 1, 270: "A pier", 305: "scanner", 306: "2001:02:03 04:05:06", 315: "Adams"}
    assert dict(image.getexif()) == expected and image.size == (24, 36)
    assert image.info["dpi"] == (300, 300)


def test_webp_holds_a_resolution_in_exif(tmp_path):
    photo_files.write_photo(
        tmp_path / "a.webp", [Photo(PIXELS, None, Metadata(resolution=(300.0, 150.0)))]
    )
    block = PIL.Image.open(tmp_path / "a.webp").getexif()
    assert (block[282], block[283], block[296]) == (300, 150, 2)


def test_no_resolution_is_made_up(tmp_path):
    for suffix in (".jpg", ".png", ".tif", ".webp", ".avif"):
        photo_files.write_photo(tmp_path / f"a{suffix}", [Photo(PIXELS)])
        assert photo_files.read_photo(tmp_path / f"a{suffix}")[0].metadata == Metadata()
        image = PIL.Image.open(tmp_path / f"a{suffix}")
        assert suffix == ".tif" or "dpi" not in image.info
        assert 282 not in image.getexif()


def test_blocks_too_long_for_jpeg_are_left_out(tmp_path):
    long = Metadata(
        exif=exif_block(thumbnail=bytes(70_000)),
        iptc=IPTC * 3000,
        xmp=XMP.replace(b"shelf", b"shelf" * 14_000),
    )
    photo_files.write_photo(tmp_path / "a.jpg", [Photo(PIXELS, None, long)], note=Note("m", "1"))
    photo_files.write_photo(tmp_path / "a.png", [Photo(PIXELS, None, long)])
    (short,), (whole,) = (photo_files.read_photo(tmp_path / name) for name in ("a.jpg", "a.png"))
    assert short.metadata.exif is short.metadata.iptc is None
    assert properties(short.metadata.xmp)[f"{EXTENSION}AISystemUsed"] == "m"
    assert whole.metadata.iptc == long.iptc


def properties(packet):
    """What an RDF reader finds: {name: text} of all descriptions, attributes or elements."""
    root = ElementTree.fromstring(packet.decode().strip("\ufeff \n"))
    values = {}
    for description in root.iter(f"{RDF}Description"):
        values |= description.attrib
        values |= {child.tag: "".join(child.itertext()).strip() for child in description}
    return values


NOTE = {
    f"{EXTENSION}DigitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/"
    "compositeWithTrainedAlgorithmicMedia",
    f"{EXTENSION}AISystemUsed": "colorization <chroma>",
    f"{EXTENSION}AISystemVersionUsed": "1",
}


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".tif", ".webp", ".avif"])
def test_the_note_joins_the_photos_own_xmp(suffix, photo, tmp_path):
    path = tmp_path / f"a{suffix}"
    photo_files.write_photo(path, [photo], note=Note("colorization <chroma>", "1"))
    image = PIL.Image.open(path)
    xmp = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp").encode()
    expected = properties(photo.metadata.xmp)
    assert expected["{http://example.org/mine/}shelf"] == "A & B\n7"
    assert expected[f"{DC}title"] == "Dünen"
    assert properties(xmp) == expected | NOTE
    assert b"mine:shelf" in xmp and b"xml:lang" in xmp and xmp.startswith(b"<?xpacket begin")


def test_the_note_replaces_an_older_one():
    first = metadata.annotate(XMP, Note("old", "0"))
    assert metadata.annotate(first, Note("new", "2")).count(b"AISystemUsed>") == 2
    attribute = XMP.replace(
        b'mine:shelf="',
        b'xmlns:e="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" e:AISystemUsed="x" mine:shelf="',
    )
    note = Note("colorization <chroma>", "1")
    assert properties(metadata.annotate(attribute, note)) == properties(XMP) | NOTE


@pytest.mark.parametrize(
    "packet",
    [
        None,
        b"",
        XMP[:300],
        b"<html/>",
        b"\xff\xfe\0junk",
        b'<?xml version="1.0" encoding="no such"?><a/>',
        XMP.replace(b"<x:xmpmeta", b'<!DOCTYPE a [<!ENTITY b "c">]><x:xmpmeta'),
    ],
)
def test_a_damaged_packet_is_replaced(packet):
    note = Note("colorization <chroma>", "1")
    assert properties(metadata.annotate(packet, note)) == {f"{RDF}about": ""} | NOTE


def test_a_thumbnail_in_xmp_goes():
    packet = XMP.replace(
        b"<dc:title>",
        b'<xmp:Thumbnails xmlns:xmp="http://ns.adobe.com/xap/1.0/">old</xmp:Thumbnails><dc:title>',
    )
    assert b"Thumbnails" not in metadata.annotate(packet, Note("m", "1"))


def test_threads_annotate_apart():
    packets = [XMP.replace(b"mine", b"p%d" % index) for index in range(8)] * 20
    note = Note("colorization <chroma>", "1")
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for packet, new in zip(
            packets, pool.map(lambda p: metadata.annotate(p, note), packets), strict=True
        ):
            assert properties(new) == properties(packet) | NOTE


@pytest.mark.parametrize("form", ['tiff:Orientation="8"', "tiff:Orientation = '8'"])
def test_orientation_in_xmp_alone_counts(form, tmp_path):
    packet = XMP.replace(b'tiff:Orientation="6"', form.encode())
    file = io.BytesIO()
    info = PIL.PngImagePlugin.PngInfo()
    info.add_itxt("XML:com.adobe.xmp", packet.decode())
    PICTURE.save(file, "PNG", pnginfo=info)
    photo = read_bytes(tmp_path, file.getvalue())
    assert photo.rgb.shape == (36, 24, 3)
    assert metadata.xmp_orientation(photo.metadata.xmp) == 1
    element = b"<tiff:Orientation>8</tiff:Orientation>"
    assert metadata.upright_xmp(element) == element.replace(b"8", b"1")


def test_damaged_image_resources_hold_no_iptc():
    resources = metadata.resources_of_iptc(IPTC)
    for length in range(len(resources) - 1):
        metadata.iptc_of_resources(resources[:length])
    assert metadata.iptc_of_resources(resources) == IPTC
    assert metadata.iptc_of_resources(b"Photoshop 3.0\0" + resources) == IPTC
    assert metadata.iptc_of_resources(IPTC) == IPTC
    assert metadata.iptc_of_resources(b"junk") is None


@pytest.mark.parametrize("order", ["<", ">"])
def test_iptc_of_tiff_is_found_wherever_it_stands(order, tmp_path):
    resources = metadata.resources_of_iptc(IPTC)
    # Adobe's type for the first is LONG, which libtiff swaps although the data are bytes.
    padded = IPTC + bytes(-len(IPTC) % 4)
    for tag in (
        (33723, 7, len(IPTC), IPTC, True),
        (33723, 4, len(padded) // 4, np.frombuffer(padded, f"{order}u4"), True),
        (34377, 7, len(resources), resources, True),
    ):
        file = io.BytesIO()
        options = {"photometric": "rgb", "byteorder": order, "extratags": [tag]}
        tifffile.imwrite(file, PIXELS, **options)
        assert read_bytes(tmp_path, file.getvalue()).metadata.iptc.rstrip(b"\0") == IPTC
