"""Colorfulness by the published formula; errors by true color against plain NumPy."""

import functools

import numpy as np
import pytest

from colorization.evaluation.metrics import colors, fidelity
from pipelines.color.spaces import rgb_to_lab

ABSOLUTE = functools.partial(colors.colorfulness, absolute=True)


def _picture(seed):
    return np.random.default_rng(seed).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_colorfulness_is_the_published_formula():
    red, green, blue = np.moveaxis(_picture(3).astype(float), -1, 0)
    rg, yb = red - green, 0.5 * (red + green) - blue
    for measure, (one, two) in {
        colors.colorfulness: (rg, yb),
        ABSOLUTE: (abs(rg), abs(yb)),
    }.items():
        expected = np.sqrt(one.std() ** 2 + two.std() ** 2)
        expected += 0.3 * np.sqrt(one.mean() ** 2 + two.mean() ** 2)
        assert measure(_picture(3)) == pytest.approx(expected)


def _lab(seed, size=(30, 40)):
    return np.random.default_rng(seed).uniform((0, -80, -80), (100, 80, 80), (*size, 3))


def spread(*pairs):
    """Cells of pairs of a truth and a picture, a row for each."""
    errors = [fidelity.ab_error(*pair) for pair in pairs]
    return colors.lay_out(
        [colors.count_cells(pair[0], error) for pair, error in zip(pairs, errors, strict=True)]
    )


def test_balanced_auc_weighs_pixels_by_the_rarity_of_their_color():
    truths, pictures = [_lab(0), _lab(1, (20, 10))], [_lab(2), _lab(3, (20, 10))]
    errors = [fidelity.ab_error(*pair) for pair in zip(truths, pictures, strict=True)]
    found = spread(*zip(truths, pictures, strict=True)).mean(axis=0, dtype=np.float64)
    # By pixel: every picture weighs the same, every cell of side 10 the inverse of its frequency.
    cells = np.concatenate([np.round(t[..., 1:] / 10).reshape(-1, 2) for t in truths])
    shares = np.concatenate([np.full(e.size, 0.5 / e.size) for e in errors])
    near = np.concatenate([1 - np.minimum(e, 150).ravel() / 150 for e in errors])
    _, inverse = np.unique(cells, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    weights = shares / np.bincount(inverse, shares)[inverse]
    expected = 100 * (weights * near).sum() / weights.sum()
    assert colors.balanced_auc(found, found) == pytest.approx(expected, rel=1e-5)


def test_balanced_auc_keeps_the_weights_of_the_whole_set_for_a_part_of_it():
    by_color = [
        np.array([[0, 1], [0.5, 0.5], [50, 25]], np.float32),
        np.array([[0], [1], [80]], np.float32),
    ]
    cells = colors.lay_out(by_color)
    whole = cells.mean(axis=0)
    found = colors.balanced_auc(np.stack([whole, cells[0]]), whole)
    # Cells are seen by 3/4 and 1/4 of the pixels; their closeness is 65/0.75 and 12.5/0.25.
    assert found[0] == pytest.approx((65 / 0.75 + 12.5 / 0.25) / 2)
    assert found[1] == pytest.approx((50 / 0.75 + 25 / 0.25) / (0.5 / 0.75 + 0.5 / 0.25))


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
    found = colors.hue_shares(spread((lab, lab)))[0]
    assert colors.HUES[int(found.argmax())] == hue and found.max() == pytest.approx(1)


def test_errors_are_means_over_the_pixels_of_a_hue():
    random = np.random.default_rng(0)
    # In the middles of cells, which makes cells and pixels of a hue the same.
    truth = np.zeros((40, 50, 3))
    truth[..., 1:] = 10 * random.integers(-6, 7, (40, 50, 2))
    picture = truth + random.normal(0, 9, truth.shape)
    (found,) = spread((truth, picture))
    degrees = np.degrees(np.arctan2(truth[..., 2], truth[..., 1])) % 360
    is_gray = np.hypot(truth[..., 1], truth[..., 2]) < 15
    error = np.hypot(*np.moveaxis(truth - picture, -1, 0)[1:])
    expected = [
        error[~is_gray & ((degrees - start) % 360 < width)].mean()
        for start, width in ((330, 90), (60, 70), (130, 85), (215, 115))
    ]
    np.testing.assert_allclose(
        colors.hue_errors(found), [*expected, error[is_gray].mean()], rtol=1e-5
    )
    assert colors.hue_shares(found).sum() == pytest.approx(1)


def test_means_of_several_pictures_weigh_pixels():
    red, green = (np.full((4, 4, 3), lab, float) for lab in ((50, 80, 60), (50, -80, 60)))
    means = spread((red, red), (green, green * 0), (red, red + 8)).mean(axis=0)
    np.testing.assert_allclose(colors.hue_shares(means), [2 / 3, 0, 1 / 3, 0, 0], rtol=1e-5)
    found = colors.hue_errors(means)
    np.testing.assert_allclose(found[[0, 2]], [np.sqrt(128) / 2, 100], rtol=1e-4)
    assert np.isnan(found[[1, 3, 4]]).all()
    np.testing.assert_array_equal(colors.hue_errors(np.stack([means, means])), [found, found])
