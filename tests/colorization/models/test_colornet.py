"""ColorNet: its published size, its options, and noise that can't be ignored."""

import keras
import numpy as np
import pytest

from colorization.models.colornet import colornet
from colorization.models.layers import generate, noise_size

OPTIONS = {"modulation": {}, "map": {"noise_map_size": 16}}


def layers(model, kind):
    return [layer for layer in model.layers if isinstance(layer, kind)]


def random(*shape, seed=0):
    return keras.ops.convert_to_tensor(
        np.random.default_rng(seed).normal(size=shape).astype(np.float32)
    )


@pytest.mark.slow
def test_size_of_the_published_code():
    # 31,037,633 is what the U-Net of milesial/Pytorch-UNet has for 3 channels in and 1 out.
    model = colornet(2)
    trainable = sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)
    assert trainable == 31_037_633 - 2 * 64 * 9 + 65


@pytest.mark.slow
def test_down_and_upsampling_are_chosen_apart():
    for downsampling in ("max_pool", "strided"):
        for upsampling in ("transposed", "resize"):
            model = colornet(2, 4, depth=2, downsampling=downsampling, upsampling=upsampling)
            pools = layers(model, keras.layers.MaxPooling2D)
            transposed = layers(model, keras.layers.Conv2DTranspose)
            strided = [
                layer
                for layer in layers(model, keras.layers.Conv2D)
                if layer.strides == (2, 2) and layer not in transposed
            ]
            assert len(pools) == 2 * (downsampling == "max_pool")
            assert len(transposed) == 2 * (upsampling == "transposed")
            assert len(strided) == 2 * (downsampling == "strided")
            # A kernel of 1 would drop three quarters of the activations.
            assert all(min(layer.kernel_size) > 1 for layer in strided)


@pytest.mark.parametrize("name", OPTIONS)
def test_two_noises_make_two_pictures(name):
    model = colornet(2, 4, depth=2, noise_size=6, **OPTIONS[name])
    condition = random(1, 32, 48, 1)
    first, second = (generate(model, condition, random(1, 6, seed=seed)) for seed in (1, 2))
    assert np.abs(first - second).mean() > 0.05 * np.std(first)


@pytest.mark.parametrize("name", OPTIONS)
def test_no_noise_is_zeros(name):
    model = colornet(2, 4, depth=2, noise_size=6, **OPTIONS[name])
    condition = random(2, 16, 32, 1)
    zeros = keras.ops.zeros((2, 6))
    np.testing.assert_array_equal(generate(model, condition), generate(model, condition, zeros))
    assert noise_size(model) == 6 and noise_size(colornet(2, 4, depth=2)) == 0


@pytest.mark.parametrize("name", OPTIONS)
def test_noise_belongs_to_its_own_sample(name):
    model = colornet(2, 4, depth=2, noise_size=6, **OPTIONS[name])
    condition, noise = random(2, 16, 16, 1), random(2, 6)
    both = generate(model, condition, noise)
    for index in range(2):
        alone = generate(model, condition[index : index + 1], noise[index : index + 1])
        np.testing.assert_allclose(alone[0], both[index], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", OPTIONS)
def test_training_moves_the_way_of_the_noise(name):
    model = colornet(2, 4, depth=2, noise_size=6, **OPTIONS[name])
    before = {weight.path: weight.numpy() for weight in model.trainable_weights}
    model.compile("sgd", "mse", run_eagerly=True)
    model.train_on_batch([random(2, 16, 16, 1), random(2, 6)], random(2, 16, 16, 2))
    fed = [
        weight
        for weight in model.trainable_weights
        if weight.name == "kernel" and weight.shape[0] == 6
    ]
    assert len(fed) == (6 if name == "modulation" else 1)
    assert all(np.any(weight.numpy() != before[weight.path]) for weight in fed)


@pytest.mark.slow
def test_a_map_is_saved_with_its_size(tmp_path):
    model = colornet(2, 4, depth=2, noise_size=6, noise_map_size=16)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    condition, noise = random(1, 32, 48, 1), random(1, 6)
    np.testing.assert_array_equal(
        generate(loaded, condition, noise), generate(model, condition, noise)
    )
