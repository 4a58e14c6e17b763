"""Networks: named, held against a second implementation, refused in one line."""

import concurrent.futures
import sys
import urllib.error

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from skimage import data

from colorization.evaluation import EvaluationError, features
from colorization.evaluation.features import load_features
from colorization.losses import feature_distance

PHOTO = data.chelsea()[:224, :224]
PICTURES = np.random.default_rng(0).uniform(0, 1, (2, 2, 64, 64, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def network(squeezenet_file):
    (network,) = features.open_features(f"squeezenet:{squeezenet_file}")
    return network


def _squeezenet_by_hand(weights, picture):
    """The network of the paper's version 1.1, layer by layer."""

    def convolve(x, name, stride=1, padding="SAME"):
        kernel, bias = weights[name]
        return tf.nn.relu(tf.nn.conv2d(x, kernel, stride, padding) + bias)

    def halve(x):
        return tf.nn.max_pool2d(x, 3, 2, "VALID")

    blue_first = picture[None, :, :, ::-1].astype(np.float32)
    x = halve(convolve(blue_first - (103.9, 116.8, 123.7), "conv1", 2, "VALID"))
    for number in range(2, 10):
        squeezed = convolve(x, f"fire{number}/squeeze1x1")
        x = tf.concat(
            [convolve(squeezed, f"fire{number}/expand{size}") for size in ("1x1", "3x3")], axis=-1
        )
        if number in (3, 5):
            x = halve(x)
    return tf.reduce_mean(x, axis=[0, 1, 2]).numpy()


def test_squeezenet_agrees_with_its_layers_written_out(network, squeezenet_weights):
    expected = _squeezenet_by_hand(squeezenet_weights, PHOTO)
    np.testing.assert_allclose(network.extract(PHOTO), expected, rtol=1e-3, atol=1e-4)
    assert network.extract(PHOTO).dtype == np.float32


def test_pictures_of_any_size_give_vectors_of_one_length(network):
    for size in ((35, 400), (700, 300)):
        picture = cv2.resize(PHOTO, size[::-1])
        assert network.extract(picture).shape == (512,)


def test_threads_and_order_change_no_vector(network):
    pictures = [np.roll(PHOTO, step, axis=-1) for step in range(3)] * 3
    expected = [network.extract(picture) for picture in pictures]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(network.extract, reversed(pictures)))
    np.testing.assert_allclose(found[::-1], expected, rtol=1e-5, atol=1e-6)


def test_distance_is_that_of_the_vectors(network):
    other = 255 - PHOTO
    expected = np.linalg.norm(network.extract(PHOTO) - network.extract(other))
    assert network.distance(PHOTO, other) == pytest.approx(expected)
    assert network.distance(PHOTO, PHOTO) == 0


def test_figures_bear_the_name_of_the_network_unless_it_is_the_standard_one(network):
    assert set(network.figures) == {"squeezenet-kid", "squeezenet-fid", "squeezenet-diversity"}
    standard = features.Features("torch-fidelity", {}, lambda x: x, None, is_standard=True)
    assert set(standard.figures) == {"kid", "fid", "torch-fidelity-diversity"}


@pytest.mark.slow
def test_the_digest_tells_weights_apart_and_not_files(network, squeezenet_file, tmp_path):
    digest = network.protocol["weights_sha256"]
    copy = tmp_path / "copy.h5"
    copy.write_bytes(squeezenet_file.read_bytes())
    assert features.open_squeezenet(str(copy)).protocol["weights_sha256"] == digest
    import h5py

    with h5py.File(copy, "r+") as file:
        file["conv1/conv1/conv1_b"][0] += 1
    assert features.open_squeezenet(str(copy)).protocol["weights_sha256"] != digest


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("vgg", "squeezenet, inception, torch-fidelity, lpips.*Received: vgg"),
        ("squeezenet", "needs a file.*squeezenet:FILE"),
        ("squeezenet:own.keras", "file of weights .*Received: own.keras"),
        ("squeezenet:/none.h5", "/none.h5: expected weights of SqueezeNet"),
        ("squeezenet:{weights},squeezenet:{weights}", "names a network once"),
    ],
)
def test_mistakes_are_named_in_one_line(text, message, squeezenet_file):
    with pytest.raises(EvaluationError, match=message) as caught:
        features.open_features(text.format(weights=squeezenet_file))
    assert "\n" not in str(caught.value)


def test_inception_without_a_network_says_what_to_do(monkeypatch):
    def fail(*_, **__):
        raise OSError("URL fetch failure")

    monkeypatch.setattr(keras.applications, "InceptionV3", fail)
    with pytest.raises(EvaluationError, match="downloaded .URL fetch failure.*inception:FILE"):
        features.open_features("inception")


