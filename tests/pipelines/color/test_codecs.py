"""Codecs: published scalings as literal numbers, and the way there and back."""

import numpy as np
import pytest
import tensorflow as tf

from pipelines.color import bins, codecs, spaces

RED = np.float32([[[[1, 0, 0]]]])
# What each system's document makes of pure red: L* 53.24, a* 80.09, b* 67.20, luma 0.299.
PUBLISHED = {
    "lab": (53.24 / 50 - 1, [80.09 / 110, 67.20 / 110]),
    "lab_offset": (53.24 / 255, [(80.09 + 128) / 255, (67.20 + 128) / 255]),
    "gray_offset": (0.299, [(80.09 + 128) / 255, (67.20 + 128) / 255]),
    "gray_ab": (0.299, [80.09 / 128, 67.20 / 128]),
    "gray_rgb": (2 * 0.299 - 1, [1, -1, -1]),
    "lab_128": (53.24 / 128, [80.09 / 128, 67.20 / 128]),
    "lightness_rgb": (0.5324, [1, -1, -1]),
    "quantized_ab": (53.24 / 50 - 1, [80.09, 67.20]),
    "hinted_ab": (53.24 / 50 - 1, [80.09, 67.20]),
}
CODECS = codecs.CODECS
QUANTIZED = CODECS["quantized_ab"]
PREDICT_BINS = {"quantized_ab", "hinted_ab"}
# Luma is not lightness: these recombine another gray than the picture's own.
GRAY_TO_AB = ("gray_offset", "gray_ab")


@pytest.fixture(scope="module")
def rgb():
    return tf.constant(np.random.default_rng(0).random((2, 8, 12, 3), np.float32))


def test_every_codec_is_published():
    assert PUBLISHED.keys() == CODECS.keys()


@pytest.mark.parametrize("name", CODECS)
def test_published_scalings(name):
    condition, target = CODECS[name].encode(RED)
    expected_condition, expected_target = PUBLISHED[name]
    np.testing.assert_allclose(condition[0, 0, 0, :1], [expected_condition], atol=2e-4)
    np.testing.assert_allclose(
        target[0, 0, 0], expected_target, atol=5e-3 if name in PREDICT_BINS else 2e-4
    )
    if name not in PREDICT_BINS:
        assert CODECS[name].num_outputs == len(expected_target)


@pytest.mark.parametrize("name", sorted(CODECS.keys() - {*PREDICT_BINS, *GRAY_TO_AB}))
def test_decode_inverts_encode(name, rgb):
    codec = CODECS[name]
    np.testing.assert_allclose(codec.decode(*codec.encode(rgb)), rgb, atol=5e-5)
    levels = tf.cast(tf.round(rgb * 255), tf.uint8)
    restored = codec.decode(*codec.encode(levels)).numpy()
    np.testing.assert_array_equal(np.round(restored * 255), levels)


def test_quantized_decode_inverts_encode_at_bin_centers():
    lab = np.insert(bins.bin_centers(), 0, 60, axis=-1)
    rgb = spaces.lab_to_rgb(lab).numpy()
    inside = np.flatnonzero((rgb >= 0).all(axis=-1) & (rgb <= 1).all(axis=-1))
    assert len(inside) > 50
    rgb = tf.constant(rgb[inside][None, None])
    condition, target = QUANTIZED.encode(rgb)
    np.testing.assert_allclose(target[0, 0], lab[inside, 1:], atol=1e-2)
    shares = np.eye(QUANTIZED.num_outputs, dtype=np.float32)[inside]
    logits = np.log(0.999 * shares + 1e-9)[None, None]
    np.testing.assert_allclose(QUANTIZED.decode(condition, logits), rgb, atol=1e-3)


@pytest.mark.parametrize("name", GRAY_TO_AB)
def test_gray_codecs_keep_chroma_and_recombine_gray(name, rgb):
    codec = CODECS[name]
    condition, target = codec.encode(rgb)
    np.testing.assert_allclose(codec.ab(target), spaces.rgb_to_lab(rgb)[..., 1:], atol=1e-3)
    gray = tf.repeat(spaces.rgb_to_luma(rgb), 3, axis=-1)
    expected = spaces.rgb_to_lab(gray)[..., :1]
    np.testing.assert_allclose(codec.lightness(condition), expected, atol=1e-3)
    # A gray picture's luma is its gray, so that it comes back whole.
    np.testing.assert_allclose(codec.decode(*codec.encode(gray)), gray, atol=1e-3)


