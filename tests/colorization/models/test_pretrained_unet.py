"""The U-Net with an encoder of keras.applications."""

import keras
import numpy as np
import pytest

from colorization.config import Config, ConfigError
from colorization.models.pretrained_unet import ENCODERS, pretrained_unet
from colorization.training.networks import build_generator
from pipelines.color import codecs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """File of an encoder's weights, as keras.applications takes it, and the network."""
    keras.utils.set_random_seed(3)
    network = keras.applications.MobileNetV2(
        include_top=False, weights=None, input_shape=(64, 64, 3)
    )
    path = tmp_path_factory.mktemp("encoder") / "mobilenet.weights.h5"
    network.save_weights(path)
    return path, network


def test_weights_come_from_a_file(weights):
    path, network = weights
    encoder = pretrained_unet(2, 4, encoder_weights=str(path)).get_layer("mobilenet_v2")
    gray = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 3)).astype(np.float32)
    np.testing.assert_allclose(encoder(gray)[-1], network(gray), rtol=1e-5, atol=1e-6)


def test_a_condition_of_any_scaling_looks_the_same():
    first = pretrained_unet(2, 4, levels=(-1.0, 1.0))
    second = pretrained_unet(2, 4, levels=(0.0, 1.0))
    second.set_weights(first.get_weights())
    gray = np.random.default_rng(0).uniform(-1, 1, (1, 64, 64, 1)).astype(np.float32)
    np.testing.assert_allclose(second((gray + 1) / 2), first(gray), rtol=1e-4, atol=1e-5)


def test_every_level_is_joined_at_its_own_size():
    for encoder in ENCODERS:
        maps = pretrained_unet(2, 4, encoder).get_layer(encoder)(np.zeros((1, 64, 96, 3)))
        assert [part.shape[1:3] for part in maps] == [(32, 48), (16, 24), (8, 12), (4, 6), (2, 3)]


@pytest.mark.parametrize("received", ["imagenet.h5", __file__])
def test_weights_that_are_none_are_refused_in_one_line(received):
    config = Config(generator="pretrained_unet", encoder_weights=received)
    with pytest.raises(
        ConfigError, match="--encoder_weights is imagenet, or a file .* mobilenet_v2"
    ):
        build_generator(config)


@pytest.mark.parametrize(
    "codec, levels", [("lab", (-1, 1)), ("gray_ab", (0, 1)), ("lab_128", (0, 100 / 128))]
)
def test_black_and_white_are_those_of_the_codec(codec, levels):
    assert codecs.CODECS[codec].levels == pytest.approx(levels)
