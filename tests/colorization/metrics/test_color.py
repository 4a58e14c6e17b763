"""Metrics against second implementations and by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from colorization.metrics import color


def _picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_psnr_agrees_with_scikit_image():
    expected = peak_signal_noise_ratio(_picture(0), _picture(1), data_range=255)
    assert color.psnr(_picture(0), _picture(1)) == pytest.approx(expected, rel=1e-9)


def test_psnr_of_equal_pictures_is_infinite():
    assert color.psnr(_picture(0), _picture(0)) == np.inf


def test_gray_has_no_colorfulness():
    assert color.colorfulness(np.repeat(_picture(0)[..., :1], 3, axis=-1)) == 0


def test_colorfulness_of_one_color_is_its_mean():
    # Red: R - G = 255, (R + G) / 2 - B = 127.5, no spread.
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert color.colorfulness(red) == pytest.approx(0.3 * np.sqrt(255**2 + 127.5**2))


def test_colorfulness_is_signed():
    # Half red, half cyan: the signed means cancel in R - G but not in yellow-blue.
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0] = 255, 0, 0
    picture[1] = 0, 255, 255
    opponents = np.array([[255.0, 127.5], [-255.0, -127.5]])
    spread = np.sqrt((opponents.std(axis=0) ** 2).sum())
    assert color.colorfulness(picture) == pytest.approx(spread)
