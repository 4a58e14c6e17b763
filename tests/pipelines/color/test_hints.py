"""Training hints: how many, of what color, and that a share of a batch gets the batch's own."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.color import codecs, hints

SIZE = 32
BATCH = 400


@pytest.fixture(scope="module")
def truth():
    random = np.random.default_rng(0)
    # Each picture of one color: whatever is painted on it must be that color.
    colors = random.uniform(-60, 60, (BATCH, 1, 1, 2)).astype(np.float32)
    return np.broadcast_to(colors, (BATCH, SIZE, SIZE, 2))


@pytest.fixture(scope="module")
def drawn(truth):
    ab, mask = hints.draw_hints(truth, tf.constant([1, 7], tf.int64))
    return ab.numpy(), mask.numpy()


def ways(mask):
    """Which pictures got no hints, and which got most of their colors."""
    share = mask.mean(axis=(1, 2, 3))
    return share == 0, share > 0.15


def test_shapes_and_masks(drawn):
    ab, mask = drawn
    assert ab.shape == (BATCH, SIZE, SIZE, 2) and mask.shape == (BATCH, SIZE, SIZE, 1)
    assert set(np.unique(mask)) == {0, 1}
    assert np.all(ab[mask[..., 0] == 0] == 0)


def test_most_pictures_get_no_hints(drawn):
    without, _ = ways(drawn[1])
    assert without.mean() == pytest.approx(hints.NONE_SHARE, abs=0.08)


def test_points_have_the_true_color(truth):
    ab, mask = (part.numpy() for part in hints.draw_hints(truth, tf.constant([1, 8], tf.int64)))
    distance = np.abs(ab - truth)[mask[..., 0] > 0]
    # Those of a film are off; points are exact.
    assert np.median(distance) < 8
    few = (mask.mean(axis=(1, 2, 3)) < 0.02) & (mask.max(axis=(1, 2, 3)) > 0)
    np.testing.assert_allclose((ab - truth * mask)[few], 0, atol=1e-3)


def test_a_picture_gets_the_same_hints_in_a_share_of_the_batch():
    # Of many colors, so that it shows where a hint's color comes from.
    truth = np.random.default_rng(1).uniform(-60, 60, (BATCH, SIZE, SIZE, 2)).astype(np.float32)
    seed, half = tf.constant([1, 7], tf.int64), BATCH // 2
    whole_ab, whole_mask = hints.draw_hints(truth, seed)
    ab, mask = hints.draw_hints(truth[half:], seed, shard=(1, 2))
    np.testing.assert_array_equal(mask, whole_mask[half:])
    np.testing.assert_allclose(ab, whole_ab[half:], atol=1e-4)


@pytest.mark.parametrize("chosen", [0.0, 1.0])
def test_no_picture_of_a_batch_or_every_one_may_get_hints(truth, chosen, monkeypatch):
    monkeypatch.setattr(hints, "NONE_SHARE", 1 - chosen)
    monkeypatch.setattr(hints, "FILM_SHARE", 0.0)
    _, mask = hints.draw_hints(truth, tf.constant([1, 7], tf.int64))
    assert np.all(np.any(mask, axis=(1, 2, 3)) == bool(chosen))


def test_the_seed_decides(truth, drawn):
    again = hints.draw_hints(truth, tf.constant([1, 7], tf.int64))
    other = hints.draw_hints(truth, tf.constant([1, 9], tf.int64))
    np.testing.assert_array_equal(again[1], drawn[1])
    assert np.any(other[1] != drawn[1])


@pytest.mark.slow
def test_graph_gives_what_eager_does(truth, drawn):
    ab, mask = tf.function(hints.draw_hints)(truth, tf.constant([1, 7], tf.int64))
    np.testing.assert_array_equal(mask, drawn[1])
    np.testing.assert_allclose(ab, drawn[0], atol=1e-4)


def test_the_codec_carries_hints():
    codec = codecs.CODECS["hinted_ab"]
    rgb = np.random.default_rng(0).uniform(0, 1, (2, 8, 8, 3)).astype(np.float32)
    condition, target = codec.encode(rgb)
    assert condition.shape == (2, 8, 8, codec.condition_channels) == (2, 8, 8, 4)
    np.testing.assert_array_equal(condition[..., 1:], 0)
    hinted = codec.hint(condition, target, np.ones((2, 8, 8, 1), np.float32))
    np.testing.assert_allclose(hinted[..., 1:3] * codecs.HINT_SCALE, target, atol=1e-4)
    np.testing.assert_array_equal(codec.lightness(hinted), codec.lightness(condition))
