"""Exported models."""

import json

import cv2
import numpy as np
import pytest
import tensorflow as tf

from colorization import export, train
from colorization.config import Config, ConfigError
from colorization.inference.colorizer import Colorizer
from colorization.serving.saved_model import ExportError
from colorization.training.checkpoints import TrainingError


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
        depth=4,
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


def test_both_signatures_keep_size_type_and_lightness(exported):
    loaded = tf.saved_model.load(exported[0])
    photos = np.random.default_rng(1).integers(0, 256, (2, 45, 30, 1), dtype=np.uint8)
    photos = np.repeat(photos, 3, axis=-1)
    for name in ("arrays", "serving_default"):
        (colored,) = loaded.signatures[name](images=tf.constant(photos)).values()
        assert colored.shape == photos.shape and colored.dtype == tf.uint8
        from skimage.color import rgb2lab

        difference = rgb2lab(colored.numpy())[..., 0] - rgb2lab(photos)[..., 0]
        assert np.abs(difference).max() <= 1


def test_the_signature_and_the_colorizer_agree(exported):
    photo = np.random.default_rng(1).integers(0, 256, (45, 30, 3), dtype=np.uint8)
    (colored,) = (
        tf.saved_model.load(exported[0])
        .signatures["arrays"](images=tf.constant(photo[None]))
        .values()
    )
    np.testing.assert_array_equal(Colorizer(exported[0]).colorize(photo), colored[0])


def test_the_description_holds_name_version_and_recipe(exported, run):
    with open(f"{exported[0]}/assets.extra/colorization.json") as file:
        description = json.load(file)
    assert (description["name"], description["version"], description["epochs"]) == ("small", 1, 2)
    assert description["working_size"] == 32
    assert "--generator=unet" in description["recipe"]
    assert str(run) not in json.dumps(description) and "folder:" not in json.dumps(description)


def test_each_export_is_the_next_version_and_the_highest_is_loaded(exported, run):
    path = export.export(run, str(exported[1]), working_size=64)
    assert path.endswith("/small/2")
    assert Colorizer(exported[1]).description["working_size"] == 64


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
    with pytest.raises(ConfigError, match="multiple of 16"):
        export.export(run, str(tmp_path / "model"), working_size=40)


def test_what_is_no_run_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="recipe.flags"):
        export.export(str(tmp_path), str(tmp_path / "model"))


def test_a_run_without_a_checkpoint_is_refused(run, tmp_path):
    import shutil

    shutil.copytree(run, tmp_path / "run")
    shutil.rmtree(tmp_path / "run/checkpoints")
    with pytest.raises(TrainingError, match="no checkpoint"):
        export.export(str(tmp_path / "run"), str(tmp_path / "model"))
