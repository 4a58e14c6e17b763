"""The chain: in which order pictures come, and that a run can start anywhere."""

import collections
import dataclasses
import os

import cv2
import numpy as np
import pytest
import tensorflow as tf

from pipelines.batches import decoding, input_chain
from pipelines.color import bins, codecs
from pipelines.errors import UserError
from tests.pipelines.training_chain import options, train

CODEC = codecs.CODECS["lab"]


def counted(source):
    """The same source, and how often each of its files is read."""
    reads = collections.Counter()

    def read(path):
        reads[path.numpy()] += 1
        return tf.io.read_file(path)

    def read_in_graph(path):
        return tf.ensure_shape(tf.py_function(read, [path], tf.string), [])

    return dataclasses.replace(source, read=read_in_graph), reads


def order(source, found, count, **changes):
    """Indices of solid pictures in the order of training."""
    chain = train(source, found, count, codec="gray_rgb", lightness_jitter=0.0, **changes)
    green = np.concatenate([batch[:, 0, 0, 2] for batch in chain])
    return np.round((green + 1) * 127.5 / 10).astype(int).tolist()


@pytest.fixture(scope="module")
def colors(surveyed, tmp_path_factory):
    """Twelve solid pictures, told apart by their green: source and survey."""
    greens = {f"{i:03d}": (250, 10 * i, 0) for i in range(12)}
    return surveyed(tmp_path_factory.mktemp("colors"), **greens)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sizes",
    [[(1, 1), (1, 300), (300, 1)], pytest.param([(4000, 6000)], marks=pytest.mark.slow)],
)
def test_extreme_sizes_go_through(sizes, surveyed, tmp_path):
    red = (200, 40, 40)
    for height, width in sizes:
        picture = np.full((height, width, 3), red[::-1], np.uint8)
        cv2.imwrite(str(tmp_path / f"{height}x{width}.jpg"), picture)
    source, found = surveyed(tmp_path)
    assert found.num_usable == len(sizes)
    batch = train(source, found, 1, batch_size=len(sizes), lightness_jitter=0.0)[0]
    expected = np.concatenate(CODEC.encode(np.full((16, 16, 3), red, np.uint8)), axis=-1)
    np.testing.assert_allclose(batch, np.tile(expected, (len(sizes), 1, 1, 1)), atol=0.02)
    centers = next(input_chain.center_batches(source, found, 16, 4).as_numpy_iterator())
    np.testing.assert_allclose(centers.astype(int), np.tile(red, (len(sizes), 16, 16, 1)), atol=2)


@pytest.mark.slow
def test_batches_have_the_shapes_of_the_codec(pictures):
    for name, size in (("lab", 16), ("gray_rgb", 24)):
        codec = codecs.CODECS[name]
        chain = input_chain.training_batches(*pictures, codec, options(image_size=size))
        shapes = [(5, size, size, 1), (5, size, size, codec.num_outputs)]
        assert [tuple(part.shape) for part in chain.element_spec] == shapes
        assert {part.dtype for part in chain.element_spec} == {tf.float32}
        assert [part.shape for part in next(chain.as_numpy_iterator())] == shapes


@pytest.mark.slow
def test_batches_follow_the_seed(pictures):
    first = train(*pictures, 6)
    assert not np.array_equal(first[0], train(*pictures, 1, seed=4)[0])
    # And nothing else: not the program's own seed, nor what was drawn before.
    tf.random.set_seed(99)
    tf.random.uniform([3])
    np.testing.assert_array_equal(first, train(*pictures, 6))


@pytest.mark.slow
@pytest.mark.parametrize(
    "buffer", [4, *(pytest.param(size, marks=pytest.mark.slow) for size in (1, 100))]
)
def test_each_picture_comes_once_a_pass(colors, buffer):
    found = np.reshape(order(*colors, 12, shuffle_buffer=buffer), (5, 12))
    assert all(sorted(one_pass) == list(range(12)) for one_pass in found)
    if buffer == 1:
        assert all(one_pass == list(range(12)) for one_pass in found.tolist())
    else:
        assert len({tuple(one_pass) for one_pass in found}) == 5
        other = order(*colors, 12, shuffle_buffer=buffer, seed=4)
        assert not np.array_equal(found.ravel(), other)


