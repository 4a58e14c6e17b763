"""Flags: a `Config` as text and back, and the recipes that are such texts."""

import dataclasses
import functools
import pathlib

import pytest
from absl import flags as absl_flags

from colorization import flags
from colorization.config import Config, ConfigError
from tests.command_line import call

ROOT = pathlib.Path(__file__).parents[2]
RECIPES = sorted((ROOT / "colorization" / "recipes").glob("*.flags"))
FIELDS = {field.name: field for field in dataclasses.fields(Config)}
# Runs of which every knob has another value than its default in one.
QUANTIZED = Config(
    model_dir="runs/a run",
    data="folder:a b/c,folder:d#e",
    val_data="tfds:mnist:test[:10%]",
    exclude="audit/exclude.txt",
    white_background=0.1,
    codec="quantized_ab",
    generator="residual",
    base_filters=3,
    loss="quantized_crossentropy",
    monitor="psnr",
    monitor_every=3,
    monitor_pictures=37,
    uniform_share=1 / 3,
    temperature=1.0,
    image_size=48,
    crop_area=0.07,
    flip=False,
    lightness_jitter=0.5,
    aging=0.25,
    cache="memory",
    shuffle_buffer=7,
    batch_size=9,
    epochs=11,
    steps_per_epoch=13,
    seed=2**32 - 1,
    learning_rate=0.1 + 0.2,
    beta_1=0.0,
    beta_2=0.99,
    weight_decay=1e-30,
    clip_norm=2.5,
    schedule="step",
    warmup_steps=17,
    decay_epochs=19,
    decay_factor=0.3,
    patience=23,
    early_stopping=29,
    ema=0.9,
    precision="bfloat16",
    xla=True,
    logical_devices=2,
    keep_checkpoints=31,
    dry_run=True,
)


CRITIC = Config(
    generator="colornet",
    start_from="runs/older",
    downsampling="strided",
    upsampling="resize",
    leaky_slope=0.2,
    noise_size=7,
    noise_injection="map",
    discriminator="whole",
    discriminator_filters=5,
    discriminator_depth=2,
    discriminator_norm=False,
    discriminator_dropout=0.3,
    loss_weight=1e-7,
    adversarial_loss="hinge",
    gradient_penalty=10.0,
    perceptual_weight=5.0,
    feature_weights="net.h5",
    pretrain_epochs=3,
    generator_every=5,
)
PRETRAINED = Config(
    generator="pretrained_unet",
    encoder="resnet50",
    encoder_weights="imagenet",
    data_service="localhost:5000",
    discriminator="patch",
    label_smoothing=0.1,
    discriminator_every=3,
)
UNET = Config(depth=3, dropout=0.1)
OTHERS = [QUANTIZED, CRITIC, PRETRAINED, UNET]


def test_the_other_runs_differ_everywhere():
    defaults = {name: field.default for name, field in FIELDS.items()}
    changed = {name for name in FIELDS for run in OTHERS if getattr(run, name) != defaults[name]}
    assert changed == set(FIELDS)


@pytest.mark.parametrize("settings", [Config(), *OTHERS])
def test_text_and_back(settings, tmp_path):
    path = tmp_path / "recipe.flags"
    path.write_text(flags.format_flags(settings))
    assert flags.parse_flagfile(path) == settings
    assert len(path.read_text().splitlines()) == len(FIELDS)


def test_a_recipe_may_leave_out_and_comment(tmp_path):
    path = tmp_path / "recipe.flags"
    path.write_text("# Why.\n\n--epochs=3\n--noflip\n  --xla=true\n")
    assert flags.parse_flagfile(path) == Config(epochs=3, flip=False, xla=True)


