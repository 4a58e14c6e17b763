"""Exported models."""

import io
import json
import os

import cv2
import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from colorization import export, train
from colorization.config import Config, ConfigError
from colorization.inference import graph
from colorization.inference.colorizer import Colorizer
from colorization.inference.model_folder import LITE
from colorization.serving import tflite, versions
from colorization.serving.versions import ExportError
from colorization.training import restore
from colorization.training.state import TrainingError
from pipelines.color import codecs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run of two epochs on random pictures."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "pictures").mkdir()
    random = np.random.default_rng(0)
    for index in range(4):
        picture = cv2.resize(random.integers(0, 256, (3, 3, 3), dtype=np.uint8), (40, 40))
        cv2.imwrite(str(folder / f"pictures/{index}.png"), picture)
    config = Config(
        data=f"folder:{folder}/pictures",
        model_dir=str(folder / "run"),
        depth=2,
        base_filters=4,
        image_size=32,
        batch_size=2,
        epochs=2,
        ema=0.5,
    )
    train.train(config)
    return config.model_dir


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    output = tmp_path_factory.mktemp("models") / "small"
    return export.export(run, str(output)), output


@pytest.fixture(scope="module")
def loaded(exported):
    return tf.saved_model.load(exported[0])


def random_photo(*size):
    return np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)


def png(photo):
    return cv2.imencode(".png", photo[..., [2, 1, 0, *range(3, photo.shape[2])]])[1].tobytes()


def pixels(data):
    photo = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return photo[..., [2, 1, 0, *range(3, photo.shape[2])]]


def assert_near(found, expected):
    """At most a level of 8 or 16 bits apart: the graph computes full size with TensorFlow."""
    assert found.dtype == expected.dtype
    assert np.abs(found.astype(int) - expected).max() <= (1 if found.dtype == np.uint8 else 16)


def color_files(loaded, *files):
    return loaded.signatures["serving_default"](tf.constant(files))["image_bytes"].numpy()


def test_arrays_keep_size_type_and_lightness(loaded):
    from skimage.color import rgb2lab

    photos = random_photo(2, 45, 30)[..., :1].repeat(3, axis=-1)
    colored = loaded.signatures["arrays"](images=tf.constant(photos))["images"]
    assert colored.shape == photos.shape and colored.dtype == tf.uint8
    difference = rgb2lab(colored.numpy())[..., 0] - rgb2lab(photos)[..., 0]
    assert np.abs(difference).max() <= 1


def test_files_of_different_sizes_are_colored_as_their_arrays_are(loaded, exported):
    photos = [random_photo(*size) for size in ((45, 30), (1, 1), (20, 90))]
    colorizer = Colorizer(exported[0])
    for photo, data in zip(photos, color_files(loaded, *map(png, photos)), strict=True):
        assert_near(pixels(data), colorizer.colorize(photo))


def test_sixteen_bits_and_transparency_stay(loaded, exported):
    photo = random_photo(30, 20).astype(np.uint16) * 257
    alpha = np.arange(600, dtype=np.uint16).reshape(30, 20, 1)
    (data,) = color_files(loaded, png(np.concatenate([photo, alpha], axis=-1)))
    colored = pixels(data)
    np.testing.assert_array_equal(colored[..., 3:], alpha)
    assert_near(colored[..., :3], Colorizer(exported[0]).colorize(photo))


def test_jpeg_gives_jpeg_turned_upright(loaded):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(random_photo(40, 24)).save(file, "JPEG", exif=exif)
    (data,) = color_files(loaded, file.getvalue())
    picture = Image.open(io.BytesIO(data))
    assert (picture.format, picture.size) == ("JPEG", (40, 24))
    assert picture.getexif().get(0x0112, 1) == 1


@pytest.mark.parametrize("bad", [b"text", b"", png(np.zeros((9, 9, 3), np.uint8))[:-30]])
def test_a_bad_file_is_named_and_the_next_call_works(loaded, bad):
    good = png(random_photo(5, 4))
    with pytest.raises(tf.errors.InvalidArgumentError, match="item 2 of 3: "):
        color_files(loaded, good, bad, good)
    assert len(color_files(loaded, good)) == 1


def test_no_files_are_no_files(loaded):
    nothing = loaded.signatures["serving_default"](tf.constant([], tf.string))["image_bytes"]
    assert nothing.shape == (0,)


def test_chroma_of_any_size_is_that_of_the_photo(loaded):
    from skimage.color import lab2rgb, rgb2lab

    photo = cv2.resize(random_photo(4, 3), (31, 45))[..., :1].repeat(3, axis=-1)
    lightness = rgb2lab(photo)[None, ..., :1].astype(np.float32)
    ab = loaded.signatures["chroma"](lightness=tf.constant(lightness))["ab"]
    assert ab.shape == (1, 45, 31, 2)
    # Halfway to gray all of it lies in the gamut, or nearly.
    expected = loaded.signatures["arrays"](images=tf.constant(photo[None]))["images"].numpy()
    colored = lab2rgb(np.concatenate([lightness, ab], axis=-1)) * 255
    assert np.median(np.abs(colored - expected)) <= 1


