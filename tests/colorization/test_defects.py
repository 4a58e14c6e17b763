"""What the published code behind the five systems has wrong, by their own authors or users, is not
in the recipes. That noise is heard and slopes are penalized rightly, tests of noise and penalties
hold; that the generator alone trains on the distance, tests of adversarial training."""

import dataclasses
import functools
import pathlib

import keras
import numpy as np
import pytest

import colorization
from colorization import flags
from colorization.training.networks import build_codec, build_discriminator, build_generator

RECIPES = {
    path.stem: flags.parse_flagfile(str(path))
    for path in sorted((pathlib.Path(colorization.__file__).parent / "recipes").glob("*.flags"))
}
# Large encoders take seconds to build.
BUILT = [
    pytest.param(
        name, marks=[pytest.mark.slow] * (config.generator in ("chroma", "pretrained_unet"))
    )
    for name, config in RECIPES.items()
]
# Of systems B and D; the others' documents have nothing against their networks.
COLORNETS = [name for name, config in RECIPES.items() if config.generator == "colornet"]


@functools.cache
def layers(recipe):
    config = RECIPES[recipe]
    small = {"base_filters": 4, "discriminator_filters": 4}
    config = dataclasses.replace(
        config, **{name: small[name] for name in small if config.takes(name)}
    )
    networks = [build_generator(config, pretrained=False)]
    if config.is_adversarial:
        networks.append(build_discriminator(config))
    return [layer for network in networks for layer in network.layers]


@pytest.mark.slow
@pytest.mark.parametrize("recipe", COLORNETS)
def test_no_transposed_convolution_leaves_its_checkerboard(recipe):
    assert not [x for x in layers(recipe) if isinstance(x, keras.layers.Conv2DTranspose)]


@pytest.mark.parametrize("recipe", BUILT)
def test_no_stride_is_wider_than_its_kernel(recipe):
    # One of two pixels in each direction would never be looked at.
    convolutions = [x for x in layers(recipe) if isinstance(x, keras.layers.Conv2D)]
    assert all(np.all(np.array(x.kernel_size) >= x.strides) for x in convolutions)


@pytest.mark.parametrize("recipe", COLORNETS)
def test_nothing_is_lost_by_taking_the_largest(recipe):
    assert not [x for x in layers(recipe) if isinstance(x, keras.layers.MaxPooling2D)]


@pytest.mark.parametrize("recipe", [x for x in RECIPES if not RECIPES[x].is_quantized])
def test_a_network_that_says_nothing_says_no_color(recipe):
    # With chroma scaled from 0 to 1 a timid network makes pictures green, and reds are far away.
    codec = build_codec(RECIPES[recipe])
    said = np.zeros((1, 2, 2, codec.num_outputs), np.float32)
    np.testing.assert_allclose(codec.ab(said), 0, atol=0.05)
