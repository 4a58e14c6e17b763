"""Quantized chroma: the ab plane cut into the square bins that sRGB colors fall into.

Law of the file: chroma is `(..., 2)` in CIE units, a then b; `num_bins` counts the bins.

Source: Zhang, Isola, Efros, "Colorful Image Colorization", ECCV 2016, sections 2.1 to 2.3. Its
313 bins include cells that no sRGB color reaches; these are left out here.
"""

import functools

import numpy as np

from pipelines.color import arrays

STEP = 10
NUM_NEAREST = 10
SIGMA = 5.0
REACH = 115  # The table below covers |a|, |b| up to this; sRGB ends at 108.


@functools.cache
def bin_centers():
    """Centers of the ab cells of side `STEP` that hold at least one sRGB color.

    They are read-only float32 of shape `(num_bins, 2)`, ordered by a, then b.
    """
    # A line of constant ab leaves the solid of all colors through its surface, so that the six
    # faces of the RGB cube reach every cell that the cube reaches.
    ramp = np.arange(256, dtype=np.uint8)
    first, second = (side.ravel() for side in np.meshgrid(ramp, ramp))
    faces = [
        np.roll(np.stack([np.full_like(first, level), first, second], axis=-1), axis, axis=-1)
        for level in (0, 255)
        for axis in range(3)
    ]
    ab = arrays.rgb_to_lab(np.concatenate(faces) / 255)[:, 1:]
    centers = np.unique(np.round(ab / STEP).astype(np.int32), axis=0) * STEP
    return _frozen(centers.astype(np.float32))


@functools.cache
def soft_encoding_table():
    """Soft assignment of every whole-numbered ab to its nearest bins.

    Eight-bit pictures hold chroma to about one unit, so a table of whole numbers loses nothing and
    turns the search for neighbors into one look-up. Returns a pair of read-only arrays with `(2 *
    REACH + 1) ** 2` rows, a-major, and `NUM_NEAREST` columns: int32 bin indices, and float32
    weights proportional to a Gaussian of width `SIGMA` of the distance, each row summing to 1.
    """
    ramp = np.arange(-REACH, REACH + 1, dtype=np.float32)
    points = np.stack(np.meshgrid(ramp, ramp, indexing="ij"), axis=-1).reshape(-1, 1, 2)
    squares = np.square(points - bin_centers()).sum(axis=-1)
    nearest = np.argpartition(squares, NUM_NEAREST, axis=-1)[:, :NUM_NEAREST].astype(np.int32)
    exponent = np.take_along_axis(squares, nearest, axis=-1) / (-2 * SIGMA**2)
    weights = np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return _frozen(nearest), _frozen(weights.astype(np.float32))


def measure_prior(lab_batches):
    """Measures how often each bin occurs in batches of Lab, of shape `(..., 3)`.

    Returns float64 of shape `(num_bins,)` that sums to 1.
    """
    indices, weights = soft_encoding_table()
    num_bins = len(bin_centers())
    counts = np.zeros(num_bins)
    for lab in lab_batches:
        rows = table_rows(np.asarray(lab)[..., 1:]).ravel()
        hits = np.bincount(rows, minlength=len(indices))
        used = np.flatnonzero(hits)
        shares = weights[used] * hits[used, None]
        counts += np.bincount(indices[used].ravel(), shares.ravel(), minlength=num_bins)
    return counts / counts.sum()


def table_rows(ab):
    """Row of `soft_encoding_table` for each ab of a NumPy array of shape `(..., 2)`."""
    a, b = np.moveaxis(np.clip(np.round(ab), -REACH, REACH).astype(np.int64) + REACH, -1, 0)
    return a * (2 * REACH + 1) + b


def class_weights(prior, uniform_share=0.5):
    """Weights that make rare colors count, from how often they occur.

    `prior` is of shape `(num_bins,)` and sums to 1. `uniform_share` of the uniform distribution is
    mixed into it, in `[0, 1]`: at 1 all weights are 1, at 0 a color weighs as much as it is rare.
    Returns float32 of shape `(num_bins,)` whose mean under the prior is 1.
    """
    prior = np.asarray(prior, np.float64)
    mixed = (1 - uniform_share) * prior + uniform_share / len(prior)
    # A color that never occurs, and gets no share, is never a target either.
    weights = np.divide(1, mixed, out=np.zeros_like(mixed), where=mixed > 0)
    return (weights / np.sum(prior * weights)).astype(np.float32)


def tilt(balance):
    """Logits that make some colors likelier than a network says, of shape `(num_bins,)`.

    `balance` is what the logarithm of a color's odds gains for every 100 units of its a*, of its
    b*, and of its chroma: three numbers. Where the network is sure, they change little.
    """
    ab = bin_centers()
    ways = np.concatenate([ab, np.linalg.norm(ab, axis=-1, keepdims=True)], axis=-1)
    return ways @ np.asarray(balance, np.float32) / 100


def annealed_mean(logits, temperature):
    """Takes one color from a distribution over bins: between its mean and its mode.

    Of logits of shape `(..., num_bins)` it returns ab, `(..., 2)`. The temperature is in `(0, 1]`:
    1 gives the mean (dull), toward 0 the mode (vivid, patchy).
    """
    # Whoever only colors photos does without.
    import tensorflow as tf

    probabilities = tf.nn.softmax(tf.cast(logits, tf.float32) / temperature)
    return tf.tensordot(probabilities, tf.constant(bin_centers()), axes=1)


def _frozen(array):
    array.setflags(write=False)
    return array