@pytest.mark.slow
def test_a_session_as_tf_serving_runs_it_gives_the_same(loaded, exported):
    files = [png(random_photo(45, 30)), png(random_photo(7, 9))]
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        meta = tf.compat.v1.saved_model.loader.load(session, ["serve"], exported[0])
        signature = meta.signature_def["serving_default"]
        given, asked = (
            next(iter(side.values())).name for side in (signature.inputs, signature.outputs)
        )
        colored = session.run(asked, {given: files})
        with pytest.raises(tf.errors.InvalidArgumentError, match="item 1 of 1: "):
            session.run(asked, {given: [b"text"]})
    assert list(colored) == list(color_files(loaded, *files))


@pytest.mark.slow
def test_variants_are_several_files_that_a_seed_repeats(tmp_path):
    """Of the codec of the released model, with all that it can be asked for."""
    codec = codecs.CODECS["hinted_ab"]
    condition = keras.Input((None, None, codec.condition_channels))
    network = keras.Model(
        condition, keras.layers.Conv2D(codec.num_outputs, 5, 4, "same")(condition)
    )
    for weight in network.weights:
        weight.assign(np.random.default_rng(0).normal(0, 0.3, weight.shape))
    subject = graph.ColorizationGraph(network, codec, 32, 16)
    model = versions.save(subject, str(tmp_path / "model"), 1, {})
    loaded = tf.saved_model.load(model)
    noise = np.random.default_rng(1).integers(0, 256, (5, 5, 3), dtype=np.uint8)
    photo = cv2.resize(noise, (64, 64), interpolation=cv2.INTER_CUBIC)

    def variants(seed, count):
        numbers = {"seed": tf.constant(seed), "count": tf.constant(count)}
        found = loaded.signatures["variants"](image_bytes=tf.constant(png(photo)), **numbers)
        return [pixels(data) for data in found["image_bytes"].numpy()]

    expected = Colorizer(model).variants(photo, 4, seed=3)
    for one, other in zip(variants(3, 4), expected, strict=True):
        assert_near(one, other)
    assert len(expected) > 1 and len(variants(3, 1)) == 1
    for seed, count in ((-1, 2), (0, 0), (0, 26)):
        with pytest.raises(tf.errors.InvalidArgumentError, match="seed is at least 0, and count"):
            variants(seed, count)


def test_the_signature_and_the_colorizer_agree(exported):
    noise = np.random.default_rng(1).integers(0, 256, (5, 3, 3), dtype=np.uint8)
    photo = cv2.resize(noise, (30, 45))
    (colored,) = (
        tf.saved_model.load(exported[0])
        .signatures["arrays"](images=tf.constant(photo[None]))
        .values()
    )
    assert_near(Colorizer(exported[0]).colorize(photo), colored[0].numpy())


def test_the_description_holds_name_version_and_recipe(exported, run):
    with open(f"{exported[0]}/assets.extra/colorization.json") as file:
        description = json.load(file)
    assert (description["name"], description["version"], description["epochs"]) == ("small", 1, 2)
    assert description["working_size"] == 32
    assert "--generator=unet" in description["recipe"]
    assert restore.WEIGHTS in os.listdir(exported[0])
    assert str(run) not in json.dumps(description) and "folder:" not in json.dumps(description)


@pytest.fixture(scope="module")
def second(exported, run):
    """Path of a second version, of another working size, with a model for LiteRT beside it."""
    return export.export(run, str(exported[1]), working_size=64, lite=True)


def test_each_export_is_the_next_version_and_the_highest_is_loaded(exported, second):
    assert second.endswith("/small/2")
    assert Colorizer(exported[1]).description["working_size"] == 64


def test_a_model_for_litert_lies_beside_if_asked_for(exported, second):
    pytest.importorskip("ai_edge_litert")
    assert LITE not in os.listdir(exported[0])
    with open(os.path.join(second, LITE), "rb") as file:
        about = tflite.read_metadata(file.read())
    assert (about["name"], about["version"], about["quantization"]) == ("small", 2, "none")
    photo = random_photo(40, 50)
    both = [Colorizer(second, engine=name).colorize(photo) for name in ("litert", "saved_model")]
    assert_near(*both)


def test_a_version_is_never_overwritten(exported, run):
    with pytest.raises(ExportError, match="exists"):
        export.export(run, str(exported[1]), version=1)


def test_a_failed_export_leaves_nothing(run, tmp_path, monkeypatch):
    def fail(*arguments, **more):
        raise OSError("No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(ExportError, match="No space left"):
        export.export(run, str(tmp_path / "model"))
    assert list((tmp_path / "model").iterdir()) == []


def test_a_working_size_that_the_network_cannot_take_is_refused(run, tmp_path):
    with pytest.raises(ConfigError, match="multiple of 4"):
        export.export(run, str(tmp_path / "model"), working_size=42)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="recipe.flags"):
        export.export(str(tmp_path), str(tmp_path / "model"))


def test_a_run_without_a_checkpoint_is_refused(run, tmp_path):
    import shutil

    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoints")
    with pytest.raises(TrainingError, match="no checkpoint"):
        export.export(str(tmp_path / "run"), str(tmp_path / "model"))
