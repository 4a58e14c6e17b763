"""Augmentation: where crops lie, what jitter leaves alone, and that graphs give what eager does."""

import cv2
import numpy as np
import pytest
import tensorflow as tf

from pipelines.batches import augment, decoding
from pipelines.color import codecs

SIZE = 16
NUM_DRAWS = 400


def coordinates(height=240, width=240):
    """A picture whose red is the column, and whose green is the row."""
    rows, columns = np.mgrid[:height, :width]
    return np.uint8(np.stack([columns, rows, np.full_like(rows, 128)], axis=-1))


def noise(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def png(picture):
    return tf.io.encode_png(picture)


def jpeg(picture):
    return tf.io.encode_jpeg(picture, quality=100, chroma_downsampling=False)


def crops(picture, smallest_area, flip=False, encode=png):
    """Many crops of one picture, each with a seed of its own."""
    picture = encode(picture)
    seeds = tf.data.Dataset.range(NUM_DRAWS).map(
        lambda index: augment.random_resized_crop(
            picture, tf.stack([tf.int64.max, index]), SIZE, smallest_area, flip
        )
    )
    return next(seeds.batch(NUM_DRAWS).as_numpy_iterator())


def windows(found):
    """Height and width of the windows that crops of `coordinates` were cut from."""
    first, last = found[:, 0, 0].astype(float), found[:, -1, -1].astype(float)
    spans = (last - first) * SIZE / (SIZE - 1)
    return spans[:, 1], spans[:, 0]


def test_one_seed_gives_one_crop():
    picture = png(noise(40, 50, 3))
    one, again, other = (
        augment.random_resized_crop(picture, seed, SIZE, 0.3, True)
        for seed in ([3, 4], [3, 4], [3, 5])
    )
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)
    assert one.dtype == tf.uint8 and one.shape == (SIZE, SIZE, 3)


@pytest.mark.slow
@pytest.mark.parametrize("smallest_area", [0.1, 0.3, 0.7])
def test_crops_of_a_square_cover_the_area_asked_for(smallest_area):
    height, width = windows(crops(coordinates(), smallest_area))
    share = height * width / 240**2
    assert share.min() > smallest_area - 0.03 and share.max() < 1.03
    # The area is drawn evenly; what is cut off at the borders takes a little from the largest.
    assert abs(np.median(share) - (1 + smallest_area) / 2) < 0.07
    ratio = height / width
    assert ratio.min() > 0.7 and ratio.max() < 1.43
    assert ratio.min() < 0.8 and ratio.max() > 1.25


@pytest.mark.parametrize("shape", [(240, 60), (60, 240)])
def test_crops_of_a_long_picture_are_cut_to_four_by_three(shape):
    height, width = windows(crops(coordinates(*shape), 1.0))
    assert np.maximum(height / width, width / height).max() < 1.45
    assert np.minimum(height, width).min() > 57


@pytest.mark.slow
def test_crops_lie_everywhere():
    found = crops(coordinates(), 0.1)
    height, width = windows(found)
    for channel, span in ((1, height), (0, width)):
        start = found[:, 0, 0, channel] - span / SIZE / 2
        end = start + span
        assert start.min() < 5 and end.max() > 235
        assert start.min() > -4 and end.max() < 244
        assert 0.4 < np.mean((start + end) / 2 < 120) < 0.6


@pytest.mark.slow
def test_half_of_the_crops_are_mirrored():
    left_to_right = crops(coordinates(), 0.5, flip=True)[:, 0, [0, -1], 0].astype(int)
    share = np.mean(left_to_right[:, 0] > left_to_right[:, 1])
    assert abs(share - 0.5) < 0.1
    plain = crops(coordinates(), 0.5)[:, 0, [0, -1], 0].astype(int)
    assert np.all(plain[:, 0] < plain[:, 1])


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(240, 240), (250, 100), (18, 25)])
def test_a_jpeg_is_cut_where_any_picture_is(shape):
    """To within two pixels of a picture decoded at an eighth, at either end of the window."""
    found, expected = (
        crops(coordinates(*shape), 0.1, flip=True, encode=encode) for encode in (jpeg, png)
    )
    difference = found.astype(int) - expected
    assert abs(difference).max() <= 16
    assert abs(difference).mean() < 3


@pytest.mark.parametrize("side, ratio", [(31, 1), (32, 2), (63, 2), (64, 4), (127, 4), (128, 8)])
@pytest.mark.parametrize("other", [0, 200])
def test_jpegs_are_decoded_no_finer_than_needed(side, other, ratio):
    window = tf.constant([16, 24, side, side + other])
    encoded = jpeg(cv2.GaussianBlur(noise(300, 400, 3), (0, 0), 5))
    found = decoding.decode_window(encoded, lambda shape: window, 16).numpy()
    top, left, height, width = window.numpy() // ratio
    assert found.shape == (height, width, 3) and found.dtype == np.uint8
    whole = tf.io.decode_jpeg(encoded, channels=3, ratio=ratio).numpy()
    np.testing.assert_array_equal(found, whole[top : top + height, left : left + width])


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (9, 1), (2, 500), (500, 2)])
def test_the_smallest_pictures(shape):
    picture = png(np.full((*shape, 3), (10, 200, 30), np.uint8))
    for seed in range(5):
        crop = augment.random_resized_crop(picture, [0, seed], SIZE, 0.01, True)
        np.testing.assert_array_equal(crop, np.full((SIZE, SIZE, 3), (10, 200, 30)))
    np.testing.assert_array_equal(augment.center_crop(picture, SIZE), crop)


