"""Images of Pillow in every mode, against what Pillow's own conversion and Little CMS make."""

import io

import numpy as np
import PIL.Image
import PIL.ImageCms
import pytest

from pipelines.photos import photo_files
from pipelines.photos.photo import eight_bits

ROWS, COLUMNS = np.mgrid[:40, :60]
PICTURE = np.stack([ROWS * 5, COLUMNS * 4, ROWS + COLUMNS], axis=-1).astype(np.uint8)
IMAGE = PIL.Image.fromarray(PICTURE)
GRAY = np.asarray(IMAGE.convert("L"))


def lab():
    profiles = [PIL.ImageCms.createProfile(name) for name in ("sRGB", "LAB")]
    transform = PIL.ImageCms.buildTransform(*profiles, "RGB", "LAB")
    return PIL.ImageCms.applyTransform(IMAGE, transform)


IMAGES = {
    "1": IMAGE.convert("1"),
    "La": IMAGE.convert("LA").convert("La"),
    "PA": IMAGE.convert("P").convert("PA"),
    "RGBa": IMAGE.convert("RGBA").convert("RGBa"),
    **{mode: IMAGE.convert(mode) for mode in ("L", "LA", "P", "RGB", "RGBA", "RGBX", "YCbCr")},
    "HSV": IMAGE.convert("HSV"),
}


@pytest.mark.parametrize("mode", IMAGES)
def test_modes_of_eight_bits_are_what_pillow_makes_of_them(mode):
    photo = photo_files.to_photo(IMAGES[mode])
    opaque = IMAGES[mode].convert("LA") if mode == "La" else IMAGES[mode]
    np.testing.assert_array_equal(photo.rgb, np.asarray(opaque.convert("RGB")))
    assert (photo.alpha is not None) == (mode in ("La", "LA", "PA", "RGBa", "RGBA"))


def test_lab_is_what_it_was_made_of():
    off = np.abs(photo_files.to_photo(lab()).rgb.astype(int) - PICTURE)
    assert off.mean() < 0.7 and off.max() < 16


def test_cmyk_is_read_as_from_a_file():
    rgb = photo_files.to_photo(PIL.Image.new("CMYK", (2, 2), (0, 0, 0, 0))).rgb
    assert rgb.min() > 250
    red = photo_files.to_photo(PIL.Image.new("CMYK", (2, 2), (0, 255, 255, 0))).rgb[0, 0]
    assert red[0] > 200 and red[1:].max() < 80


@pytest.mark.parametrize("white", [1, 255, 65_535])
def test_floating_point_levels_of_any_white(white):
    photo = photo_files.to_photo(PIL.Image.fromarray(GRAY / np.float32(255 / white)))
    assert photo.rgb.dtype == np.uint16
    np.testing.assert_array_equal(eight_bits(photo.rgb)[..., 0], GRAY)


def test_sixteen_bits_stay_sixteen():
    photo = photo_files.to_photo(PIL.Image.fromarray(GRAY * np.uint16(257)))
    np.testing.assert_array_equal(photo.rgb[..., 1], GRAY * np.uint16(257))


def test_a_palette_with_a_clear_color_is_transparent():
    image = IMAGE.convert("P")
    image.info["transparency"] = image.getpixel((0, 0))
    photo = photo_files.to_photo(image)
    assert photo.alpha[0, 0] == 0 and photo.alpha.max() == 255


def test_the_photo_stands_the_way_exif_says():
    file, exif = io.BytesIO(), PIL.Image.Exif()
    exif[0x112] = 6
    IMAGE.save(file, "PNG", exif=exif)
    photo = photo_files.to_photo(PIL.Image.open(file))
    np.testing.assert_array_equal(photo.rgb, np.rot90(PICTURE, -1))


def test_whole_numbers_are_scaled_by_what_is_in_them():
    gray = IMAGE.convert("L")
    photo = photo_files.to_photo(gray.convert("I"))
    shares = photo.rgb / np.iinfo(photo.rgb.dtype).max
    np.testing.assert_allclose(shares, np.dstack([gray] * 3) / 255, atol=1 / 255)


def test_what_is_no_image_is_told_apart():
    assert photo_files.is_image(IMAGE)
    assert not photo_files.is_image(PICTURE) and not photo_files.is_image("a.png")
