"""How sure a figure over many photos is.

Statistics are float arrays of shape `(num_photos, num_statistics)`, a row for each photo; the
figures of a set are functions of their means over photos.
"""

import numpy as np

NUM_RESAMPLES = 1000
LEVEL = 0.95
SEED = 0
_AT_ONCE = 100


def bootstrap_samples(statistics, figure=lambda means: means):
    """Figures of photos drawn with replacement, `NUM_RESAMPLES` times.

    Equal numbers of photos are drawn alike, so that samples of two systems over the same photos
    can be subtracted.

    Args:
        statistics: Float array of shape `(num_photos, num_statistics)`. Infinite values are taken
            as they are: a mean with one of them is infinite.
        figure: Function from means, `(num_resamples, num_statistics)`, to figures,
            `(num_resamples, ...)`; default the means themselves.

    Returns:
        Float array of shape `(NUM_RESAMPLES, ...)`.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    statistics = np.asarray(statistics)
    random, infinite = np.random.default_rng(SEED), np.isinf(statistics)
    finite = np.where(infinite, 0, statistics) if infinite.any() else statistics
    num_photos, samples = len(statistics), []
    for _ in range(NUM_RESAMPLES // _AT_ONCE):
        weights = random.multinomial(num_photos, np.full(num_photos, 1 / num_photos), _AT_ONCE)
        weights = weights.astype(finite.dtype) / num_photos
        means = weights @ finite
        if infinite.any():
            means[weights @ infinite > 0] = np.inf
        samples.append(figure(means))
    return np.concatenate(samples)


def percentile_interval(samples):
    """Ends of the middle `LEVEL` of samples.

    Args:
        samples: Float array of shape `(num_samples, ...)`; may hold infinite values.

    Returns:
        Float array of shape `(2, ...)`.
    """
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    # An end that is one of the samples: between two there may be no number.
    return np.quantile(samples, ends, axis=0, method="inverted_cdf")


def bootstrap_interval(statistics, figure=lambda means: means):
    """The lower and the upper end of `bootstrap_samples`, of shape `(2, ...)`."""
    return percentile_interval(bootstrap_samples(statistics, figure))
