import struct

from pipelines.photos import bitmaps, headers


def test_headers_cut_anywhere_raise_nothing():
    jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\1\1\1\1\x2c\0\xc8\0\0\xff\xff\xc0\0\x0b\x0c" + bytes(9)
    png = b"\x89PNG\r\n\x1a\n\0\0\0\x09pHYs" + struct.pack(">IIB", 11811, 3937, 1) + bytes(4)
    bmp = b"BM" + bytes(12) + struct.pack("<Iii12xii", 108, 7, -5, 11811, 3937) + bytes(60)
    for data in (jpeg, png, bmp):
        for length in range(len(data)):
            for read in (headers.unusual_jpeg, headers.jfif_resolution, headers.png_resolution):
                read(data[:length])
            bitmaps.bmp_header(data[:length])
    assert headers.unusual_jpeg(jpeg) == "12 bits per sample"
    assert headers.jfif_resolution(jpeg) == (300.0, 200.0)
    assert headers.png_resolution(png) == (300.0, 100.0)
    assert bitmaps.bmp_header(bmp) == (5, 7, (300.0, 100.0), False)


def test_densities_in_whole_pixels_per_meter_mean_whole_dots_per_inch():
    for dots in (72, 96, 100, 150, 300, 600, 1200, 2400, 4800):
        assert headers.per_inch(round(dots / 0.0254), 0.0254) == dots
    assert headers.per_inch(72.5, 1) == 72.5