@pytest.mark.slow
@pytest.mark.parametrize("buffer", [4, 100])
def test_a_run_can_start_at_any_step(pictures, buffer):
    """Twelve pictures in fives: the third batch lies across the end of the first pass."""
    whole = train(*pictures, 16, shuffle_buffer=buffer)
    for start in (2, 13):
        later = train(*pictures, 3, start, shuffle_buffer=buffer)
        np.testing.assert_array_equal(later, whole[start : start + 3])


def test_a_start_reads_nothing_that_came_before(pictures):
    source, reads = counted(pictures[0])
    train(source, pictures[1], 1, start=1000, batch_size=2)
    # What `take` and the prefetching behind it ask for: not two thousand.
    assert sum(reads.values()) < 50


@pytest.mark.slow
def test_batches_of_any_size(colors):
    expected = order(*colors, 18, batch_size=5)
    for size in (1, 12, 30):
        assert order(*colors, 3, batch_size=size) == expected[: 3 * size]


@pytest.mark.slow
def test_crop_area_and_flip_are_taken_over(surveyed, tmp_path):
    """Red is the column and green the row, in one picture."""
    rows, columns = np.mgrid[:128, :128]
    source, found = surveyed(tmp_path, a=np.stack([2 * columns, 2 * rows, 0 * rows], axis=-1))

    def spans(**changes):
        batch = train(
            source, found, 1, codec="gray_rgb", batch_size=64, lightness_jitter=0.0, **changes
        )
        return batch[0][:, 0, -1, 1] - batch[0][:, 0, 0, 1]

    assert np.all(spans(flip=False) > 0)
    small, large = (spans(flip=True, crop_area=area) for area in (0.05, 0.7))
    assert 0.3 < np.mean(large > 0) < 0.7
    assert abs(small).min() < 0.8 < abs(large).min()


@pytest.mark.slow
def test_jitter_is_another_for_every_picture_of_every_step(surveyed, tmp_path):
    source, found = surveyed(tmp_path, a=(200, 90, 30))
    still, jittered = (
        np.array(train(source, found, 3, lightness_jitter=amount)) for amount in (0.0, 0.2)
    )
    np.testing.assert_array_equal(still[..., 1:], jittered[..., 1:])
    assert np.ptp(still[..., 0]) < 1e-6
    assert len(np.unique(jittered[:, :, 0, 0, 0].round(5))) == 15


@pytest.mark.slow
def test_codec_of_a_batch_is_the_codec_of_a_picture(colors):
    rgb = np.uint8([(250, 10 * i, 0) for i in range(12)])
    encoded = np.concatenate(CODEC.encode(rgb), axis=-1)
    found = order(*colors, 2, batch_size=6)
    np.testing.assert_allclose(
        np.concatenate(train(*colors, 2, batch_size=6, lightness_jitter=0.0))[:, 0, 0],
        encoded[found],
        atol=1e-6,
    )


@pytest.mark.slow
def test_caches_change_nothing_but_the_reading(pictures, tmp_path):
    found = {}
    for cache in ("none", "memory", str(tmp_path)):
        source, reads = counted(pictures[0])
        found[cache] = train(source, pictures[1], 10, cache=cache, shuffle_buffer=4)
        np.testing.assert_array_equal(found[cache], found["none"])
        # Ten batches of five are four passes over twelve pictures, and a little.
        assert len(reads) == 12
        assert set(reads.values()) == {1} if cache != "none" else min(reads.values()) >= 4


@pytest.mark.slow
def test_memory_lasts_over_many_passes_and_starts(pictures):
    source, reads = counted(pictures[0])
    found = train(source, pictures[1], 3, start=50, cache="memory")
    np.testing.assert_array_equal(found, train(*pictures, 3, start=50))
    train(source, pictures[1], 50, cache="memory")
    assert set(reads.values()) == {2}  # Once for each of the two chains.


