"""Shares of batches: together they are the batches of one process, picture by picture."""

import collections
import itertools

import cv2
import numpy as np
import pytest

from colorization.config import Config
from pipelines.batches import input_chain, survey
from pipelines.color import codecs
from pipelines.sources import opener

BATCH = 6


@pytest.fixture(scope="module")
def colored(tmp_path_factory):
    """Twenty-one pictures of one color each, by which batches tell names, and their survey."""
    folder = tmp_path_factory.mktemp("colored")
    for blue, green, red in itertools.islice(itertools.permutations(range(0, 256, 60), 3), 21):
        picture = np.full((40, 40, 3), (blue, green, red), np.uint8)
        cv2.imwrite(str(folder / f"{blue} {green} {red}.png"), picture)
    source = opener.open_source(f"folder:{folder}")
    return source, survey.survey(source)


def shares(colored, count, steps, start_step=0, codec="gray_rgb", **knobs):
    """Conditions and targets of all shares of so many batches, each joined to whole batches."""
    options = Config(
        image_size=32, depth=4, codec=codec, batch_size=BATCH, seed=3, crop_area=0.5, **knobs
    )
    chains = [
        input_chain.training_batches(
            *colored, codecs.CODECS[codec], options, start_step, shard=(number, count)
        )
        for number in range(count)
    ]
    taken = [list(chain.take(steps).as_numpy_iterator()) for chain in chains]
    return [np.concatenate(parts, axis=1) for parts in zip(*map(stack, taken), strict=True)]


def stack(pairs):
    conditions, targets = zip(*pairs, strict=True)
    return np.stack(conditions), np.stack(targets)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 2, 3])
def test_every_picture_is_read_once_an_epoch(colored, count):
    # Two epochs of 21 pictures are seven batches of 6: the first ends within the fourth.
    _, targets = shares(colored, count, steps=7)
    names = [pixel.tobytes() for pixel in targets[:, :, 16, 16].reshape(-1, 3)]
    for epoch in (names[:21], names[21:]):
        assert set(collections.Counter(epoch).values()) == {1} and len(set(epoch)) == 21


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.parametrize("cache", ["none", "memory"])
def test_shares_are_the_whole_batch(colored, count, cache):
    knobs = {"codec": "lab", "lightness_jitter": 0.2, "cache": cache, "start_step": 2}
    whole, shared = (shares(colored, number, steps=3, **knobs) for number in (1, count))
    for one, other in zip(whole, shared, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
@pytest.mark.parametrize("count", [2, 3, 5])
def test_whole_batches_of_one_pass_are_dealt_out(colored, count):
    whole = list(input_chain.center_batches(*colored, 32, BATCH).as_numpy_iterator())
    assert [len(batch) for batch in whole] == [6, 6, 6, 3]
    for number in range(count):
        dealt = input_chain.center_batches(*colored, 32, BATCH, shard=(number, count))
        dealt = list(dealt.as_numpy_iterator())
        assert len(dealt) == len(whole[number::count])
        for one, other in zip(dealt, whole[number::count], strict=True):
            np.testing.assert_array_equal(one, other)
