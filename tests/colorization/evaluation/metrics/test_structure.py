"""SSIM against scikit-image."""

import numpy as np
import pytest
from skimage import data
from skimage.metrics import structural_similarity

from colorization.evaluation.metrics.structure import ssim

PHOTO = data.chelsea()[40:140, 100:221]


def _noisy(amount, seed=0):
    noise = np.random.default_rng(seed).normal(0, amount, PHOTO.shape)
    return np.clip(PHOTO + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("other", [_noisy(3), _noisy(40), 255 - PHOTO, np.full_like(PHOTO, 90)])
def test_agrees_with_scikit_image(other):
    expected = structural_similarity(
        PHOTO,
        other,
        gaussian_weights=True,
        sigma=1.5,
        use_sample_covariance=False,
        channel_axis=-1,
        data_range=255,
    )
    assert ssim(PHOTO, other) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("level", [0, 128, 255])
def test_equal_pictures_score_one(level):
    assert ssim(PHOTO, PHOTO) == pytest.approx(1, abs=1e-7)
    flat = np.full((11, 11, 3), level, np.uint8)
    assert ssim(flat, flat) == 1


def test_pictures_smaller_than_a_window_are_refused():
    with pytest.raises(ValueError, match="at least 11 pixels.*10, 40"):
        ssim(PHOTO[:10, :40], PHOTO[:10, :40])
