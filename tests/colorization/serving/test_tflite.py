"""Models for LiteRT: the same colors as Keras, no TensorFlow needed, and what is said of them."""

import pathlib
import runpy
import subprocess
import sys

import cv2
import keras
import numpy as np
import pytest
import skimage.data
from PIL import Image

from colorization.inference import graph
from colorization.serving import tflite
from colorization.serving.versions import ExportError
from pipelines.color import codecs
from pipelines.sources import opener

interpreter = pytest.importorskip("ai_edge_litert.interpreter")
EXAMPLE = pathlib.Path(__file__).parents[3] / "examples/tflite_colorize.py"
ABOUT = {"name": "small", "version": 1, "working_size": 64, "size_multiple": 16}


@pytest.fixture(scope="module")
def subject():
    """A graph of random weights that gives several colors."""
    codec = codecs.CODECS["quantized_ab"]
    condition = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(64, 5, 4, "same", activation="relu")(condition)
    hidden = keras.layers.Conv2D(64, 3, 1, "same", activation="relu")(hidden)
    network = keras.Model(condition, keras.layers.Conv2D(codec.num_outputs, 1)(hidden), name="net")
    for weight in network.weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.1, weight.shape))
    return graph.ColorizationGraph(network, codec, 64, 16)


@pytest.fixture(scope="module")
def content(subject):
    return tflite.convert(subject, ABOUT)


def seen(*sizes):
    photo = skimage.data.camera()
    small = [cv2.resize(photo, size[::-1]).astype(np.float32) / 2.55 for size in sizes]
    return [picture[None, ..., None] for picture in small]


def run(content, lightness):
    signature = interpreter.Interpreter(model_content=content).get_signature_runner()
    inputs = {"lightness": lightness}
    if "hints" in signature.get_input_details():
        inputs["hints"] = np.repeat(np.zeros_like(lightness), 3, axis=-1)
    return signature(**inputs)["coefficients"]


def ab(coefficients, lightness):
    return coefficients[..., :2] * lightness + coefficients[..., 2:]


# The others differ from these in numbers alone.
@pytest.mark.parametrize("codec", ["gray_rgb", "hinted_ab", "lab", "quantized_ab"])
@pytest.mark.slow
def test_every_codec_needs_only_operations_of_litert(codec):
    codec = codecs.CODECS[codec]
    condition = keras.Input((None, None, codec.condition_channels))
    network = keras.Model(
        condition, keras.layers.Conv2D(codec.num_outputs, 5, 4, "same")(condition)
    )
    small = graph.ColorizationGraph(network, codec, 64, 16)
    (lightness,) = seen((64, 96))
    # Others would fail at the allocation of tensors.
    found = run(tflite.convert(small, ABOUT), lightness)
    expected = small.coefficients(lightness).numpy()
    np.testing.assert_allclose(ab(found, lightness), ab(expected, lightness), atol=0.05)


@pytest.mark.slow
def test_a_float_model_of_any_size_gives_the_ab_of_keras(subject, content):
    signature = interpreter.Interpreter(model_content=content).get_signature_runner()
    for lightness in seen((64, 64), (64, 112), (16, 256), (64, 64)):
        found = signature(lightness=lightness)["coefficients"]
        expected = subject.coefficients(lightness)
        np.testing.assert_allclose(ab(found, lightness), ab(expected, lightness), atol=0.01)


@pytest.mark.slow
def test_a_model_of_one_size_has_that_size_from_the_start(subject):
    fixed = tflite.convert(subject, ABOUT, (64, 96))
    plain = interpreter.Interpreter(model_content=fixed)
    (entry,) = plain.get_input_details()
    assert entry["shape"].tolist() == entry["shape_signature"].tolist() == [1, 64, 96, 1]
    assert tflite.read_metadata(fixed)["input_size"] == [64, 96]
    (lightness,) = seen((64, 96))
    expected = subject.coefficients(lightness)
    np.testing.assert_allclose(
        ab(run(fixed, lightness), lightness), ab(expected, lightness), atol=0.01
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "share", "distance"), [("float16", 0.6, 0.5), ("dynamic", 0.4, 4), ("int8", 0.4, 6)]
)
def test_quantized_models_are_smaller_near_and_still_say_what_they_are(
    subject, content, how, share, distance
):
    pytest.importorskip("ai_edge_quantizer")
    shown = seen((64, 64), (64, 96), (48, 64)) if how == "int8" else ()
    smaller = tflite.quantize(content, how, "net", shown)
    assert len(smaller) < share * len(content)
    assert tflite.read_metadata(smaller) == tflite.read_metadata(content)
    (lightness,) = seen((64, 80))
    expected = ab(subject.coefficients(lightness), lightness)
    apart = np.linalg.norm(ab(run(smaller, lightness), lightness) - expected, axis=-1)
    assert apart.mean() < distance < np.linalg.norm(expected, axis=-1).mean()


