"""Distances of sets against SciPy and sums written out; intervals by what they should cover."""

import itertools

import numpy as np
import pytest
from scipy import linalg, stats

from colorization.evaluation.metrics import distances


def _features(seed, number, size=6):
    random = np.random.default_rng(seed)
    return random.normal(size=(number, size)) @ random.normal(size=(size, size)) + seed


def _frechet_by_scipy(x, y):
    one, two = np.cov(x, rowvar=False), np.cov(y, rowvar=False)
    root = linalg.sqrtm(one @ two).real
    return np.square(x.mean(0) - y.mean(0)).sum() + np.trace(one + two - 2 * root)


@pytest.mark.parametrize(("number", "other"), [(50, 50), (50, 30), (7, 9)])
def test_frechet_distance_agrees_with_scipy(number, other):
    x, y = _features(0, number), _features(1, other)
    assert distances.frechet_distance(x, y) == pytest.approx(_frechet_by_scipy(x, y), rel=1e-7)


def test_fewer_pictures_than_features_are_no_matter():
    # There SciPy's root is of a singular matrix: a set of as many dimensions as it spans instead.
    x, y = _features(0, 9, 4), _features(1, 9, 4)
    turn = linalg.qr(np.random.default_rng(2).normal(size=(20, 20)))[0][:4]
    expected = _frechet_by_scipy(x, y)
    assert distances.frechet_distance(x @ turn, y @ turn) == pytest.approx(expected, rel=1e-7)


def test_a_set_is_no_distance_from_itself():
    x = _features(0, 40)
    assert distances.frechet_distance(x, x) == pytest.approx(0, abs=1e-9)
    assert distances.kernel_distance(x, x) == 0
    np.testing.assert_array_equal(distances.kernel_samples(x, x, 10, 0), 0)


def _kernel_by_hand(x, y):
    def kernel(a, b):
        return (np.dot(a, b) / len(a) + 1) ** 3

    pairs = itertools.permutations(range(len(x)), 2)
    return np.mean(
        [
            kernel(x[i], x[j]) + kernel(y[i], y[j]) - kernel(x[i], y[j]) - kernel(x[j], y[i])
            for i, j in pairs
        ]
    )


def test_kernel_distance_is_the_mean_over_pairs_of_photos():
    x, y = _features(0, 12), _features(1, 12)
    assert distances.kernel_distance(x, y) == pytest.approx(_kernel_by_hand(x, y))


def test_kernel_distance_of_many_photos_is_the_mean_over_blocks(monkeypatch):
    monkeypatch.setattr(distances, "MAX_BLOCK", 10)
    x, y = _features(0, 21), _features(1, 21)
    expected = np.mean([_kernel_by_hand(x[part], y[part]) for part in np.split(np.arange(21), 3)])
    assert distances.kernel_distance(x, y) == pytest.approx(expected)


def test_kernel_distance_of_one_distribution_is_zero_on_average():
    random = np.random.default_rng(0)
    found = [distances.kernel_distance(*random.normal(size=(2, 30, 4))) for _ in range(400)]
    assert np.mean(found) == pytest.approx(0, abs=3 * np.std(found) / 20)


def test_kernel_samples_are_those_of_the_drawn_photos():
    x, y = _features(0, 5), _features(1, 5)
    drawn = np.random.default_rng(7).multinomial(5, np.full(5, 0.2), 3)
    for sample, counts in zip(distances.kernel_samples(x, y, 3, 7), drawn, strict=True):
        rows = np.repeat(np.arange(5), counts)
        pairs = [(i, j) for i in rows for j in rows if i != j]
        expected = np.mean([_kernel_by_hand(x[[i, j]], y[[i, j]]) for i, j in pairs])
        assert sample == pytest.approx(expected)


def test_the_order_of_photos_changes_nothing():
    x, y = _features(0, 30), _features(1, 30)
    order = np.random.default_rng(0).permutation(30)
    for distance in (distances.frechet_distance, distances.kernel_distance):
        assert distance(x[order], y[order]) == pytest.approx(distance(x, y), rel=1e-9)


def test_the_frechet_interval_holds_the_figure_and_narrows_with_more_photos():
    widths = []
    for number in (40, 400):
        x, y = _features(0, number), _features(1, number)
        low, high = distances.frechet_interval(x, y)
        assert low <= distances.frechet_distance(x, y) <= high
        widths.append(high - low)
    assert widths[1] < widths[0] / 2


def test_the_kernel_interval_covers_the_true_distance_as_often_as_it_says():
    random, hits = np.random.default_rng(0), 0
    # Of normal distributions a shift apart, the mean over many sets is the true distance.
    shift = np.array([1.0, 0, 0])
    sets = [(random.normal(size=(60, 3)), random.normal(size=(60, 3)) + shift) for _ in range(150)]
    true = np.mean([distances.kernel_distance(*pair) for pair in sets])
    for x, y in sets:
        samples = distances.kernel_samples(x, y, 200, 0)
        low, high = distances.percentile_interval(samples)
        hits += low <= true <= high
    assert 0.85 < hits / len(sets) <= 1


def test_agrees_with_scipy():
    values = np.random.default_rng(0).gamma(2, size=(80, 2))
    found = distances.bootstrap_interval(values)
    for column in range(2):
        expected = stats.bootstrap(
            (values[:, column],), np.mean, n_resamples=5000, method="percentile", rng=1
        ).confidence_interval
        np.testing.assert_allclose(found[:, column], expected, rtol=0.03)


def test_covers_the_true_mean_as_often_as_it_says():
    values = np.random.default_rng(0).normal(size=(40, 400))
    low, high = distances.bootstrap_interval(values)
    assert ((low <= 0) & (high >= 0)).mean() == pytest.approx(0.95, abs=0.03)


def test_takes_functions_of_means():
    values = np.random.default_rng(0).uniform(1, 2, (50, 2))
    ratio = distances.bootstrap_interval(values, lambda means: means[:, 0] / means[:, 1])
    assert ratio.shape == (2,) and ratio[0] < 1 < ratio[1]


def test_infinite_values_stay_infinite():
    values = np.full((20, 2), np.inf)
    values[:, 1] = np.arange(20)
    values[0, 1] = np.inf
    low, high = distances.bootstrap_interval(values)
    assert low[0] == high[0] == high[1] == np.inf and np.isfinite(low[1])


def test_equal_columns_of_equal_photos_are_drawn_alike():
    values = np.random.default_rng(0).normal(size=(30, 7)).astype(np.float32)
    one, again = (distances.bootstrap_samples(values) for _ in range(2))
    np.testing.assert_array_equal(one, again)