@pytest.mark.parametrize(
    "text, message",
    [
        ("--nonsense=3\n", "recipe of this version: .*nonsense"),
        ("--epochs=many\n", "recipe of this version: .*--epochs=many"),
        ("--flip=perhaps\n", "recipe of this version: .*--flip=perhaps"),
        ("--codec=cubist\n", "--codec is one of lab, .*'cubist'"),
        ("--epochs=0\n", "--epochs is at least 1. Received: 0"),
        ("--image_size=100\n", "multiples of 256"),
        ("epochs=3\n", "holds flags only. Received: epochs=3"),
        (None, "recipe of this version: .*No such file"),
    ],
)
def test_wrong_recipes(text, message, tmp_path):
    path = tmp_path / "recipe.flags"
    if text:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message) as caught:
        flags.parse_flagfile(path)
    assert "\n" not in str(caught.value)


def test_command_line_to_config(monkeypatch):
    own = absl_flags.FlagValues()
    monkeypatch.setattr(absl_flags, "FLAGS", own)
    definers = {
        kind: functools.partial(define, flag_values=own) for kind, define in flags._DEFINERS.items()
    }
    monkeypatch.setattr(flags, "_DEFINERS", definers)
    enum = functools.partial(absl_flags.DEFINE_enum, flag_values=own)
    monkeypatch.setattr(absl_flags, "DEFINE_enum", enum)
    flags.define_config_flags()
    own(["train", *flags.format_flags(QUANTIZED).splitlines()])
    assert flags.config_from_flags() == QUANTIZED
    with pytest.raises(absl_flags.IllegalFlagValueError, match="--codec=cubist"):
        own(["train", "--codec=cubist"])


def test_help_lists_every_knob():
    status, output, errors = call("colorization.train", "--help")
    # absl's own status for help.
    assert status == 1 and not errors
    text = " ".join(output.split())
    for name, field in FIELDS.items():
        name = f"[no]{name}" if field.type is bool else name
        assert f"--{name}:" in text
        assert " ".join(field.metadata["help"].split()) in text
    assert "--codec: <lab|lab_offset|" in text


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_state_what_differs_and_no_more(path):
    assert flags.parse_flagfile(path) != Config()
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    for line in lines:
        assert line.startswith("--"), line
        name = line[2:].partition("=")[0]
        name = name if name in FIELDS else name.removeprefix("no")
        stated = getattr(flags.parse_flagfile(path), name)
        assert stated != FIELDS[name].default, f"{line} is the default"
        assert name not in ("data", "val_data", "model_dir", "dry_run"), f"{line} is no recipe's"
    assert len(lines) == len(set(lines))


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipes_say_how_they_are_run(path):
    header = path.read_text()
    assert f"python -m colorization.train --flagfile=colorization/recipes/{path.name}" in header
    assert "# Data:" in header


def test_there_are_recipes():
    assert {path.stem for path in RECIPES} >= {"chroma", "pix2pix"}


@pytest.mark.parametrize("words", [["--recipe=chroma"], ["--recipe", "chroma"]])
def test_a_recipe_is_found_by_its_name(words, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    program, flagfile, last = flags.expand_recipe(["train", *words, "--epochs=3"])
    assert (program, last) == ("train", "--epochs=3")
    expected = flags.parse_flagfile(ROOT / "colorization" / "recipes" / "chroma.flags")
    assert flags.parse_flagfile(flagfile.removeprefix("--flagfile=")) == expected


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("--recipe=chorma", r"one of .*, chroma, .*Received: chorma\. Did you mean chroma"),
        ("--recipe=mine.flags", "Received: mine.flags. A file of your own goes to --flagfile"),
        ("--recipe", "Received: nothing"),
    ],
)
def test_recipes_that_are_none(word, message):
    with pytest.raises(ConfigError, match=message):
        flags.expand_recipe(["train", word])


def test_a_recipe_within_a_flagfile_is_refused(tmp_path):
    (tmp_path / "mine.flags").write_text("--recipe=chroma\n--epochs=3\n")
    status, _, errors = call("colorization.train", f"--flagfile={tmp_path}/mine.flags")
    assert status == 1 and errors.startswith("Error: --recipe is given on the command line.")
