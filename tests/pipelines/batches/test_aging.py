"""Aged prints: the target stays, the gray changes, and clean crops keep their own lightness."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.batches import augment
from pipelines.color import codecs, spaces

SIZE = 32


def noise():
    return np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), np.uint8)


def aged(number, share=1.0, picture=None):
    picture = noise() if picture is None else picture
    seeds = tf.data.Dataset.range(number).map(
        lambda index: augment.age(picture, tf.stack([tf.int64.max, index]), share)
    )
    return next(seeds.batch(number).as_numpy_iterator())


@pytest.mark.slow
def test_the_seed_decides():
    np.testing.assert_array_equal(aged(8), aged(8))
    assert len(np.unique(aged(8)[..., 3].reshape(8, -1), axis=0)) == 8


def test_a_clean_crop_has_the_lightness_of_its_picture():
    gray = aged(1, share=0.0)[0, ..., 3]
    expected = spaces.rgb_to_lightness(noise()).numpy()[..., 0]
    np.testing.assert_allclose(spaces.gray_to_lightness()[gray], expected, atol=0.3)


def test_the_picture_is_kept_except_under_a_border():
    results = aged(60)
    kept = (results[..., :3] == noise()).all(axis=-1)
    # A border is a frame of whole rows and columns.
    inner = slice(SIZE // 8, -SIZE // 8)
    assert kept[:, inner, inner].all()
    bordered = ~kept.all(axis=(1, 2))
    assert 0 < bordered.mean() < 0.3
    edge = results[bordered][:, 0]
    np.testing.assert_array_equal(edge[..., :3], np.repeat(edge[..., 3:], 3, axis=-1))


@pytest.mark.slow
def test_other_film_sees_red_as_dark():
    red = np.broadcast_to(np.uint8([200, 20, 20]), (SIZE, SIZE, 3))
    own = aged(1, share=0.0, picture=red)[0, ..., 3].mean()
    others = aged(60, picture=red)[..., 3].mean(axis=(1, 2))
    assert np.mean(others < own - 20) > 0.15


def test_the_codec_takes_the_gray_level_as_its_condition():
    both = np.concatenate([noise(), np.full((SIZE, SIZE, 1), 119, np.uint8)], axis=-1)
    for name, expected in (("hinted_ab", spaces.gray_to_lightness()[119]), ("gray_ab", 119 / 255)):
        codec = codecs.CODECS[name]
        condition, target = codec.encode(both[None])
        seen = codec.condition_scaling.invert(condition[..., :1])
        np.testing.assert_allclose(seen, expected, rtol=1e-5)
        np.testing.assert_array_equal(target, codec.encode(noise()[None])[1])