@pytest.mark.parametrize("name", CODECS)
def test_lightness_and_ab_in_natural_units(name, rgb):
    codec = CODECS[name]
    condition, target = codec.encode(rgb)
    lab = spaces.rgb_to_lab(rgb)
    if codec.condition == "lightness":
        np.testing.assert_allclose(codec.lightness(condition), lab[..., :1], atol=1e-3)
    if name not in PREDICT_BINS:
        np.testing.assert_allclose(codec.ab(target), lab[..., 1:], atol=2e-3)


@pytest.mark.parametrize("name", [n for n in CODECS if CODECS[n].target == "ab"])
def test_smaller_chroma_is_enlarged(name):
    codec = CODECS[name]
    # One hue at many lightnesses, and a quarter of its chroma's pixels.
    lab = np.zeros((1, 8, 8, 3), np.float32) + [0, 20, -10]
    lab[..., 0] = np.linspace(40, 70, 64).reshape(8, 8)
    condition, target = codec.encode(spaces.lab_to_rgb(np.float32(lab)))
    if name in PREDICT_BINS:
        is_color = np.all(bins.bin_centers() == [20, -10], axis=-1)
        target = np.broadcast_to(np.where(is_color, 50.0, 0.0), (1, 8, 8, codec.num_outputs))
    large, small = (codec.decode(condition, part) for part in (target, target[:, ::2, ::2]))
    assert small.shape == (1, 8, 8, 3)
    np.testing.assert_allclose(small, large, atol=1e-4)


@pytest.mark.parametrize("name", [n for n in CODECS if CODECS[n].target == "ab"])
def test_a_true_picture_is_as_coarse_as_the_prediction_beside_it(name):
    codec = CODECS[name]
    # Stripes of two chromas, whose mean is a bin.
    lab = np.zeros((1, 8, 8, 3), np.float32) + [60, 20, -10]
    lab[:, :, ::2, 1:] += [4, 2]
    lab[:, :, 1::2, 1:] -= [4, 2]
    condition, target = codec.encode(spaces.lab_to_rgb(lab))
    if name in PREDICT_BINS:
        is_color = np.all(bins.bin_centers() == [20, -10], axis=-1)
        prediction = np.broadcast_to(np.where(is_color, 50.0, 0.0), (1, 2, 2, codec.num_outputs))
    else:
        prediction = tf.nn.avg_pool2d(target, 4, 4, "VALID")
    true, predicted = codec.pictures(condition, target, prediction)
    np.testing.assert_allclose(true, predicted, atol=2e-3)
    np.testing.assert_allclose(spaces.rgb_to_lab(true)[..., 1:], [[[[20, -10]] * 8] * 8], atol=1)


@pytest.mark.parametrize("name", [n for n in CODECS if CODECS[n].target == "rgb"])
def test_of_rgb_the_true_picture_is_the_target(name, rgb):
    codec = CODECS[name]
    condition, target = codec.encode(rgb)
    true, predicted = codec.pictures(condition, target, 0 * target)
    np.testing.assert_allclose(true, rgb, atol=1e-5)
    np.testing.assert_allclose(predicted, codec.decode(condition, 0 * target), atol=1e-6)


@pytest.mark.parametrize("name", CODECS)
def test_wild_predictions_decode_into_range(name):
    codec = CODECS[name]
    random = np.random.default_rng(1)
    condition = codec.encode(random.random((2, 4, 4, 3), np.float32))[0]
    prediction = random.normal(0, 100, (2, 4, 4, codec.num_outputs)).astype(np.float32)
    rgb = codec.decode(condition, prediction).numpy()
    assert np.isfinite(rgb).all() and rgb.min() >= 0 and rgb.max() <= 1


@pytest.mark.slow
@pytest.mark.parametrize("name", CODECS)
def test_tf_data_equals_eager(name, rgb):
    codec = CODECS[name]
    eager = codec.encode(rgb)
    mapped = next(iter(tf.data.Dataset.from_tensors(rgb).map(codec.encode)))
    for part, expected in zip(mapped, eager, strict=True):
        np.testing.assert_allclose(part, expected, atol=2e-4)


@pytest.mark.parametrize("name", CODECS)
def test_batch_of_two_is_two_of_one(name, rgb):
    codec = CODECS[name]
    condition, _ = codec.encode(rgb)
    random = np.random.default_rng(2)
    prediction = random.normal(0, 0.2, (2, 8, 12, codec.num_outputs)).astype(np.float32)
    together = codec.decode(condition, prediction)
    alone = [codec.decode(condition[i : i + 1], prediction[i : i + 1])[0] for i in range(2)]
    np.testing.assert_allclose(together, np.stack(alone), atol=1e-5)
