"""Bootstrap intervals: against SciPy's, and by how often they are right."""

import numpy as np
import pytest
from scipy import stats

from colorization.evaluation.metrics import distances


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
