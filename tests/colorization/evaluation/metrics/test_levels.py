"""Metrics against second implementations and by hand."""

import numpy as np
import pytest
from skimage.metrics import peak_signal_noise_ratio

from colorization.evaluation.metrics import levels


def _picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_psnr_agrees_with_scikit_image():
    expected = peak_signal_noise_ratio(_picture(0), _picture(1), data_range=255)
    assert levels.psnr(_picture(0), _picture(1)) == pytest.approx(expected, rel=1e-9)


def test_psnr_of_equal_pictures_is_infinite():
    assert levels.psnr(_picture(0), _picture(0)) == np.inf


@pytest.mark.parametrize("measure", [levels.colorfulness, levels.colorfulness_absolute])
def test_gray_has_no_colorfulness(measure):
    assert measure(np.repeat(_picture(0)[..., :1], 3, axis=-1)) == 0


@pytest.mark.parametrize("measure", [levels.colorfulness, levels.colorfulness_absolute])
def test_colorfulness_of_one_color_is_its_mean(measure):
    # Red: R - G = 255, (R + G) / 2 - B = 127.5, no spread.
    red = np.zeros((4, 4, 3), np.uint8)
    red[..., 0] = 255
    assert measure(red) == pytest.approx(0.3 * np.sqrt(255**2 + 127.5**2))


def _half_red_half_cyan():
    picture = np.zeros((2, 2, 3), np.uint8)
    picture[0] = 255, 0, 0
    picture[1] = 0, 255, 255
    return picture


def test_colorfulness_is_signed():
    # The means cancel, and the spread is that of the two colors.
    spread = np.hypot(255, 127.5)
    assert levels.colorfulness(_half_red_half_cyan()) == pytest.approx(spread)


def test_absolute_colorfulness_is_not():
    # Both halves have the same absolute opponents: no spread, and a mean.
    mean = 0.3 * np.hypot(255, 127.5)
    assert levels.colorfulness_absolute(_half_red_half_cyan()) == pytest.approx(mean)


def test_colorfulness_is_the_published_formula():
    red, green, blue = np.moveaxis(_picture(3).astype(float), -1, 0)
    rg, yb = red - green, 0.5 * (red + green) - blue
    for measure, (one, two) in {
        levels.colorfulness: (rg, yb),
        levels.colorfulness_absolute: (abs(rg), abs(yb)),
    }.items():
        expected = np.sqrt(one.std() ** 2 + two.std() ** 2)
        expected += 0.3 * np.sqrt(one.mean() ** 2 + two.mean() ** 2)
        assert measure(_picture(3)) == pytest.approx(expected)
