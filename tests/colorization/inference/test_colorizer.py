import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.inference import colorizer, graph
from pipelines import codecs, decode

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def chroma(tmp_path_factory):
    """A folder of two versions of a model, of unlike weights."""
    folder = tmp_path_factory.mktemp("models") / "chroma"
    network = keras.Sequential(
        [
            keras.Input((None, None, 1)),
            keras.layers.Conv2D(8, 5, 4, "same", activation="relu"),
            keras.layers.Conv2D(2, 1),
        ]
    )
    subject = graph.ColorizationGraph(network, codecs.CODECS["lab"], 32, 16)
    for version in (2, 10):
        for weight in network.weights:
            weight.assign(np.random.default_rng(version).normal(0, 0.05, weight.shape))
        path = folder / str(version)
        tf.saved_model.save(subject, str(path), {"serving_default": subject.arrays})
        (path / "assets.extra").mkdir()
        description = json.dumps({"name": "chroma", "version": version})
        (path / colorizer.DESCRIPTION).write_text(description)
    (folder / "README.md").write_text("A model card.")
    return folder


@pytest.fixture(scope="module")
def subject(chroma):
    return colorizer.Colorizer(chroma)


def noise(*shape):
    return RNG.integers(0, 256, shape, dtype=np.uint8)


def test_the_highest_version_is_taken_or_the_one_named(chroma, subject):
    assert subject.description == {"name": "chroma", "version": 10}
    assert colorizer.Colorizer(str(chroma / "2")).description["version"] == 2


def test_does_what_the_served_graph_does(chroma, subject, monkeypatch):
    served = tf.saved_model.load(str(chroma / "10"))
    photo = noise(70, 41, 3)
    expected = served.arrays(photo[None])[0]
    np.testing.assert_allclose(subject.colorize(photo), expected, atol=1)
    monkeypatch.setattr(graph, "STRIP_PIXELS", 500)
    np.testing.assert_allclose(subject.colorize(photo), expected, atol=1)


def test_paths_arrays_and_gray_arrays(subject, tmp_path):
    gray = noise(9, 12)
    photo = np.stack([gray] * 3, axis=-1)
    colored = subject.colorize(photo)
    assert colored.shape == (9, 12, 3) and colored.dtype == np.uint8
    np.testing.assert_array_equal(subject.colorize(gray), colored)
    np.testing.assert_array_equal(subject.colorize(gray.T).shape, (12, 9, 3))
    decode.write_picture(tmp_path / "a.png", photo)
    np.testing.assert_array_equal(subject.colorize(tmp_path / "a.png"), colored)
    np.testing.assert_array_equal(subject.colorize(str(tmp_path / "a.png")), colored)


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((4, 4, 3), np.float32),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((1, 4, 4, 3), np.uint8),
        np.zeros((0, 4, 3), np.uint8),
        None,
    ],
)
def test_other_arrays_are_refused(subject, picture):
    with pytest.raises(decode.PictureError, match="Received: .*dtype=.*shape="):
        subject.colorize(picture)


def test_what_is_no_model(chroma, tmp_path, monkeypatch):
    monkeypatch.setattr(colorizer, "RELEASED_MODEL", tmp_path / "chroma")
    with pytest.raises(colorizer.ModelError, match="--model"):
        colorizer.Colorizer()
    with pytest.raises(colorizer.ModelError, match="no such folder"):
        colorizer.Colorizer(tmp_path / "none")
    with pytest.raises(colorizer.ModelError, match="a file"):
        colorizer.Colorizer(chroma / "README.md")
    with pytest.raises(colorizer.ModelError, match="colorization.json"):
        colorizer.Colorizer(tmp_path)


def test_a_model_of_another_program_is_not_loaded(tmp_path, monkeypatch):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    monkeypatch.setattr(tf.saved_model, "load", None)
    with pytest.raises(colorizer.ModelError, match="colorization.export wrote"):
        colorizer.Colorizer(tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("saved_model.pb", b"\xff\xff\xff"),
        ("saved_model.pb", None),
        ("variables/variables.index", b"torn"),
        ("variables/variables.data-00000-of-00001", b""),
        ("assets.extra/colorization.json", b"{torn"),
        ("assets.extra/colorization.json", b"[]"),
    ],
)
def test_a_damaged_model_is_named_in_one_line(name, content, chroma, tmp_path):
    shutil.copytree(chroma / "2", tmp_path / "1")
    path = tmp_path / "1" / name
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(colorizer.ModelError, match="again") as caught:
        colorizer.Colorizer(tmp_path)
    assert "\n" not in str(caught.value)


def test_a_model_without_the_calls_is_refused(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path))
    (tmp_path / "assets.extra").mkdir()
    (tmp_path / colorizer.DESCRIPTION).write_text("{}")
    with pytest.raises(colorizer.ModelError, match="predict and apply"):
        colorizer.Colorizer(tmp_path)
