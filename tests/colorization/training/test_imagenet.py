"""EfficientNet-Lite0: with the weights of its package it knows what sample pictures show."""

import pickle

import cv2
import keras
import numpy as np
import pytest
import skimage

from colorization.models.efficientnet_lite import efficientnet_lite0
from colorization.training import networks

# Classes of ImageNet: an Egyptian cat or a tabby, an espresso, a cup.
KNOWN = {"chelsea": {281, 282, 285}, "coffee": {967, 968, 504}}


@pytest.fixture(scope="module")
def encoder():
    model = efficientnet_lite0()
    networks.load_imagenet_weights(model)
    return model


def classify(encoder, picture):
    """Puts the published head behind the encoder."""
    tensors = networks.read_tensors(networks.installed_file())
    features = np.array(encoder(picture[None])[-1])
    x = features @ tensors["_conv_head.weight"][:, :, 0, 0].T
    mean, variance = tensors["_bn1.running_mean"], tensors["_bn1.running_var"]
    x = (x - mean) / np.sqrt(variance + 1e-3) * tensors["_bn1.weight"] + tensors["_bn1.bias"]
    x = np.clip(x, 0, 6).mean(axis=(1, 2))
    return np.argmax(x @ tensors["_fc.weight"].T + tensors["_fc.bias"])


@pytest.mark.parametrize("name", KNOWN)
@pytest.mark.parametrize("is_gray", [False, True])
def test_it_knows_what_a_picture_shows(encoder, name, is_gray):
    picture = cv2.resize(getattr(skimage.data, name)(), (224, 224), interpolation=cv2.INTER_AREA)
    if is_gray:
        picture = np.repeat(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=-1)
    assert classify(encoder, picture.astype(np.float32)) in KNOWN[name]


def test_features_halve_the_picture_five_times(encoder):
    shapes = [tap.shape[1:] for tap in encoder(np.zeros((1, 64, 96, 3), np.float32))]
    assert shapes == [(32, 48, 16), (16, 24, 24), (8, 12, 40), (4, 6, 112), (2, 3, 320)]


@pytest.mark.slow
def test_training_keeps_the_statistics():
    model = efficientnet_lite0()
    picture = np.full((1, 32, 32, 3), 200, np.float32)
    np.testing.assert_array_equal(model(picture, training=True)[-1], model(picture)[-1])
    assert not any(w.trainable for w in model.weights if "moving" in w.path)


def test_a_pickle_that_runs_code_is_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(pickle.dumps(print))
    with pytest.raises(networks.WeightsError, match="can't be read"):
        networks.load_imagenet_weights(efficientnet_lite0(), str(path))


@pytest.mark.parametrize("content", [b"", b"not weights", pickle.dumps({}) * 5])
def test_another_file_is_refused_by_name(tmp_path, content):
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    with pytest.raises(networks.WeightsError, match=r"weights\.pth"):
        networks.load_imagenet_weights(efficientnet_lite0(), str(path))


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr(networks, "PACKAGE", "no_such_package")
    with pytest.raises(networks.WeightsError, match=r"colorization\[pretrained\]"):
        networks.load_imagenet_weights(efficientnet_lite0())


@pytest.mark.slow
def test_keras_saves_and_loads_it(encoder, tmp_path):
    encoder.save(tmp_path / "encoder.keras")
    again = keras.saving.load_model(tmp_path / "encoder.keras")
    picture = np.random.default_rng(0).uniform(0, 255, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_array_equal(again(picture)[-1], encoder(picture)[-1])


@pytest.mark.slow
def test_training_moves_every_weight():
    model = efficientnet_lite0()
    networks.load_imagenet_weights(model)
    before = [weight.numpy() for weight in model.trainable_weights]
    network = keras.Model(model.input, model.output[-1])
    network.compile("sgd", "mse", run_eagerly=True)
    picture = np.random.default_rng(0).uniform(0, 255, (1, 64, 64, 3)).astype(np.float32)
    network.fit(picture, np.ones((1, 2, 2, 320), np.float32), verbose=0)
    for weight, old in zip(model.trainable_weights, before, strict=True):
        assert np.any(weight.numpy() != old), weight.path