@pytest.mark.slow
def test_the_example_colors_as_the_graph_does_without_tensorflow(subject, content, tmp_path):
    (tmp_path / "model.tflite").write_bytes(content)
    program = (
        "import runpy, sys\nfor index in range(3):\n"
        "    sys.argv[1:] = ['model.tflite', f'photo_{index}.png', f'colored_{index}.png']\n"
        f"    runpy.run_path({str(EXAMPLE)!r}, run_name='__main__')\n"
        "assert 'tensorflow' not in sys.modules"
    )
    photos = skimage.data.astronaut()[::2, ::3], skimage.data.chelsea()[:1, :1]
    photos += (skimage.data.coffee()[::2, ::2],)
    for index, photo in enumerate(photos):
        Image.fromarray(photo).save(tmp_path / f"photo_{index}.png")
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, cwd=tmp_path)
    for index, photo in enumerate(photos):
        colored = np.asarray(Image.open(tmp_path / f"colored_{index}.png"))
        expected = subject.arrays(photo[None])[0].numpy()
        assert cv2.absdiff(colored, expected).max() <= 1


@pytest.mark.slow
def test_quantized_models_of_real_size_tell_the_example_what_they_are(tmp_path, monkeypatch):
    """The quantizer moves metadata of 1 KiB behind a flatbuffer of 256 KiB."""
    pytest.importorskip("ai_edge_quantizer")
    codec = codecs.CODECS["lab"]
    condition = keras.Input((None, None, 1))
    hidden = keras.layers.Conv2D(64, 5, 4, "same", activation="relu")(condition)
    hidden = keras.layers.Conv2D(256, 3, 1, "same", activation="relu")(hidden)
    network = keras.Model(condition, keras.layers.Conv2D(2, 1)(hidden), name="net")
    large = graph.ColorizationGraph(network, codec, 64, 16)
    exact = tflite.convert(large, ABOUT | {"recipe": "--flag\n" * 200})
    content = tflite.quantize(exact, "float16", "net")
    assert len(content) > 1 << 18
    assert tflite.read_metadata(content) == tflite.read_metadata(exact)
    (tmp_path / "model.tflite").write_bytes(content)
    gray = skimage.data.camera()[::4, ::4]
    Image.fromarray(gray).save(tmp_path / "8.png")
    Image.fromarray(gray * np.uint16(257)).save(tmp_path / "16.png")
    monkeypatch.chdir(tmp_path)
    for name in ("8", "16"):
        words = ["example", "model.tflite", f"{name}.png", f"{name}_colored.png"]
        monkeypatch.setattr(sys, "argv", words)
        runpy.run_path(str(EXAMPLE), run_name="__main__")
    expected = large.arrays(np.repeat(gray[None, ..., None], 3, axis=-1))[0].numpy()
    colored = [np.asarray(Image.open(f"{name}_colored.png")) for name in ("8", "16")]
    assert cv2.absdiff(colored[0], expected).max() <= 2
    np.testing.assert_array_equal(*colored)


@pytest.mark.slow
def test_metadata_is_what_was_written_and_the_interface(content):
    about = tflite.read_metadata(content)
    assert ABOUT.items() <= about.items()
    assert about["scaling"]["condition_scaling"] == {"divisor": 50.0, "shift": -50.0}
    assert about["input_size"] is None


def test_examples_are_pictures_as_the_network_sees_them(subject, picture_folder, tmp_path):
    source = opener.open_source(f"folder:{picture_folder}")
    found = tflite.examples(subject, source, 5)
    assert 3 <= len(found) <= 5
    assert all(one.shape[0] == 1 and one.shape[1] % 16 == one.shape[2] % 16 == 0 for one in found)
    (tmp_path / "bad.jpg").write_bytes(b"no picture")
    with pytest.raises(ExportError, match="expected a picture"):
        tflite.examples(subject, opener.open_source(f"folder:{tmp_path}"), 5)


def test_a_file_is_never_overwritten(tmp_path):
    path = tmp_path / "model.tflite"
    tflite.check_place(str(path), "none")
    assert tflite.write(str(path), b"model") == str(path)
    with pytest.raises(ExportError, match="exists. Remove it"):
        tflite.check_place(str(path), "none")
    assert [file.name for file in tmp_path.iterdir()] == ["model.tflite"]


def test_a_missing_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(tflite.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ExportError, match="pip install 'colorization\\[tflite\\]'"):
        tflite.check_place(str(tmp_path / "model.tflite"), "int8")
