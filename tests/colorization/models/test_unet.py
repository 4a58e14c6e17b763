"""The U-Net against the published architecture."""

import keras
import numpy as np
import pytest

from colorization.models.unet import unet

# The published network has 54 million weights.
pytestmark = pytest.mark.slow
ENCODER = [1, 64, 128, 256, 512, 512, 512, 512, 512]


def published_count(num_outputs):
    """Weights of the published code, layer by layer; running statistics are not weights."""
    down = sum(4 * 4 * a * b for a, b in zip(ENCODER, ENCODER[1:], strict=False))
    # A decoder's layer sees the one below it and the skip; the innermost sees the encoder alone.
    decoder_inputs = [512, 1024, 1024, 1024, 1024, 512, 256, 128]
    decoder_outputs = [512, 512, 512, 512, 256, 128, 64, num_outputs]
    up = sum(4 * 4 * a * b for a, b in zip(decoder_inputs, decoder_outputs, strict=True))
    norms = 2 * (sum(ENCODER[2:8]) + sum(decoder_outputs[:7]))
    return down + up + norms + num_outputs


@pytest.fixture(scope="module")
def full():
    keras.utils.set_random_seed(0)
    return unet(2)


def count(weights):
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_size_of_the_published_code(full):
    assert count(full.trainable_weights) == published_count(2) == 54_409_858


def test_weights_start_as_published(full):
    kernels = [w for w in full.trainable_weights if w.name == "kernel"]
    scales = [w for w in full.trainable_weights if w.name == "gamma"]
    assert len(kernels) == 16 and len(scales) == 13
    for weights, mean in ((kernels, 0), (scales, 1)):
        for weight in weights:
            if np.prod(weight.shape) > 500:
                np.testing.assert_allclose(np.mean(weight), mean, atol=0.003)
                np.testing.assert_allclose(np.std(weight), 0.02, rtol=0.1)
    same_shape = [w.numpy() for w in kernels if w.shape == (4, 4, 512, 512)]
    assert np.any(same_shape[0] != same_shape[1])


def test_dropout_beside_the_innermost(full):
    dropouts = [layer for layer in full.layers if isinstance(layer, keras.layers.Dropout)]
    assert [layer.rate for layer in dropouts] == [0.5, 0.5, 0.5]
    assert all(layer.output.shape[-1] == 512 for layer in dropouts)
    small = unet(2, base_filters=1, dropout=0.1)
    assert {x.rate for x in small.layers if isinstance(x, keras.layers.Dropout)} == {0.1}


def test_innermost_is_one_pixel(full):
    lowest = [layer for layer in full.layers if isinstance(layer, keras.layers.Conv2D)][-1]
    probe = keras.Model(full.input, lowest.output)
    assert probe(np.zeros((1, 256, 256, 1), np.float32)).shape == (1, 1, 1, 512)


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_depths(depth):
    model = unet(3, depth=depth, base_filters=2, output_activation="sigmoid")
    output = model(np.zeros((1, 2**depth, 3 * 2**depth, 1), np.float32))
    assert output.shape == (1, 2**depth, 3 * 2**depth, 3)
    convolutions = [x for x in model.layers if isinstance(x, keras.layers.Conv2DTranspose)]
    assert len(convolutions) == depth


def test_output_activation():
    inputs = np.random.default_rng(0).normal(0, 1e4, (1, 8, 8, 1)).astype(np.float32)
    limits = {}
    for activation in ("tanh", "linear"):
        output = unet(2, depth=1, base_filters=8, output_activation=activation)(inputs)
        limits[activation] = np.abs(output).max()
    assert limits["tanh"] <= 1 < limits["linear"]


def test_skips_carry_detail():
    model = unet(1, depth=3, base_filters=4)
    inputs = np.zeros((1, 16, 16, 1), np.float32)
    changed = inputs.copy()
    changed[0, 0, 0] = 1
    difference = np.abs(model(changed) - model(inputs))[0, ..., 0]
    # The skip of the outermost level reaches only the nearest pixels, and reaches them most.
    assert difference[:3, :3].max() > 10 * difference[8:, 8:].max()


def test_it_learns_one_batch():
    """At full depth; of a width that does not take minutes."""
    keras.utils.set_random_seed(0)
    ramp = np.linspace(-1, 1, 256, dtype=np.float32)
    condition = np.stack(np.meshgrid(ramp, ramp))[..., None]
    target = np.concatenate([condition / 2, -condition / 2], axis=-1)
    model = unet(2, base_filters=8)
    # To trace it takes longer than the few steps.
    model.compile(keras.optimizers.Adam(2e-3, 0.5, 0.999), "mae", run_eagerly=True)
    losses = model.fit(condition, target, epochs=9, verbose=0).history["loss"]
    assert losses[-1] < 0.7 * losses[0], losses
