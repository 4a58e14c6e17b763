import cv2
import numpy as np
import pytest

from pipelines.photos.photo import Photo
from pipelines.photos.photo_files import count_pixels, write_photo, write_picture

RGB = np.zeros((6, 8, 3), np.uint8)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp", "avif", "bmp", "ppm"])
def test_a_header_tells_the_pixels(tmp_path, suffix):
    path = tmp_path / f"photo.{suffix}"
    if suffix in ("bmp", "ppm"):
        cv2.imwrite(str(path), RGB)
    else:
        write_picture(path, RGB)
    assert count_pixels(path) == 48


def test_jpeg_2000_tells_its_own(tmp_path):
    cv2.imwrite(str(tmp_path / "photo.jp2"), np.zeros((40, 60, 3), np.uint8))
    assert count_pixels(tmp_path / "photo.jp2") == 2400


def test_pages_are_counted_together(tmp_path):
    write_photo(tmp_path / "pages.tif", [Photo(RGB), Photo(RGB[:3])])
    assert count_pixels(tmp_path / "pages.tif") == 72


def test_a_torn_header_counts_as_its_bytes_and_what_is_no_picture_as_nothing(tmp_path):
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n, and no more")
    assert count_pixels(tmp_path / "torn.png") == 21
    (tmp_path / "text.png").write_text("text")
    assert count_pixels(tmp_path / "text.png") == count_pixels(tmp_path / "none.png") == 0
