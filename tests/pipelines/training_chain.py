"""The training chain as tests of sources and batches run it: small crops, small batches."""

import types

import numpy as np

from pipelines.batches import input_chain
from pipelines.color import codecs


def options(**changes):
    """What a chain reads of a run's options, with some of them changed."""
    defaults = dict(
        image_size=16,
        crop_area=0.5,
        flip=True,
        lightness_jitter=0.1,
        aging=0.0,
        cache="none",
        shuffle_buffer=100,
        batch_size=5,
        seed=3,
    )
    return types.SimpleNamespace(**(defaults | changes))


def train(source, found, count, start=0, codec="lab", service=None, shard=(0, 1), **changes):
    """The first batches of a chain: conditions and targets side by side."""
    chain = input_chain.training_batches(
        source, found, codecs.CODECS[codec], options(**changes), start, shard, service
    )
    return [np.concatenate(pair, axis=-1) for pair in chain.take(count).as_numpy_iterator()]
