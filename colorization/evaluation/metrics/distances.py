"""How far apart two sets of pictures are, by the features that a network sees in them; intervals.

Features are float arrays of shape `(num_pictures, num_features)`. Row `i` of both sets belongs to
the same photo. The order of photos does not matter beyond the rounding of 64 bits, except for the
blocks of `kernel_distance`.

Statistics, of which intervals are taken, are float arrays of shape `(num_photos, num_statistics)`;
the figures of a set are functions of their means over photos.
"""

import numpy as np

DEGREE = 3
MAX_BLOCK = 1000
NUM_GROUPS = 10
# The 97.5 % quantile of Student's t with 9 degrees of freedom.
_STUDENT = 2.262
NUM_RESAMPLES = 1000
LEVEL = 0.95
SEED = 0
_AT_ONCE = 100


def frechet_distance(features, other):
    """Frechet distance of the normal distributions that have the sets' means and covariances.

    Biased upward, the more so the fewer the pictures; compare only sets of one size, of at least 2.
    Returns the squared distance, as FID is.

    Source: Heusel et al., "GANs trained by a two time-scale update rule", 2017.
    """
    (mean_1, factor_1), (mean_2, factor_2) = _moments(features), _moments(other)
    # The trace of the root of the covariances' product is the nuclear norm of the product of their
    # factors. The root itself would be singular with fewer pictures than features.
    mixed = np.linalg.svd(factor_1 @ factor_2.T, compute_uv=False).sum()
    traces = np.square(factor_1).sum() + np.square(factor_2).sum()
    return float(max(0.0, np.square(mean_1 - mean_2).sum() + traces - 2 * mixed))


def frechet_interval(features, other):
    """95 % interval of `frechet_distance` over at least 20 photos: its lower and its upper end.

    A tenth of the photos is left out in turn. The bootstrap would lie above the figure, since its
    samples hold fewer different photos.

    Source: the delete-a-group jackknife; Shao and Tu, "The Jackknife and Bootstrap", 1995.
    """
    value = frechet_distance(features, other)
    kept = [np.arange(len(features)) % NUM_GROUPS != group for group in range(NUM_GROUPS)]
    left = np.array([frechet_distance(features[rows], other[rows]) for rows in kept])
    error = np.sqrt((NUM_GROUPS - 1) * np.mean(np.square(left - left.mean())))
    return max(0.0, value - _STUDENT * error), value + _STUDENT * error


def kernel_distance(features, other):
    """Kernel distance (KID): squared maximum mean discrepancy under a cubic polynomial kernel.

    Unbiased: the mean of `k(x, x') + k(y, y') - k(x, y') - k(x', y)` over pairs of different
    photos, at least 2, so that a set is exactly 0 from itself. More than `MAX_BLOCK` photos are cut
    into blocks of consecutive rows, whose distances are averaged.

    Sources: Binkowski et al., "Demystifying MMD GANs", 2018 (kernel `(x.y / d + 1) ** 3`); Gretton
    et al., "A kernel two-sample test", 2012, lemma 6 (the U-statistic over pairs).
    """
    blocks = [_differences(x, y) for x, y in _blocks(features, other)]
    return float(np.mean([block.sum() / (len(block) * (len(block) - 1)) for block in blocks]))


def kernel_samples(features, other, num_resamples, seed):
    """`kernel_distance` of photos drawn with replacement, `(num_resamples,)`, for an interval."""
    random, total = np.random.default_rng(seed), 0
    blocks = list(_blocks(features, other))
    for x, y in blocks:
        weights = random.multinomial(len(x), np.full(len(x), 1 / len(x)), num_resamples)
        sums = np.einsum("bn,bn->b", weights @ _differences(x, y), weights)
        total = total + sums / np.maximum(len(x) ** 2 - np.square(weights).sum(axis=1), 1)
    return total / len(blocks)


def _moments(features):
    """Mean, and a factor of at most `d` rows whose square is the covariance."""
    features = np.asarray(features, np.float64)
    mean = features.mean(axis=0)
    factor = (features - mean) / np.sqrt(len(features) - 1)
    if len(factor) > factor.shape[1]:
        factor = np.linalg.qr(factor, mode="r")
    return mean, factor


def _blocks(features, other):
    number = -(-len(features) // MAX_BLOCK)
    pairs = zip(np.array_split(features, number), np.array_split(other, number), strict=True)
    return ((np.asarray(x, np.float64), np.asarray(y, np.float64)) for x, y in pairs)


def _differences(x, y):
    """What each pair of photos adds to the distance; a photo with itself nothing."""
    mixed = _kernel(x, y)
    pairs = _kernel(x, x) + _kernel(y, y) - mixed - mixed.T
    np.fill_diagonal(pairs, 0)
    return pairs


def _kernel(x, y):
    return (x @ y.T / x.shape[1] + 1) ** DEGREE


def bootstrap_samples(statistics, figure=lambda means: means):
    """Figures of photos drawn with replacement, floats of shape `(NUM_RESAMPLES, ...)`.

    Equal numbers of photos are drawn alike, so that samples of two systems over the same photos can
    be subtracted. A mean with an infinite value is infinite. `figure` is a function from means,
    `(num_resamples, num_statistics)`, to figures, `(num_resamples, ...)`.

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
    """Ends of the middle `LEVEL` of samples, `(num_samples, ...)`, maybe infinite: `(2, ...)`."""
    ends = (1 - LEVEL) / 2, (1 + LEVEL) / 2
    # An end that is one of the samples: between two there may be no number.
    return np.quantile(samples, ends, axis=0, method="inverted_cdf")


def bootstrap_interval(statistics, figure=lambda means: means):
    """The lower and the upper end of `bootstrap_samples`, of shape `(2, ...)`."""
    return percentile_interval(bootstrap_samples(statistics, figure))
