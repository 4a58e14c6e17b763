"""Networks of a user's own, opened for their features."""

import keras
import numpy as np
import pytest

from colorization.evaluation.weight_files import FeatureError, load_features
from colorization.losses import feature_distance

PICTURES = np.random.default_rng(0).uniform(0, 1, (2, 2, 64, 64, 3)).astype(np.float32)


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


def test_each_map_counts_alike(squeezenet_file):
    network = load_features(squeezenet_file)
    pairs = zip(*(network(255 * part) for part in PICTURES), strict=True)
    terms = [np.abs(a - b).mean() / np.abs(a).mean() for a, b in map(np.asarray, pairs)]
    assert len(terms) == 5
    distance = float(feature_distance(network, *PICTURES))
    assert distance == pytest.approx(np.mean(terms), rel=1e-4)
    assert float(feature_distance(network, PICTURES[0], PICTURES[0])) == 0


def test_another_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "other.h5").write_bytes(b"no weights")
    for name in ("other.h5", "none.h5", "none.keras"):
        with pytest.raises(FeatureError, match=f"{name}: expected weights of SqueezeNet") as caught:
            load_features(tmp_path / name)
        assert "\n" not in str(caught.value)
