"""Variants in NumPy are those of the graph."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.inference import drawing, variants
from pipelines.color import bins


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (2**31 - 1, 99)])
def test_bits_are_those_of_tensorflow(key):
    expected = tf.random.stateless_uniform([21], key, None, None, tf.uint32).numpy()
    np.testing.assert_array_equal(drawing.uniform_bits(key, 21), expected)


@pytest.mark.parametrize(("seed", "count"), [(0, 1), (0, 5), (7, 3)])
def test_draws_are_those_of_the_graph(seed, count):
    random = np.random.default_rng(seed)
    lightness = random.uniform(0, 100, (12, 20, 1)).astype(np.float32)
    # Beliefs that hang together in places, as a network's do.
    logits = np.repeat(random.normal(0, 3, (3, 20, len(bins.bin_centers()))), 4, axis=0)
    logits = logits.astype(np.float32)
    expected = variants.sample(lightness, logits, 0.5, tf.constant(seed), tf.constant(count))
    found = drawing.sample(lightness, logits, 0.5, seed, count)
    assert found.dtype == np.float32
    # Sums in another order; a color is one of 10 units.
    np.testing.assert_allclose(found, expected, atol=0.1)


@pytest.mark.parametrize("spread", [0.5, 3, 9])
def test_likely_colors_are_those_of_the_graph(spread):
    logits = np.random.default_rng(0).normal(0, spread, len(bins.bin_centers())).astype(np.float32)
    found = drawing.likely_colors(drawing.softmax(logits))
    for one, other in zip(found, variants.likely_colors(tf.nn.softmax(logits)), strict=True):
        assert one.dtype == np.float32
        np.testing.assert_allclose(one, other, atol=1e-3)
