"""Errors of chroma against NumPy's plain formulas, and Zhang's curve drawn out."""

import numpy as np
import pytest

from colorization.evaluation.metrics import chroma_closeness


def _lab(seed, size=(30, 40)):
    return np.random.default_rng(seed).uniform((0, -80, -80), (100, 80, 80), (*size, 3))


def test_ab_error_is_the_distance_in_ab_alone():
    truth, picture = _lab(0), _lab(1)
    expected = np.linalg.norm(truth[..., 1:] - picture[..., 1:], axis=-1)
    np.testing.assert_allclose(chroma_closeness.ab_error(truth, picture), expected)


def test_closeness_is_the_area_under_the_cumulative_curve():
    error = np.random.default_rng(0).gamma(2, 40, 500)
    assert (error > 150).any()
    steps = np.linspace(0, 150, 15_001)
    curve = [(error <= step).mean() for step in steps]
    area = 100 * np.trapezoid(curve, steps) / 150
    assert chroma_closeness.closeness(error).mean() == pytest.approx(area, abs=0.01)


def test_balanced_auc_weighs_pixels_by_the_rarity_of_their_color():
    truths, pictures = [_lab(0), _lab(1, (20, 10))], [_lab(2), _lab(3, (20, 10))]
    errors = [chroma_closeness.ab_error(*pair) for pair in zip(truths, pictures, strict=True)]
    spread = np.mean(
        [
            chroma_closeness.spread_colors(chroma_closeness.closeness_by_color(truth, error))
            for truth, error in zip(truths, errors, strict=True)
        ],
        axis=0,
        dtype=np.float64,
    )
    # By pixel: every picture weighs the same, every cell of side 10 the inverse of its frequency.
    cells = np.concatenate([np.round(t[..., 1:] / 10).reshape(-1, 2) for t in truths])
    shares = np.concatenate([np.full(e.size, 0.5 / e.size) for e in errors])
    near = np.concatenate([1 - np.minimum(e, 150).ravel() / 150 for e in errors])
    _, inverse = np.unique(cells, axis=0, return_inverse=True)
    inverse = inverse.ravel()
    weights = shares / np.bincount(inverse, shares)[inverse]
    expected = 100 * (weights * near).sum() / weights.sum()
    assert chroma_closeness.balanced_auc(spread, spread) == pytest.approx(expected, rel=1e-5)


def test_balanced_auc_keeps_the_weights_of_the_whole_set_for_a_part_of_it():
    by_color = [
        np.array([[0, 1], [0.5, 0.5], [50, 25]], np.float32),
        np.array([[0], [1], [80]], np.float32),
    ]
    spread = np.stack([chroma_closeness.spread_colors(one) for one in by_color])
    whole = spread.mean(axis=0)
    found = chroma_closeness.balanced_auc(np.stack([whole, spread[0]]), whole)
    # Cells are seen by 3/4 and 1/4 of the pixels; their closeness is 65/0.75 and 12.5/0.25.
    assert found[0] == pytest.approx((65 / 0.75 + 12.5 / 0.25) / 2)
    assert found[1] == pytest.approx((50 / 0.75 + 25 / 0.25) / (0.5 / 0.75 + 0.5 / 0.25))


def test_lightness_drift_is_the_mean_difference_of_lightness_alone():
    truth, picture = _lab(0), _lab(1)
    expected = np.abs(truth[..., 0] - picture[..., 0]).mean()
    assert chroma_closeness.lightness_drift(truth, picture) == pytest.approx(expected)
    picture[..., 0] = truth[..., 0]
    assert chroma_closeness.lightness_drift(truth, picture) == 0
