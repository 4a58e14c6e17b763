import numpy as np
import pytest

from colorization.evaluation.metrics import chroma_closeness, hues
from pipelines.color.spaces import rgb_to_lab


def spread(truth, picture):
    error = chroma_closeness.ab_error(truth, picture)
    return chroma_closeness.spread_colors(chroma_closeness.closeness_by_color(truth, error))


@pytest.mark.parametrize(
    ("rgb", "hue"),
    [
        ((255, 0, 0), "red"),
        ((255, 255, 0), "yellow"),
        ((0, 255, 0), "green"),
        ((0, 0, 255), "blue"),
        ((128, 128, 128), "gray"),
        ((255, 165, 0), "yellow"),
        ((0, 255, 255), "green"),
        ((135, 206, 235), "blue"),
        ((224, 172, 150), "red"),
        ((34, 139, 34), "green"),
        ((210, 180, 140), "yellow"),
        ((250, 240, 240), "gray"),
    ],
)
def test_colors_are_called_as_people_would(rgb, hue):
    lab = rgb_to_lab(np.full((2, 2, 3), rgb, np.uint8)).numpy()
    found = hues.shares(spread(lab, lab))
    assert hues.HUES[int(found.argmax())] == hue and found.max() == pytest.approx(1)


def test_errors_are_means_over_the_pixels_of_a_hue():
    random = np.random.default_rng(0)
    # In the middles of cells, which makes cells and pixels of a hue the same.
    truth = np.zeros((40, 50, 3))
    truth[..., 1:] = 10 * random.integers(-6, 7, (40, 50, 2))
    picture = truth + random.normal(0, 9, truth.shape)
    found = spread(truth, picture)
    degrees = np.degrees(np.arctan2(truth[..., 2], truth[..., 1])) % 360
    is_gray = np.hypot(truth[..., 1], truth[..., 2]) < 15
    error = np.hypot(*np.moveaxis(truth - picture, -1, 0)[1:])
    expected = [
        error[~is_gray & ((degrees - start) % 360 < width)].mean()
        for start, width in ((330, 90), (60, 70), (130, 85), (215, 115))
    ]
    np.testing.assert_allclose(hues.errors(found), [*expected, error[is_gray].mean()], rtol=1e-5)
    assert hues.shares(found).sum() == pytest.approx(1)


def test_means_of_several_pictures_weigh_pixels():
    red, green = (np.full((4, 4, 3), lab, float) for lab in ((50, 80, 60), (50, -80, 60)))
    means = np.mean([spread(red, red), spread(green, green * 0), spread(red, red + 8)], axis=0)
    np.testing.assert_allclose(hues.shares(means), [2 / 3, 0, 1 / 3, 0, 0], rtol=1e-5)
    found = hues.errors(means)
    np.testing.assert_allclose(found[[0, 2]], [np.sqrt(128) / 2, 100], rtol=1e-4)
    assert np.isnan(found[[1, 3, 4]]).all()
    np.testing.assert_array_equal(hues.errors(np.stack([means, means])), [found, found])
