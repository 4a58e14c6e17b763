"""The released network: what hints do, and that they do nothing where there are none."""

import keras
import numpy as np
import pytest

from colorization.models.chroma import PoolHints, SpreadHints, chroma


@pytest.fixture(scope="module")
def network():
    """A network whose every weight matters, those that start at zero too."""
    keras.utils.set_random_seed(1)
    model = chroma(5, widths=(8, 8, 8, 8))
    random = np.random.default_rng(0)
    for weight in model.weights:
        noise = random.normal(0, 0.1, weight.shape)
        weight.assign(np.abs(1 + noise) if "variance" in weight.name else weight + noise)
    return model


def condition(*hints):
    """A gray picture with hints at `(row, column)`."""
    result = np.zeros((1, 64, 96, 4), np.float32)
    result[..., 0] = np.random.default_rng(0).uniform(-1, 1, (64, 96))
    for row, column in hints:
        result[0, row, column, 1:] = (0.5, -0.3, 1)
    return result


def without_hint_weights(model):
    """The same network with the part that hints take replaced by other weights."""
    other = keras.models.clone_model(model)
    other.set_weights(model.get_weights())
    for layer in other.layers:
        if layer.name.endswith("_joined") or layer.name == "spread_hints":
            layer.set_weights([weight * -3 for weight in layer.get_weights()])
    return other


@pytest.mark.slow
def test_without_hints_their_weights_have_no_say(network):
    other = without_hint_weights(network)
    np.testing.assert_array_equal(network(condition()), other(condition()))
    assert np.any(network(condition((9, 9))) != other(condition((9, 9))))


@pytest.mark.slow
def test_a_new_network_ignores_hints():
    model = chroma(5, widths=(8, 8, 8, 8))
    np.testing.assert_array_equal(model(condition()), model(condition((9, 9))))


def test_a_hint_is_felt_everywhere(network):
    changed = np.abs(network(condition((9, 9))) - network(condition()))[0].max(axis=-1)
    assert changed.min() > 0
    assert changed[2, 2] > changed[-1, -1]


def test_pooled_hints_are_the_mean_of_the_hinted_pixels():
    hints = np.zeros((1, 8, 8, 3), np.float32)
    hints[0, 1, 1] = (0.5, -0.2, 1)
    hints[0, 2, 3] = (0.1, 0.2, 1)
    pooled = keras.ops.convert_to_numpy(PoolHints(4)(hints))
    np.testing.assert_allclose(pooled[0, 0, 0], (0.3, 0, 1), atol=1e-6)
    np.testing.assert_array_equal(pooled[0, 1:], 0)


def test_spread_hints_are_attention_over_the_hinted_places():
    """Against the sums of its definition, place by place."""
    random = np.random.default_rng(0)
    layer = SpreadHints(num_heads=2, head_size=3)
    features = random.normal(size=(1, 3, 4, 5)).astype(np.float32)
    hints = np.zeros((1, 3, 4, 3), np.float32)
    hinted = [(0, 1), (2, 2)]
    for place in hinted:
        hints[0][place] = (*random.normal(size=2), 0.5)
    result = keras.ops.convert_to_numpy(layer([features, hints]))
    query, key, value, slope = (np.array(w) for w in layer.get_weights())
    for head in range(2):
        part = slice(3 * head, 3 * head + 3)
        for row in range(3):
            for column in range(4):
                total, sums = 1.0, np.zeros(3)
                for place in hinted:
                    score = (
                        (features[0, row, column] @ query[:, part])
                        @ (features[0][place] @ key[:, part])
                        / np.sqrt(3)
                    )
                    score -= abs(slope[head]) * np.hypot(row - place[0], column - place[1])
                    weight = np.exp(score) * 0.5
                    total += weight
                    sums += weight * (hints[0][place] @ value[:, part])
                np.testing.assert_allclose(result[0, row, column, part], sums / total, atol=1e-3)
