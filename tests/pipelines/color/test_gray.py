"""What is gray, and what is only toned."""

import numpy as np
import pytest
import skimage
import tensorflow as tf

from pipelines.color import gray as rules


@pytest.mark.parametrize(
    "num_off, spread, gray", [(0, 0, True), (1, 11, True), (2, 11, False), (1000, 10, True)]
)
def test_is_gray_allows_a_thousandth_off(num_off, spread, gray):
    picture = np.full((50, 20, 3), 100, np.uint8)
    picture.reshape(1000, 3)[:num_off, 0] += spread
    assert bool(rules.is_gray(picture)) == gray
    mapped = tf.data.Dataset.from_tensors(picture).map(rules.is_gray)
    assert next(mapped.as_numpy_iterator()) == gray


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_bilevel_is_black_and_white_without_a_gray_pixel(dtype):
    white = np.iinfo(dtype).max
    dots = np.repeat((np.indices((70, 90)).sum(0) % 2 * white).astype(dtype)[..., None], 3, -1)
    assert rules.is_bilevel(dots)
    dots[1, 1] = white // 2
    assert not rules.is_bilevel(dots)
    assert not rules.is_bilevel(np.full_like(dots, white))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_toned_print_has_no_colors(dtype):
    scale = np.iinfo(dtype).max // 255
    photo = skimage.data.astronaut()
    print_ = rules.to_gray(photo)
    sepia = np.clip(print_ * [1.0, 0.9, 0.7] + 9, 0, 255).astype(np.uint8)
    found = [rules.has_colors(rgb.astype(dtype) * scale) for rgb in (photo, print_, sepia)]
    assert found == [True, False, False]
    # But there is something to learn in it: it is not gray.
    assert not rules.is_gray(sepia) and rules.is_gray(print_)


def test_gray_keeps_lightness_and_has_no_colors(monkeypatch):
    rgb = np.random.default_rng(0).integers(0, 256, (40, 30, 3), dtype=np.uint8)
    gray = rules.to_gray(rgb)
    assert (gray == gray[..., :1]).all()
    lab, expected = skimage.color.rgb2lab(gray), skimage.color.rgb2lab(rgb)
    np.testing.assert_allclose(lab[..., 0], expected[..., 0], atol=0.3)
    np.testing.assert_array_equal(rules.to_gray(gray), gray)
    monkeypatch.setattr(rules, "_STRIP_PIXELS", 100)
    np.testing.assert_array_equal(rules.to_gray(rgb), gray)
    wide = rules.to_gray(rgb.astype(np.uint16) * 257)
    assert wide.dtype == np.uint16
    np.testing.assert_allclose(wide / 257, gray, atol=0.51)