@pytest.mark.slow
def test_inception_takes_weights_of_a_file_and_scales_its_input(tmp_path):
    keras.utils.set_random_seed(0)
    same = keras.applications.InceptionV3(include_top=False, weights=None, pooling="avg")
    path = tmp_path / "inception.weights.h5"
    same.save_weights(path)
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        (network,) = features.open_features(f"inception:{path}")
        assert keras.config.dtype_policy().name == "mixed_bfloat16"
    finally:
        keras.config.set_dtype_policy("float32")
    picture = np.clip(cv2.resize(PHOTO, (299, 299)), 0, 255)
    expected = same(keras.applications.inception_v3.preprocess_input(picture[None].astype(float)))
    np.testing.assert_allclose(network.extract(picture), expected[0], rtol=1e-3, atol=1e-5)
    assert set(network.figures) >= {"inception-keras-kid", "inception-keras-fid"}
    path.write_bytes(b"none")
    with pytest.raises(EvaluationError, match="weights of InceptionV3 without its classifier"):
        features.open_features(f"inception:{path}")


@pytest.mark.parametrize(
    ("name", "package"), [("lpips", "lpips"), ("torch-fidelity", "torch_fidelity")]
)
def test_a_missing_package_is_named_with_the_command_that_installs_it(name, package, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(EvaluationError, match=f"{package} is missing.*pip install .*perceptual"):
        features.open_features(name)


def test_weights_that_cannot_be_downloaded_are_one_line():
    def fail():
        raise urllib.error.URLError("no route\nto host")

    with pytest.raises(
        EvaluationError, match="lpips: .*downloaded.*no route.*lpips:FILE"
    ) as caught:
        features._opened("lpips", "weights", None, fail)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_lpips_is_that_of_its_package(tmp_path):
    package, torch = pytest.importorskip("lpips"), pytest.importorskip("torch")
    torch.manual_seed(0)
    own = package.LPIPS(net="alex", pnet_rand=True, verbose=False).eval()
    weights = {
        f"features.{name.partition('.')[2]}": value for name, value in own.net.state_dict().items()
    }
    torch.save(weights, tmp_path / "alexnet.pth")
    (network,) = features.open_features(f"lpips:{tmp_path / 'alexnet.pth'}")
    other = np.roll(PHOTO, 1, axis=-1)
    pair = [package.im2tensor(picture) for picture in (PHOTO, other)]
    expected = float(own(*pair).detach())
    assert network.distance(PHOTO, other) == pytest.approx(expected, rel=1e-4)
    assert network.distance(PHOTO, PHOTO) == pytest.approx(0, abs=1e-6)
    assert set(network.figures) == {"lpips-alex", "lpips-alex-diversity"}


@pytest.mark.slow
def test_torch_fidelity_extracts_what_its_package_does(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity")
    import torch
    from torch_fidelity import feature_extractor_inceptionv3 as inception

    torch.manual_seed(0)
    with monkeypatch.context() as patch:
        # Built as it is, at random.
        patch.setattr(inception, "load_state_dict_from_url", lambda *_, **__: None)
        patch.setattr(torch.nn.Module, "load_state_dict", lambda *_, **__: None)
        extractor = inception.FeatureExtractorInceptionV3("inception-v3-compat", ["2048"])
    torch.save(extractor.state_dict(), tmp_path / "inception.pth")
    (network,) = features.open_features(f"torch-fidelity:{tmp_path / 'inception.pth'}")
    batch = torch.from_numpy(np.stack([PHOTO, 255 - PHOTO]).transpose(0, 3, 1, 2).copy())
    with torch.inference_mode():
        expected = extractor(batch)[0].numpy()
    for picture, vector in zip((PHOTO, 255 - PHOTO), expected, strict=True):
        np.testing.assert_allclose(network.extract(picture), vector, rtol=1e-4, atol=1e-5)


def test_squeezenet_gives_five_frozen_maps(squeezenet_file):
    network = load_features(squeezenet_file)
    assert [part.shape[-1] for part in network(255 * PICTURES[0])] == [64, 128, 256, 384, 512]
    assert network.trainable_weights == []


def test_a_model_of_any_kind_serves(tmp_path):
    rgb = keras.Input((None, None, 3))
    model = keras.Model(rgb, keras.layers.Conv2D(4, 3)(rgb))
    model.save(tmp_path / "own.keras")
    network = load_features(tmp_path / "own.keras")
    maps = [np.asarray(model(255 * part)) for part in PICTURES]
    expected = np.abs(maps[0] - maps[1]).mean() / np.abs(maps[0]).mean()
    assert float(feature_distance(network, *PICTURES)) == pytest.approx(expected, rel=1e-4)


@pytest.mark.slow
def test_each_map_counts_alike(squeezenet_file):
    network = load_features(squeezenet_file)
    pairs = zip(*(network(255 * part) for part in PICTURES), strict=True)
    terms = [np.abs(a - b).mean() / np.abs(a).mean() for a, b in map(np.asarray, pairs)]
    assert len(terms) == 5
    distance = float(feature_distance(network, *PICTURES))
    assert distance == pytest.approx(np.mean(terms), rel=1e-4)
    assert float(feature_distance(network, PICTURES[0], PICTURES[0])) == 0


def test_other_files_are_refused_in_one_line(tmp_path):
    (tmp_path / "torn.h5").write_bytes(b"no weights")
    other = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    other.save_weights(tmp_path / "other.weights.h5")
    for name in ("torn.h5", "other.weights.h5", "none.h5", "none.keras"):
        message = f"{name}: expected weights of SqueezeNet"
        with pytest.raises(EvaluationError, match=message) as caught:
            load_features(tmp_path / name)
        assert "\n" not in str(caught.value)
