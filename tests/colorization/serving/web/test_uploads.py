import io
import struct
import unicodedata
import zipfile
import zlib

import numpy as np
import PIL.Image
import pillow_heif
import pytest

from colorization.serving.web import uploads
from pipelines.photos import formats
from tests.colorization.serving.web import support

LARGE = np.zeros((101, 100), np.uint8)  # The client takes 10,000 pixels.


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, *chunks):
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pieces = [chunk(b"IHDR", header), *chunks, chunk(b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(pieces)


def heic(pixels):
    file = io.BytesIO()
    pillow_heif.from_pillow(PIL.Image.fromarray(pixels)).save(file)
    return file.getvalue()


def two_pages():
    page = PIL.Image.fromarray(LARGE[:60])
    return support.encode(LARGE[:60], "TIFF", save_all=True, append_images=[page])


@pytest.mark.parametrize(
    "data",
    [
        *(support.encode(LARGE, kind) for kind in ("PNG", "JPEG", "TIFF", "GIF", "BMP", "PPM")),
        *(support.encode(np.dstack([LARGE] * 3), kind) for kind in ("WEBP", "AVIF")),
        heic(LARGE),
        two_pages(),
        png(25_000, 20_000, chunk(b"IDAT", zlib.compress(bytes(1000)))),
        png(2**31 - 1, 1),
        b"P6 30000 30000 255\n",
    ],
)
def test_too_many_pixels_are_refused_by_the_header(client, painter, data):
    answer = client.post("/api/colorize", data=data)
    assert answer.status_code == 422
    assert answer.json["reason"] in ("too-many-pixels", "unusable-picture")
    if not data.startswith(png(2**31 - 1, 1)[:24]):  # Which libpng finds no size in.
        assert answer.json["reason"] == "too-many-pixels" and painter.calls == []
        assert "10,000 pixels" in answer.json["detail"]


def test_too_many_pages_are_refused(client, painter):
    pages = [PIL.Image.new("L", (2, 2))] * 100
    data = support.encode(LARGE[:2, :2], "TIFF", save_all=True, append_images=pages)
    answer = client.post("/api/colorize", data=data)
    assert (answer.status_code, answer.json["reason"]) == (422, "too-many-pages")
    assert "up to 100 pages here. Received: 101" in answer.json["detail"]
    assert painter.calls == []


def bomb(size=50_000_000):
    return zlib.compress(bytes(size), 9)


def zip_bomb():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("photo.jpg", bytes(10_000_000))
    return file.getvalue()


def tiff_bomb():
    """One row of eight pixels whose strip inflates to fifty million bytes."""
    strip = bomb()
    tags = [
        (256, 4, 8),
        (257, 4, 1),
        (258, 3, 8),
        (259, 3, 8),
        (262, 3, 1),
        (273, 4, 8),
        (277, 3, 1),
        (278, 4, 1),
        (279, 4, len(strip)),
    ]
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + bytes(4)
    return b"II*\0" + struct.pack("<I", 8 + len(strip)) + strip + directory


@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (zip_bomb(), {415}),
        (bomb(), {415}),
        (png(8, 8, chunk(b"IDAT", bomb())), {200, 422}),
        (png(8, 8, chunk(b"iCCP", b"x\0\0" + bomb()), chunk(b"IDAT", bomb(72))), {200, 422}),
        (png(8, 8, chunk(b"zTXt", b"x\0\0" + bomb()), chunk(b"IDAT", bomb(72))), {200, 422}),
        (tiff_bomb(), {200, 422}),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", {415}),
        (b"GIF89a" + b"\xff" * 2000, {422}),
        (b"II*\0\x08\0\0\0" + b"\xff" * 2000, {422}),
        (b"\xff\xd8\xff" + b"\0" * 500, {422}),
    ],
)
def test_bombs_and_damage_cost_nothing(client, data, statuses):
    answer = client.post("/api/preview", data=data)
    assert answer.status_code in statuses
    if answer.status_code != 200:
        assert "colorization-" not in answer.json["detail"], "a path of the server is told"
    assert client.get("/healthz").status_code == 200


def test_a_compressed_body_is_not_inflated(client, photo):
    answer = client.post(
        "/api/colorize", data=zlib.compress(photo), headers={"Content-Encoding": "deflate"}
    )
    assert (answer.status_code, answer.json["reason"]) == (415, "encoded-body")


@pytest.mark.parametrize(
    ("name", "kind", "expected"),
    [
        ("grandmother.jpg", "JPEG", "grandmother_color.jpg"),
        ("Grandmother.JPEG", "JPEG", "Grandmother_color.JPEG"),
        ("scan.tiff", "TIFF", "scan_color.tiff"),
        ("IMG_1.HEIC", "HEIC", "IMG_1_color.png"),
        ("lies.exe", "PNG", "lies_color.png"),
        ("../../etc/passwd", "PNG", "passwd_color.png"),
        ("..\\..\\boot.ini", "JPEG", "boot_color.jpg"),
        ("C:\\photos\\a.png", "PNG", "a_color.png"),
        ("a\0b.png", "PNG", "ab_color.png"),
        ("a\r\nSet-Cookie: x=y.png", "PNG", "aSet-Cookie_ x=y_color.png"),
        ('say "hi".png', "PNG", "say _hi__color.png"),
        ("\u202egnp.exe", "PNG", "gnp_color.png"),
        (".htaccess", "PNG", "htaccess_color.png"),
        ("..", "PNG", "photo_color.png"),
        ("", "WebP", "photo_color.webp"),
        ("Großmutter 1931.jpg", "JPEG", "Großmutter 1931_color.jpg"),
        ("祖母.png", "PNG", "祖母_color.png"),
        (unicodedata.normalize("NFD", "é.png"), "PNG", "é_color.png"),
        ("x" * 500 + ".png", "PNG", "x" * 100 + "_color.png"),
        ("\udcff.png", "PNG", "png_color.png"),
    ],
)
def test_names_are_made_safe(name, kind, expected):
    row = next(row for row in formats.FORMATS if row.name == kind)
    assert uploads.safe_name(name, row) == expected


@pytest.mark.parametrize("name", ["../../x.png", "a\0b.png", "a\r\nX-Evil: 1.png", "ü".encode()])
def test_a_name_reaches_neither_disk_nor_headers(client, photo, folder, name):
    answer = client.post("/api/colorize", query_string={"name": name}, data=photo)
    assert answer.status_code == 200 and "X-Evil" not in answer.headers
    disposition = answer.headers["Content-Disposition"]
    assert disposition.startswith("attachment; filename=") and disposition.isascii()
    assert not set("/\\\0\r\n") & set(disposition.replace("\\'", ""))
    answer.close()
    assert list(folder.iterdir()) == []
