"""Fidelity against scikit-image, published pairs and plain formulas."""

import numpy as np
import pytest
from skimage import data
from skimage.color import deltaE_ciede2000
from skimage.metrics import structural_similarity

from colorization.evaluation.metrics import fidelity
from colorization.evaluation.metrics.fidelity import ciede2000, ssim

PHOTO = data.chelsea()[40:140, 100:221]

# Sharma, Wu, Dalal 2005, table 1: two colors and their difference.
PUBLISHED = np.array(
    [
        (50.0000, 2.6772, -79.7751, 50.0000, 0.0000, -82.7485, 2.0425),
        (50.0000, 3.1571, -77.2803, 50.0000, 0.0000, -82.7485, 2.8615),
        (50.0000, 2.8361, -74.0200, 50.0000, 0.0000, -82.7485, 3.4412),
        (50.0000, -1.3802, -84.2814, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -1.1848, -84.8006, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, -0.9009, -85.5211, 50.0000, 0.0000, -82.7485, 1.0000),
        (50.0000, 0.0000, 0.0000, 50.0000, -1.0000, 2.0000, 2.3669),
        (50.0000, -1.0000, 2.0000, 50.0000, 0.0000, 0.0000, 2.3669),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0009, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0010, 7.1792),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0011, 7.2195),
        (50.0000, 2.4900, -0.0010, 50.0000, -2.4900, 0.0012, 7.2195),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0009, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0010, -2.4900, 4.8045),
        (50.0000, -0.0010, 2.4900, 50.0000, 0.0011, -2.4900, 4.7461),
        (50.0000, 2.5000, 0.0000, 50.0000, 0.0000, -2.5000, 4.3065),
        (50.0000, 2.5000, 0.0000, 73.0000, 25.0000, -18.0000, 27.1492),
        (50.0000, 2.5000, 0.0000, 61.0000, -5.0000, 29.0000, 22.8977),
        (50.0000, 2.5000, 0.0000, 56.0000, -27.0000, -3.0000, 31.9030),
        (50.0000, 2.5000, 0.0000, 58.0000, 24.0000, 15.0000, 19.4535),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.1736, 0.5854, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2972, 0.0000, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 1.8634, 0.5757, 1.0000),
        (50.0000, 2.5000, 0.0000, 50.0000, 3.2592, 0.3350, 1.0000),
        (60.2574, -34.0099, 36.2677, 60.4626, -34.1751, 39.4387, 1.2644),
        (63.0109, -31.0961, -5.8663, 62.8187, -29.7946, -4.0864, 1.2630),
        (61.2901, 3.7196, -5.3901, 61.4292, 2.2480, -4.9620, 1.8731),
        (35.0831, -44.1164, 3.7933, 35.0232, -40.0716, 1.5901, 1.8645),
        (22.7233, 20.0904, -46.6940, 23.0331, 14.9730, -42.5619, 2.0373),
        (36.4612, 47.8580, 18.3852, 36.2715, 50.5065, 21.2231, 1.4146),
        (90.8027, -2.0831, 1.4410, 91.1528, -1.6435, 0.0447, 1.4441),
        (90.9257, -0.5406, -0.9208, 88.6381, -0.8985, -0.7239, 1.5381),
        (6.7747, -0.2908, -2.4247, 5.8714, -0.0985, -2.2286, 0.6377),
        (2.0776, 0.0795, -1.1350, 0.9033, -0.0636, -0.5514, 0.9082),
    ]
)


def _noisy(amount, seed=0):
    noise = np.random.default_rng(seed).normal(0, amount, PHOTO.shape)
    return np.clip(PHOTO + noise, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("other", [_noisy(3), _noisy(40), 255 - PHOTO, np.full_like(PHOTO, 90)])
def test_ssim_agrees_with_scikit_image(other):
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
def test_ssim_of_equal_pictures_is_one(level):
    assert ssim(PHOTO, PHOTO) == pytest.approx(1, abs=1e-7)
    flat = np.full((11, 11, 3), level, np.uint8)
    assert ssim(flat, flat) == 1


def test_ssim_refuses_pictures_smaller_than_a_window():
    with pytest.raises(ValueError, match="at least 11 pixels.*10, 40"):
        ssim(PHOTO[:10, :40], PHOTO[:10, :40])


@pytest.mark.parametrize("swapped", [False, True])
def test_the_34_published_pairs(swapped):
    assert len(PUBLISHED) == 34
    one, two = PUBLISHED[:, :3], PUBLISHED[:, 3:6]
    found = ciede2000(two, one) if swapped else ciede2000(one, two)
    np.testing.assert_allclose(found, PUBLISHED[:, 6], atol=6e-5)


@pytest.mark.parametrize(("precision", "tolerance"), [(np.float64, 1e-10), (np.float32, 1e-4)])
def test_ciede2000_agrees_with_scikit_image(precision, tolerance):
    random = np.random.default_rng(0)
    one, two = random.uniform((0, -90, -110), (100, 100, 95), (2, 60, 70, 3))
    two[:5, :, 1:] = 0
    found = ciede2000(one.astype(precision), two.astype(precision))
    assert found.dtype == precision
    np.testing.assert_allclose(found, deltaE_ciede2000(one, two), atol=tolerance)


def test_equal_colors_have_none():
    lab = np.random.default_rng(0).uniform((0, -90, -90), (100, 90, 90), (50, 3))
    assert not ciede2000(lab, lab).any()
    assert ciede2000(np.zeros(3), np.zeros(3)) == 0


def test_auc_is_the_area_under_the_cumulative_curve():
    error = np.random.default_rng(0).gamma(2, 40, 500)
    assert (error > 150).any()
    steps = np.linspace(0, 150, 15_001)
    curve = [(error <= step).mean() for step in steps]
    area = 100 * np.trapezoid(curve, steps) / 150
    assert fidelity.auc(error).mean() == pytest.approx(area, abs=0.01)