@pytest.mark.parametrize("shape", [(240, 120), (120, 240)])
def test_center_crop_is_the_middle_square(shape):
    crop = augment.center_crop(png(coordinates(*shape)), 120).numpy()
    left, top = ((shape[1] - 120) // 2, (shape[0] - 120) // 2)
    np.testing.assert_array_equal(crop, coordinates(*shape)[top : top + 120, left : left + 120])


def test_resize_averages_where_it_shrinks_much():
    """A checkerboard seen from afar is gray; sampled point by point, it is not."""
    board = np.indices((11 * SIZE, 11 * SIZE)).sum(axis=0)[..., None] % 2 * np.full(3, 255)
    small = augment.resize(np.uint8(board), SIZE).numpy().astype(int)
    assert abs(small - 127.5).max() <= 3
    assert abs(tf.image.resize(board, [SIZE, SIZE]).numpy() - 127.5).min() > 127


@pytest.mark.parametrize("length", [8, 16, 20, 32])
def test_resize_is_opencv_s_bilinear_up_to_a_half(length):
    picture = noise(length, length, 3)
    expected = cv2.resize(picture, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
    small = augment.resize(picture, SIZE)
    assert small.dtype == tf.uint8
    np.testing.assert_allclose(small.numpy().astype(int), expected, atol=1)


def jitter(codec, amount=0.3, seed=(1, 2), pictures=None):
    condition, _ = codec.encode(noise(64, 8, 8, 3) if pictures is None else pictures)
    return condition.numpy(), augment.jitter_lightness(condition, seed, amount, codec).numpy()


@pytest.mark.parametrize("name", codecs.CODECS)
def test_jitter_stays_in_range(name):
    codec = codecs.CODECS[name]
    extremes = np.zeros((64, 8, 8, 3), np.uint8)
    extremes[:, ::2] = 255
    for pictures in (None, extremes):
        before, after = jitter(codec, 0.5, pictures=pictures)
        low, high = (codec.encode(np.full((1, 3), level, np.uint8))[0] for level in (0, 255))
        assert after.shape == before.shape and after.dtype == np.float32
        assert after.min() >= low.numpy().min() - 1e-5 and after.max() <= high.numpy().max() + 1e-5
        assert abs(after - before).max() > 0.05 * float(high[0, 0] - low[0, 0])


@pytest.mark.parametrize("name", codecs.CODECS)
def test_no_jitter_is_identity(name):
    np.testing.assert_allclose(*jitter(codecs.CODECS[name], 0.0), atol=2e-5)


def test_jitter_is_one_gamma_and_one_range_for_a_picture():
    """Black and white give the range; with it, middle gray gives the gamma."""
    levels = np.uint8([0, 255, 119])[:, None].repeat(3, axis=1)
    before, after = jitter(codecs.CODECS["gray_ab"], 0.3, pictures=np.tile(levels, (500, 1, 1, 1)))
    black, white, gray = after[:, 0, :, 0].T
    kept = white - black
    gamma = np.log((gray - black) / kept) / np.log(before[0, 0, 2, 0])
    assert kept.min() > 0.7 - 1e-4 and kept.max() < 1 + 1e-4
    assert abs(kept.mean() - 0.85) < 0.02 and abs(gamma.mean() - 1) < 0.04
    assert gamma.min() > 0.7 - 1e-3 and gamma.max() < 1.3 + 1e-3
    assert np.ptp(gamma) > 0.5 and np.ptp(black) > 0.15


def test_jitter_follows_its_seed():
    codec = codecs.CODECS["lab"]
    one, again, other = (jitter(codec, seed=seed)[1] for seed in ((1, 2), (1, 2), (1, 3)))
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


PICTURE = tf.constant(noise(70, 90, 3))
PNG, JPEG = png(PICTURE), jpeg(PICTURE)
OPERATIONS = {
    "crop": lambda seed: augment.random_resized_crop(PNG, seed, SIZE, 0.3, True),
    "crop of a JPEG": lambda seed: augment.random_resized_crop(
        jpeg(PICTURE), seed, SIZE, 0.3, True
    ),
    "small crop": lambda seed: augment.random_resized_crop(PNG, seed, 60, 0.3, True),
    "center": lambda seed: augment.center_crop(PNG, SIZE),
    "resize": lambda seed: augment.resize(PICTURE, SIZE),
    "jitter": lambda seed: augment.jitter_lightness(
        codecs.CODECS["lab"].encode(PICTURE[None])[0], seed, 0.2, codecs.CODECS["lab"]
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATIONS)
def test_eager_is_graph(name):
    seeds = np.int64([[5, 0], [5, 1], [5 + 2**40, 2**33]])
    mapped = tf.data.Dataset.from_tensor_slices(seeds).map(OPERATIONS[name])
    for seed, inside in zip(seeds, mapped.as_numpy_iterator(), strict=True):
        eager = OPERATIONS[name](tf.constant(seed)).numpy()
        if eager.dtype == np.uint8:
            np.testing.assert_array_equal(inside, eager)
        else:
            np.testing.assert_allclose(inside, eager, atol=1e-6)
