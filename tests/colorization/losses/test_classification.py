"""Cross-entropy of quantized chroma against an exhaustive NumPy formula."""

import numpy as np
import pytest
import scipy.special
import scipy.stats
import tensorflow as tf

from colorization.losses import quantized_crossentropy
from pipelines.color import bins

CENTERS = bins.bin_centers().astype(np.float64)
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.uniform(0.2, 5, len(CENTERS)).astype(np.float32)


def formula(ab, logits):
    """Weighted cross-entropy of one pixel, over all bins."""
    distances = np.hypot(*(CENTERS - ab).T)
    nearest = np.argsort(distances)[:10]
    shares = scipy.stats.norm.pdf(distances[nearest], scale=5)
    target = np.zeros(len(CENTERS))
    target[nearest] = shares / shares.sum()
    entropy = -np.sum(target * scipy.special.log_softmax(logits))
    return np.sum(target * WEIGHTS) * entropy


def colors(count):
    """Whole-numbered ab whose ten nearest bins are no matter of ties."""
    found = []
    while len(found) < count:
        ab = RANDOM.integers(-110, 111, 2)
        distances = np.sort(np.hypot(*(CENTERS - ab).T))
        if distances[10] - distances[9] > 1e-6:
            found.append(ab)
    return np.float32(found)


@pytest.fixture(scope="module")
def batch():
    ab = colors(2 * 3 * 4).reshape(2, 3, 4, 2)
    logits = RANDOM.normal(0, 3, (2, 3, 4, len(CENTERS))).astype(np.float32)
    return ab, logits


@pytest.mark.slow
def test_formula(batch):
    ab, logits = batch
    loss = quantized_crossentropy(WEIGHTS)(ab, logits)
    pixels = zip(ab.reshape(-1, 2), logits.reshape(-1, len(CENTERS)), strict=True)
    expected = np.reshape([formula(*pixel) for pixel in pixels], (2, 3, 4))
    assert loss.shape == (2, 3, 4) and loss.dtype == "float32"
    np.testing.assert_allclose(loss, expected, rtol=1e-4)


def test_the_target_is_averaged_over_four_by_four_pixels(batch):
    ab, logits = batch
    noise = RANDOM.normal(0, 8, (2, 3, 4, 4, 4, 2))
    noise -= noise.mean(axis=(2, 4), keepdims=True)
    fine = np.float32(ab[:, :, None, :, None] + noise).reshape(2, 12, 16, 2)
    loss = quantized_crossentropy(WEIGHTS)
    np.testing.assert_allclose(loss(fine, logits), loss(ab, logits), rtol=1e-4)


def test_without_weights_it_is_plain_crossentropy():
    # On a center, nearly all of the share is its own, and a sure answer costs what is left.
    ab = np.float32([[[[20, -10]]]])
    chosen = np.all(CENTERS == [20, -10], axis=-1)
    loss = quantized_crossentropy(np.ones(len(CENTERS)))
    row = bins.table_rows(ab[0, 0, 0])
    shares = bins.soft_encoding_table()[1][row]
    sure = loss(ab, np.where(chosen, 0.0, -5.0)[None, None, None])
    expected = 5 * (1 - shares.max()) + np.log1p((len(CENTERS) - 1) * np.exp(-5))
    np.testing.assert_allclose(sure[0, 0, 0], expected, rtol=1e-4)
    even = loss(ab, np.zeros((1, 1, 1, len(CENTERS)), np.float32))
    np.testing.assert_allclose(even[0, 0, 0], np.log(len(CENTERS)), rtol=1e-5)


@pytest.mark.parametrize("scale", [0, 3, 1e4])
def test_gradients_are_finite(batch, scale):
    ab, logits = batch
    logits = tf.constant(logits * scale)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        loss = quantized_crossentropy(WEIGHTS)(ab, logits)
    assert np.isfinite(loss).all()
    gradient = tape.gradient(loss, logits).numpy()
    assert np.isfinite(gradient).all() and np.any(gradient)
    # Shares of both sides sum to one, so that a pixel's gradient sums to zero.
    np.testing.assert_allclose(gradient.sum(axis=-1), 0, atol=1e-4)


def test_half_precision_is_widened(batch):
    ab, logits = batch
    loss = quantized_crossentropy(WEIGHTS)(ab, tf.cast(logits, "bfloat16"))
    assert loss.dtype == "float32"
    np.testing.assert_allclose(loss, quantized_crossentropy(WEIGHTS)(ab, logits), rtol=0.05)


def test_chroma_beyond_the_table_is_clipped():
    logits = RANDOM.normal(0, 3, (1, 1, 1, len(CENTERS))).astype(np.float32)
    loss = quantized_crossentropy(WEIGHTS)
    far, edge = (loss(np.float32([[[[a, 0]]]]), logits) for a in (500, 115))
    np.testing.assert_array_equal(far, edge)
