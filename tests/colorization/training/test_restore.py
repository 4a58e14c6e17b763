"""A run's generator alone, and what other runs start from."""

import dataclasses
import json
import pathlib
import shutil

import h5py
import keras
import numpy as np
import pytest

from colorization import export, train
from colorization.config import Config, ConfigError, knobs
from colorization.flags import format_flags
from colorization.training import restore
from colorization.training.networks import build_generator, build_networks
from colorization.training.optimizer import averaged_weights
from pipelines.color import bins

UNET = dict(image_size=32, base_filters=4, depth=2)
ADVERSARIAL = UNET | dict(
    batch_size=4,
    epochs=2,
    steps_per_epoch=2,
    ema=0.5,
    discriminator="patch",
    discriminator_filters=4,
    discriminator_depth=1,
    precision="float16",
    pretrain_epochs=1,
)


def _assert_equal(weights, expected):
    for ours, theirs in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["classification", "adversarial"])
def test_the_generator_is_restored_alone_with_its_average(
    kind, classified_run, picture_folder, tmp_path
):
    config = classified_run
    if kind == "adversarial":
        data = {"data": f"folder:{picture_folder}", "model_dir": str(tmp_path / "run")}
        config = Config(**ADVERSARIAL, **data)
    # Of a finished run, only restores it.
    model = train.train(config)
    network, epoch = restore.trained_generator(config, config.model_dir)
    with averaged_weights(getattr(model, "generator", model), model.optimizer) as averaged:
        _assert_equal(network.get_weights(), averaged.get_weights())
    assert epoch == config.epochs and network.compute_dtype == "float32"


