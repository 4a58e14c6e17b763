"""The table of formats agrees with itself, and with what reads and writes."""

import mimetypes

import pytest

from pipelines.photos import decoders, encoders, formats


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF89a", "GIF"),
        (b"BM", "BMP"),
        (b"II*\0", "TIFF"),
        (b"MM\0+", "TIFF"),
        (b"RIFF\x99\0\0\0WEBPVP8 ", "WebP"),
        (b"RIFF\x99\0\0\0WAVEfmt ", None),
        (b"P4\n", "PNM"),
        (b"P7\n", None),
        (b"P4", None),
        (b"\0\0\0\x1cftypmif1\0\0\0\0avifmif1", "AVIF"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIC"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0isom", None),
        (b"<svg", None),
        (b"%PDF", None),
        (b"", None),
    ],
)
def test_kind_is_told_by_the_first_bytes(start, kind):
    found = formats.identify(start)
    assert (found and found.name) == kind


@pytest.mark.parametrize("row", formats.FORMATS, ids=lambda row: row.name)
def test_every_row_is_read_and_written_by_something(row):
    assert row.is_read_by_libvips or row.reader in (*decoders._BITMAPS, "pillow-heif")
    assert row.writer in (None, "tiff") or row.name in encoders._ENCODERS
    known = mimetypes.guess_type(f"a{row.suffixes[0]}")[0]
    assert row.name == "PNM" or known in (row.media_type, None)
    for suffix in row.suffixes:
        assert suffix == suffix.lower() and formats.by_suffix(f"A{suffix.upper()}") is row


def test_no_suffix_names_two_formats():
    assert len(set(formats.PICTURE_SUFFIXES)) == len(formats.PICTURE_SUFFIXES)
    assert formats.by_suffix("a.txt") is None and formats.by_suffix("jpg") is None
