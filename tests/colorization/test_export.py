"""The export command: what it refuses, before any work, and what it writes."""

import dataclasses
import json

import pytest

from colorization import export, train
from colorization.config import ConfigError
from tests.command_line import call


def run(*arguments):
    return call("colorization.export", *arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "export takes --model_dir=RUN"),
        (["--model_dir=run", "--quantize=int8"], "--quantize, --data and --input_size are for"),
        (["--model_dir=run", "--data=samples"], "--quantize, --data and --input_size are for"),
        (["--model_dir=run", "--input_size=64x64"], "--quantize, --data and --input_size are for"),
    ],
)
def test_flags_that_do_not_fit_are_one_line(arguments, message):
    status, output, errors = run(*arguments)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"Error: {message}")


def test_help_names_every_signature():
    _, output, _ = run("--help")
    for name in (
        "serving_default",
        "arrays",
        "chroma",
        "variants",
        "client",
        "--quantize",
        "--checkpoint",
    ):
        assert name in output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"quantize": "int8"}, "needs --data, pictures to measure on"),
        ({"quantize": "float16", "data": "samples"}, "needs --data, pictures to measure on"),
        ({"input_size": "64"}, "HEIGHTxWIDTH, such as 256x384. Received: 64."),
        ({"input_size": "64x-2"}, "HEIGHTxWIDTH"),
    ],
)
def test_a_tflite_export_that_cannot_be_is_refused(options, message, tmp_path):
    with pytest.raises(ConfigError, match=message):
        export.export_tflite(str(tmp_path / "run"), str(tmp_path / "model"), **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("option", ["second_scale", "smoothing"])
def test_networks_of_noise_are_asked_once_and_as_they_are(option, tmp_path):
    recipe = "--generator=colornet\n--codec=lab\n--noise_size=6\n"
    (tmp_path / "recipe.flags").write_text(recipe)
    with pytest.raises(ConfigError, match=f"{option}=0.5 for a run of --noise_size=6"):
        export.open_run(str(tmp_path), export.Settings(**{option: 0.5}))


@pytest.mark.parametrize("text", ["0.8,0", "0.8,0,0,0", "0.8,red,0", "nan,0,0", ""])
def test_a_balance_is_three_numbers(text, tmp_path):
    status, output, errors = run(f"--model_dir={tmp_path}", f"--balance={text}")
    assert (status, output) == (1, "")
    assert errors == f"Error: --balance is three numbers, such as 0.8,0,0. Received: {text}.\n"


def test_a_balance_takes_a_network_that_predicts_a_distribution(tmp_path):
    (tmp_path / "recipe.flags").write_text("--generator=unet\n--codec=lab\n")
    with pytest.raises(ConfigError, match="--balance is for .* a run of --codec=lab. Leave it out"):
        export.open_run(str(tmp_path), export.Settings(balance=(0.8, 0.0, 0.0)))


@pytest.mark.slow
def test_a_run_keeps_the_balance_of_the_model_it_started_from(classified_run, tmp_path):
    model, folder = str(tmp_path / "model"), tmp_path / "run"
    export.export(classified_run.model_dir, model, balance=(0.8, 0.0, -0.5))
    config = dataclasses.replace(classified_run, model_dir=str(folder), start_from=model, epochs=1)
    train.train(config)
    assert export.open_run(str(folder))[1]["balance"] == [0.8, 0.0, -0.5]


@pytest.mark.slow
def test_a_run_becomes_a_tflite_model(tmp_path, finished_run, picture_folder):
    pytest.importorskip("ai_edge_quantizer")
    from colorization.serving import tflite

    config = finished_run.config
    options = {"quantize": "int8", "data": f"folder:{picture_folder}"}
    path = export.export_tflite(config.model_dir, str(tmp_path / "small"), **options)
    assert path == str(tmp_path / "small/small_int8.tflite")
    with open(path, "rb") as file:
        about = tflite.read_metadata(file.read())
    assert (about["name"], about["version"], about["quantization"]) == ("small", 1, "int8")
    assert (about["working_size"], about["size_multiple"]) == (32, 4)
    assert config.model_dir not in json.dumps(about) and "folder:" not in json.dumps(about)
    with pytest.raises(ConfigError, match="--input_size is a multiple of 4 .* Received: 32x42"):
        export.export_tflite(config.model_dir, str(tmp_path / "small"), input_size="32x42")
    fixed = export.export_tflite(config.model_dir, str(tmp_path / "small"), input_size="32x48")
    assert fixed.endswith("/small_none_32x48.tflite")
    assert about["codec"] == "lab"