@pytest.mark.slow
def test_what_a_run_was_made_of_is_neither_looked_for_nor_published(finished_run, tmp_path):
    config = finished_run.config
    shutil.copytree(config.model_dir, tmp_path / "run")
    gone = {name: f"gone/{name}" for name in knobs(local=True)} | {
        "data": "folder:gone",
        "val_data": "folder:gone",
        "cache": "none",
        # These belong to other networks, or to other runs: see the test below.
        "encoder_weights": "",
        "feature_weights": "",
    }
    recipe = format_flags(dataclasses.replace(config, **gone))
    (tmp_path / "run/recipe.flags").write_text(recipe)
    graph, described = export.open_run(str(tmp_path / "run"))
    assert graph.network.count_params() > 0
    assert "gone" not in json.dumps(described)
    published = {line.partition("=")[0].lstrip("-") for line in described["recipe"]}
    assert not published & set(knobs(local=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [
        {"generator": "pretrained_unet"},
        {"generator": "chroma", "codec": "hinted_ab", "loss": "quantized_crossentropy"},
    ],
    ids=lambda network: network["generator"],
)
def test_pretrained_weights_are_not_looked_for(network):
    config = Config(**network, encoder_weights="gone.h5")
    assert build_generator(config, pretrained=False).count_params() > 0


def _beginning(finished_run, model_dir, place, **changes):
    options = {"model_dir": str(model_dir), "start_from": str(place), "epochs": 1} | changes
    return dataclasses.replace(finished_run.config, **options)


@pytest.mark.slow
def test_a_run_starts_from_what_another_became(finished_run, tmp_path):
    source = finished_run.config.model_dir
    network, _ = restore.trained_generator(finished_run.config, source)
    network.save(tmp_path / "old.keras")
    # What an exported model holds of it.
    version = tmp_path / "model" / "1"
    version.mkdir(parents=True)
    published = version / restore.WEIGHTS
    restore.publish_weights(source, "latest", str(published))
    network.save_weights(tmp_path / "whole.weights.h5")
    assert published.stat().st_size < 0.8 * (tmp_path / "whole.weights.h5").stat().st_size
    places = {
        source: 0,
        tmp_path / "old.keras": 0,
        tmp_path / "model": 1e-3,
        version: 1e-3,
        published: 1e-3,
    }
    for place, rtol in places.items():
        weights, origin = restore.starting_weights(_beginning(finished_run, "run", place))
        for ours, theirs in zip(weights, network.get_weights(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=1e-7)
        assert pathlib.Path(origin["path"]) in (pathlib.Path(place), published)
    # A learning rate of 0 leaves them as they are.
    config = _beginning(finished_run, tmp_path / "new", published, learning_rate=0.0, seed=9)
    model = train.train(config)
    for ours, theirs in zip(model.trainable_variables, network.trainable_variables, strict=True):
        np.testing.assert_allclose(ours.numpy(), theirs.numpy(), rtol=1e-3, atol=1e-7)
    noted = json.loads((tmp_path / "new/environment.json").read_text())["started_from"]
    assert noted == {"path": str(published)}


@pytest.mark.slow
def test_a_run_that_started_from_an_exported_model_colors_as_that_one_does(finished_run, tmp_path):
    chosen = {"working_size": 64, "saturation": 1.2, "smoothing": 0.1, "second_scale": 0.5}
    source, model = finished_run.config.model_dir, tmp_path / "model"
    export.export(source, str(model), **chosen)
    first = _beginning(finished_run, tmp_path / "first", model)
    train.train(first)
    # Neither the model nor a run between is needed any more.
    second = _beginning(finished_run, tmp_path / "second", first.model_dir)
    train.train(second)
    shutil.rmtree(model)
    shutil.rmtree(first.model_dir)
    _, ours = export.open_run(second.model_dir)
    assert {name: ours[name] for name in chosen} == chosen
    _, other = export.open_run(second.model_dir, export.Settings(working_size=0, saturation=1.0))
    assert (other["working_size"], other["saturation"], other["smoothing"]) == (32, 1.0, 0.1)


@pytest.mark.slow
def test_an_interrupted_start_resumes_without_its_origin(finished_run, tmp_path):
    shutil.copytree(finished_run.config.model_dir, tmp_path / "origin")
    # Of no schedule, so that a run of one epoch and then of two is a run of two.
    changes = {"epochs": 2, "schedule": "constant", "seed": 4}
    config = _beginning(finished_run, tmp_path / "whole", tmp_path / "origin", **changes)
    whole = train.train(config)
    config = dataclasses.replace(config, model_dir=str(tmp_path / "broken"))
    train.train(dataclasses.replace(config, epochs=1))
    shutil.rmtree(tmp_path / "origin")
    resumed = train.train(config)
    _assert_equal(resumed.get_weights(), whole.get_weights())
    noted = json.loads((tmp_path / "broken/environment.json").read_text())["started_from"]
    assert noted == {"path": str(tmp_path / "origin"), "epochs": 4}


def _start(place, **changes):
    return restore.starting_weights(Config(start_from=str(place), **(UNET | changes)))


def test_places_without_weights_are_refused(tmp_path):
    for place in (tmp_path / "gone", tmp_path):
        with pytest.raises(ConfigError, match="--start_from names .* Received: ") as caught:
            _start(place)
        assert "\n" not in str(caught.value)
    for name in ("a.weights.h5", "a.keras"):
        (tmp_path / name).write_text("no weights")
        with pytest.raises(ConfigError, match=f"--start_from=.*{name}"):
            _start(tmp_path / name)


def test_another_network_is_refused(tmp_path):
    config = Config(model_dir=str(tmp_path / "run"), **(UNET | {"base_filters": 3}))
    (tmp_path / "run").mkdir()
    (tmp_path / "run/recipe.flags").write_text(format_flags(config))
    with pytest.raises(
        ConfigError, match="another network: --base_filters=3 there, --base_filters=4 here. Give"
    ):
        _start(tmp_path / "run")
    with pytest.raises(ConfigError, match="--codec=lab there, --codec=lab_128 here"):
        _start(tmp_path / "run", codec="lab_128", base_filters=3)


def test_files_of_another_network_are_refused(tmp_path):
    other = build_generator(Config(**(UNET | {"base_filters": 3})))
    other.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(ConfigError, match="does not hold weights of `unet` as these flags make it"):
        _start(tmp_path / "a.weights.h5")
    with h5py.File(tmp_path / "a.weights.h5", "r+") as file:
        flags = restore._network_flags(Config(**(UNET | {"base_filters": 3})))
        file.attrs["recipe"] = json.dumps(flags)
    with pytest.raises(ConfigError, match="--base_filters=3 there, --base_filters=4 here"):
        _start(tmp_path / "a.weights.h5")
    other.save(tmp_path / "a.keras")
    with pytest.raises(ConfigError, match="their number or shapes differ"):
        _start(tmp_path / "a.keras")


@pytest.mark.slow
def test_a_balance_multiplies_odds_by_where_a_color_lies(classified_run):
    config = classified_run
    a, b = bins.bin_centers().T.astype(np.float64)
    condition = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype(np.float32)

    def probabilities(balance):
        network, epoch = restore.trained_generator(config, config.model_dir, balance=balance)
        assert epoch == config.epochs
        odds = np.exp(network(condition).numpy().astype(np.float64))
        return odds / odds.sum(axis=-1, keepdims=True)

    expected = probabilities(None) * np.exp((3 * a - 2 * b + np.hypot(a, b)) / 100)
    expected /= expected.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(probabilities([3, -2, 1]), expected, rtol=1e-4)


def test_a_run_in_half_precision_leaves_the_policy_of_keras_alone():
    networks = build_networks(Config(**ADVERSARIAL), steps_per_epoch=1)
    assert networks.generator.layers[1].compute_dtype == "float16"
    assert keras.config.dtype_policy().name == "float32"
