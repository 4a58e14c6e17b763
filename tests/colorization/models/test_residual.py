"""The compact residual network."""

import numpy as np
import pytest

from colorization.models.residual import residual


@pytest.fixture(scope="module")
def small():
    return residual(3, base_filters=4, num_blocks=(0, 1, 1, 2))


@pytest.mark.parametrize("size", [(16, 16), (16, 48), (80, 32), (112, 144)])
def test_any_size_divisible_by_16(small, size):
    height, width = size
    shape = small(np.zeros((1, height, width, 1), np.float32)).shape
    assert shape == (1, height // 4, width // 4, 3)


def test_predictions_are_linear(small):
    head = small.get_layer("prediction")
    assert head.activation.__name__ == "linear"
    assert head.compute_dtype == "float32"


def test_defaults_have_a_stated_size():
    model = residual(2)
    assert model.output_shape == (None, None, None, 2)
    assert model.count_params() < 10_000_000


def test_every_output_sees_the_whole_picture():
    model = residual(1, base_filters=4, num_blocks=(0, 0, 0, 1))
    for weight in model.trainable_weights:  # The last scale of a block starts at zero.
        if weight.name == "gamma":
            weight.assign(np.ones(weight.shape, np.float32))
    inputs = np.random.default_rng(0).uniform(-1, 1, (1, 256, 256, 1)).astype(np.float32)
    changed = inputs.copy()
    changed[0, :32, :32] = 5
    difference = np.abs(model(changed, training=False) - model(inputs, training=False))
    assert difference[0, -1, -1, 0] > 0
