"""Tints: gray pictures in one tint are told from pictures in color."""

import cv2
import numpy as np
import pytest
import skimage.color
import skimage.data

from colorization.auditing.inspection import measure_tints

PHOTOS = ("astronaut", "chelsea", "coffee", "rocket")


def load(name):
    photo = getattr(skimage.data, name)()
    return cv2.resize(photo, (213, 160), interpolation=cv2.INTER_AREA)


def sepia(photo):
    matrix = [[0.393, 0.769, 0.189], [0.349, 0.686, 0.168], [0.272, 0.534, 0.131]]
    return np.clip(photo @ np.transpose(matrix), 0, 255).astype(np.uint8)


def yellowed(photo):
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None]
    return (gray * [1.0, 0.95, 0.85]).astype(np.uint8)


def cyanotype(photo):
    gray = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)[..., None] / 255
    return (255 * ((1 - gray) * [0.05, 0.15, 0.35] + gray * [0.95, 0.97, 1.0])).astype(np.uint8)


def measured(picture, quality=80):
    stored = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    small = cv2.resize(cv2.imdecode(stored, 1), (32, 32), interpolation=cv2.INTER_AREA)
    return measure_tints(skimage.color.rgb2lab(small[..., ::-1])[None])


@pytest.mark.parametrize("tone", [sepia, yellowed, cyanotype])
def test_a_toned_photo_is_in_one_tint(tone):
    tints = measured(tone(load("coffee" if tone is cyanotype else "chelsea")))
    assert tints.is_tinted[0] and tints.aligned[0] > 0.95


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photo_in_color_is_not(name):
    assert not measured(load(name)).is_tinted[0]


def test_a_toned_photo_with_one_colored_thing_is_not():
    picture = sepia(load("chelsea"))
    picture[60:110, 60:110] = (0, 160, 40)
    assert not measured(picture).is_tinted[0]


def test_a_thing_before_a_wall_of_its_own_hue_is_not():
    # Two tones alone, as on a photograph of a beige shirt, prove nothing.
    picture = np.full((160, 213, 3), (180, 140, 110), np.uint8)
    picture[40:120, 60:150] = (225, 190, 160)
    assert not measured(picture).is_tinted[0]


def test_figures_are_those_of_their_formulas():
    lab = np.random.default_rng(0).uniform((0, -30, 20), (100, 60, 70), (2, 32, 32, 3))
    tints = measure_tints(lab)
    a, b = lab[..., 1], lab[..., 2]
    np.testing.assert_allclose(tints.chroma, np.hypot(a, b).mean(axis=(1, 2)))
    means = a.mean(axis=(1, 2)), b.mean(axis=(1, 2))
    np.testing.assert_allclose(tints.aligned, np.hypot(*means) / tints.chroma)
    np.testing.assert_allclose(tints.hue, np.degrees(np.arctan2(*means[::-1])))
    shares = np.histogram(lab[0, ..., 0], 25, (0, 100))[0] / 1024
    np.testing.assert_allclose(tints.tones[0], np.exp(-(shares * np.log(shares)).sum()))


def test_a_function_of_lightness_is_off_by_nothing():
    # Two units of L* to a level, so that a level holds one lightness.
    lightness = np.random.default_rng(0).integers(0, 50, (1, 32, 32)) * 2.0 + 1
    lab = np.stack([lightness, np.full_like(lightness, 5), np.full_like(lightness, 9)], axis=-1)
    assert measure_tints(lab).off[0] < 1e-9


def test_pictures_are_measured_apart():
    random = np.random.default_rng(0)
    lab = random.uniform((0, -30, 20), (100, 60, 70), (3, 32, 32, 3))
    together, alone = measure_tints(lab), measure_tints(lab[1:2])
    np.testing.assert_allclose(together.off[1:2], alone.off)
    np.testing.assert_allclose(together.tones[1:2], alone.tones)