@pytest.mark.slow
def test_disk_serves_later_runs(pictures, tmp_path):
    train(*pictures, 1, cache=str(tmp_path))
    source, reads = counted(pictures[0])
    found = train(source, pictures[1], 3, start=7, cache=str(tmp_path))
    np.testing.assert_array_equal(found, train(*pictures, 3, start=7))
    assert not reads
    assert os.listdir(tmp_path) == [f"pictures-{pictures[1].fingerprint}.tfrecord"]


@pytest.mark.slow
def test_disk_keeps_sources_apart(pictures, colors, tmp_path):
    train(*pictures, 1, cache=str(tmp_path))
    assert order(*colors, 3, cache=str(tmp_path)) == order(*colors, 3)
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.slow
def test_disk_forgets_what_an_interruption_left(pictures, tmp_path):
    def torn(path):
        return tf.py_function(lambda _: 1 / 0, [path], tf.string)

    source = dataclasses.replace(pictures[0], read=torn)
    with pytest.raises(UserError, match="can't be written"):
        train(source, pictures[1], 1, cache=str(tmp_path))
    expected = train(*pictures, 3)
    np.testing.assert_array_equal(train(*pictures, 3, cache=str(tmp_path)), expected)


@pytest.mark.parametrize("cache", ["", "Memory", "missing/folder"])
def test_wrong_caches(cache, pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = rf"--cache is none, memory or a folder that exists\. Received: {cache or 'nothing'}"
    for refuse in (input_chain.check_cache, lambda cache: train(*pictures, 1, cache=cache)):
        with pytest.raises(UserError, match=message):
            refuse(cache)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_center_batches_keep_the_order(surveyed, mixed):
    source, found = surveyed(mixed[0])
    chain = input_chain.center_batches(source, found, 16, 25)
    assert chain.cardinality() == 3
    whole = list(chain.as_numpy_iterator())
    assert [batch.shape for batch in whole] == [(n, 16, 16, 3) for n in (25, 25, 10)]
    assert all(batch.dtype == np.uint8 for batch in whole)
    names = [name for name in source.names if name not in found.damaged + found.gray]
    for crop, name in zip(np.concatenate(whole), names, strict=True):
        picture = decoding.decode_in_graph(tf.io.read_file(name)).numpy()
        side = min(picture.shape[:2])
        top, left = ((length - side) // 2 for length in picture.shape[:2])
        square = picture[top : top + side, left : left + side]
        how = cv2.INTER_LINEAR if side <= 32 else cv2.INTER_AREA
        expected = cv2.resize(square, (16, 16), interpolation=how)
        # A JPEG is reduced as it is decoded: sharper, and moved by up to half a pixel.
        most, mean = (40, 6) if name.endswith(".jpg") else (12, 2)
        np.testing.assert_allclose(crop.astype(int), expected, atol=most)
        assert abs(crop.astype(int) - expected).mean() < mean


@pytest.mark.slow
def test_prior_of_one_color_is_its_encoding(surveyed, tmp_path):
    other = np.full((90, 40, 3), (255, 0, 0))
    prior = input_chain.measure_prior(*surveyed(tmp_path, a=(255, 0, 0), b=other))
    centers = bins.bin_centers()
    assert prior.shape == (len(centers),) and prior.sum() == pytest.approx(1)
    # The published ab of red, as a mean of the bins around it.
    assert np.count_nonzero(prior) <= 10
    np.testing.assert_allclose(prior @ centers, [80.09, 67.20], atol=5)


@pytest.mark.slow
def test_prior_of_two_colors_is_half_and_half(surveyed, tmp_path):
    other = np.full((90, 40, 3), (0, 0, 255))
    prior = input_chain.measure_prior(*surveyed(tmp_path, a=(255, 0, 0), b=other))
    for published in ((80.09, 67.20), (79.19, -107.86)):
        distance = np.linalg.norm(bins.bin_centers() - published, axis=1)
        assert prior[distance < 30].sum() == pytest.approx(0.5)
