import numpy as np
import pytest
import tensorflow as tf

from colorization.inference import variants
from pipelines.color import bins

RED, BLUE, GREEN = (40, 20), (10, -40), (-40, 30)


def logits_of(*choices):
    """Logits that believe in a few colors alike, and hardly in any other."""
    centers = bins.bin_centers()
    logits = np.full(len(centers), -20.0, np.float32)
    for choice in choices:
        logits[np.abs(centers - choice).sum(axis=1).argmin()] = 0
    return logits


def two_things():
    """A light thing on the left, red or blue, and a dark one on the right, green for sure."""
    lightness = np.full((16, 16, 1), 80, np.float32)
    lightness[:, 8:] = 30
    logits = np.empty((16, 16, len(bins.bin_centers())), np.float32)
    logits[:, :8] = logits_of(RED, BLUE)
    logits[:, 8:] = logits_of(GREEN)
    return lightness, logits


@pytest.fixture(scope="module")
def drawn():
    return tf.function(variants.sample)(*two_things(), 0.5, tf.constant(0), tf.constant(6)).numpy()


def test_a_thing_gets_one_color_that_the_network_believes_in(drawn):
    means = drawn[1:, :, :8].mean(axis=(1, 2))
    spreads = drawn[1:, :, :8].std(axis=(1, 2))
    assert spreads.max() < 8
    distance = np.minimum(*(np.linalg.norm(means - color, axis=-1) for color in (RED, BLUE)))
    assert distance.max() < 12


def test_both_choices_are_drawn(drawn):
    assert {tuple(np.sign(ab)) for ab in drawn[1:, 8, 4] - np.mean([RED, BLUE], axis=0)} == {
        (1, 1),
        (-1, -1),
    }


def test_what_is_certain_stays(drawn):
    np.testing.assert_allclose(
        drawn[:, :, 10:], np.broadcast_to(GREEN, (len(drawn), 16, 6, 2)), atol=1
    )


def test_no_two_are_alike(drawn):
    for index, one in enumerate(drawn):
        for other in drawn[index + 1 :]:
            distance = np.linalg.norm(one - other, axis=-1).mean()
            assert distance >= variants.MIN_DISTANCE


def test_without_a_choice_there_is_one():
    lightness, logits = two_things()
    logits[:, :8] = logits_of(RED)
    drawn = variants.sample(lightness, logits, 0.5, tf.constant(0), tf.constant(6))
    assert len(drawn) == 1


def test_more_may_be_asked_for_than_there_are(drawn):
    assert 2 <= len(drawn) <= 6


def test_likely_colors_are_the_modes_with_the_shares_around_them():
    centers = bins.bin_centers()
    probabilities = np.zeros(len(centers), np.float32)
    for ab, share in (((60, 40), 0.45), ((60, 50), 0.15), ((-30, 30), 0.3), ((0, 0), 0.1)):
        probabilities[np.flatnonzero((centers == ab).all(axis=-1))] = share
    ab, shares = variants.likely_colors(tf.constant(probabilities))
    np.testing.assert_allclose(shares[:3], [0.6, 0.3, 0.1], atol=1e-6)
    np.testing.assert_allclose(shares[3:], 0, atol=1e-6)
    np.testing.assert_allclose(ab[:3], [(60, 42.5), (-30, 30), (0, 0)], atol=1e-3)
