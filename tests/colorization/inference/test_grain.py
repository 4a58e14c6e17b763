"""Grain in what the network sees: measured, smoothed, and left alone where there is none."""

import cv2
import numpy as np
import pytest
import skimage.data

from colorization.inference import working_size

RNG = np.random.default_rng(0)
PHOTO = cv2.resize(skimage.data.camera(), (256, 192), interpolation=cv2.INTER_AREA) / np.float32(
    2.55
)


def grainy(deviation):
    plane = PHOTO + RNG.normal(0, deviation, PHOTO.shape)
    return np.clip(plane, 0, 100).astype(np.float32)


@pytest.mark.parametrize("deviation", [2, 4, 8])
def test_grain_is_measured_in_units_of_lightness(deviation):
    plane = 50 + RNG.normal(0, deviation, PHOTO.shape).astype(np.float32)
    # The plainest fifth of the blocks has a little less than the whole.
    assert 0.8 * deviation < working_size.measure(plane) < deviation
    assert working_size.measure(PHOTO) < 0.7


@pytest.mark.parametrize("deviation", [2, 4])
def test_grain_is_less_and_edges_stay(deviation):
    seen = grainy(deviation)
    smoothed = working_size.smooth(seen[None, ..., None])[0, ..., 0]
    assert smoothed.dtype == np.float32
    errors = [np.sqrt(((plane - PHOTO) ** 2).mean()) for plane in (seen, smoothed)]
    assert errors[1] < 0.8 * errors[0]
    steps = [np.percentile(np.abs(np.diff(plane)), 99.5) for plane in (PHOTO, smoothed)]
    assert steps[1] > 0.8 * steps[0]


@pytest.mark.parametrize("name", ["photo", "plain", "dots", "tiny"])
def test_what_has_no_grain_is_left_to_the_bit(name):
    dots = RNG.integers(0, 2, PHOTO.shape).astype(np.float32) * 100
    planes = {"photo": PHOTO, "plain": np.full_like(PHOTO, 50), "dots": dots, "tiny": dots[:9, :9]}
    lightness = planes[name][None, ..., None]
    np.testing.assert_array_equal(working_size.smooth(lightness), lightness)
