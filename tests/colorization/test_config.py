"""Config: what no run can have is refused at the door, by the name of its flag."""

import ast
import dataclasses
import inspect
import subprocess
import sys

import pytest

from colorization import choices, config, models
from colorization.config import Config, ConfigError

FIELDS = {field.name: field for field in dataclasses.fields(Config)}
CHOICES = [name for name, field in FIELDS.items() if field.metadata["choices"]]
BOUNDS = [
    (name, side)
    for name, field in FIELDS.items()
    for side in ("minimum", "maximum")
    if field.metadata[side] is not None
]
FLOATS = [name for name, field in FIELDS.items() if field.type is float]


def test_every_knob_is_typed_and_described():
    for field in FIELDS.values():
        assert field.type in (str, int, float, bool) and type(field.default) is field.type
        assert field.metadata["help"].endswith("."), field.name
        assert field.type not in (int, float) or field.metadata["minimum"] is not None, field.name


def test_choices():
    for name in CHOICES:
        choices = FIELDS[name].metadata["choices"]
        expected = rf"^--{name} is one of {', '.join(choices)}\. Received: 'cubist'\.$"
        with pytest.raises(ConfigError, match=expected):
            Config(**{name: "cubist"})


def test_bounds():
    for name, side in BOUNDS:
        field, beyond = FIELDS[name], {"minimum": -1, "maximum": 1}[side]
        limit = field.metadata[side]
        value = limit + beyond * (1 if field.type is int else 1e-9)
        with pytest.raises(ConfigError, match=rf"^--{name} is .*{limit}.*Received: "):
            Config(**{name: value})
        try:
            Config(**{name: limit})
        except ConfigError as error:
            # The limit itself is fine, if not with every other default.
            assert not str(error).startswith((f"--{name} is at least", f"--{name} is from"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_are_finite(value):
    for name in FLOATS:
        with pytest.raises(ConfigError, match=f"^--{name} is a finite number. Received: {value}"):
            Config(**{name: value})


QUANTIZED = {"codec": "quantized_ab", "loss": "quantized_crossentropy", "generator": "residual"}
CROSS_CHECKS = {
    "unet size": (
        {"image_size": 150},
        "`unet` .* multiples of 256. Received: --image_size=150. Set --image_size=256, or a "
        r"smaller --depth \(now 8\)",
        {"image_size": 152, "depth": 3},
    ),
    "residual size": (
        {"generator": "residual", "image_size": 90},
        "`residual` .* multiples of 16. Received: --image_size=90. Set --image_size=96.",
        {"generator": "residual", "image_size": 96},
    ),
    "bins without their loss": (
        QUANTIZED | {"loss": "l1"},
        "Received: --codec=quantized_ab --loss=l1. Set both",
        QUANTIZED,
    ),
    "loss without its bins": (
        {"loss": "quantized_crossentropy"},
        "Received: --codec=lab --loss=quantized_crossentropy. Set both",
        {},
    ),
    "bins of a unet": (
        QUANTIZED | {"generator": "unet"},
        "takes --generator=residual. Received: --generator=unet",
        QUANTIZED,
    ),
    "bins before a judge of pixels": (
        QUANTIZED | {"discriminator": "patch"},
        "`patch` judges .* `residual` predicts at a quarter .* Set --discriminator=features or",
        QUANTIZED | {"discriminator": "features"},
    ),
    "a depth of features": (
        {"discriminator": "features", "discriminator_depth": 2},
        "belongs to `patch` and `whole`. Received: --discriminator=features",
        {"discriminator": "patch", "discriminator_depth": 2},
    ),
    "pretraining for nothing": (
        {"pretrain_epochs": 2},
        "--pretrain_epochs belongs to adversarial .* Set --discriminator=patch",
        {"pretrain_epochs": 2, "discriminator": "patch"},
    ),
    "a knob of another network": (
        {"noise_size": 10},
        "--noise_size belongs to `colornet`. Received: --generator=unet",
        {"noise_size": 10, "generator": "colornet"},
    ),
    "an encoder of another network": (
        {"encoder": "resnet50"},
        "--encoder belongs to `pretrained_unet`. Received: --generator=unet",
        {"encoder": "resnet50", "generator": "pretrained_unet"},
    ),
    "weights of another network": (
        {"encoder_weights": "imagenet"},
        "--encoder_weights belongs to `pretrained_unet` and `chroma`. Received: --generator=unet",
        {"encoder_weights": "imagenet", "generator": "pretrained_unet"},
    ),
    "a knob of the other discriminator": (
        {"discriminator": "patch", "discriminator_dropout": 0.1},
        "belongs to `whole`. Received: --discriminator=patch. Set --discriminator=whole, or",
        {"discriminator": "whole", "discriminator_dropout": 0.1},
    ),
    "two origins of weights": (
        {
            "start_from": "runs/a",
            "encoder_weights": "imagenet",
            "generator": "pretrained_unet",
        },
        "--start_from gives all weights .* Leave one of the two out",
        {"start_from": "runs/a", "generator": "pretrained_unet"},
    ),
    "a penalty beside batch norm": (
        {"discriminator": "whole", "gradient_penalty": 10.0},
        "--gradient_penalty .* Set --nodiscriminator_norm",
        {"discriminator": "whole", "gradient_penalty": 10.0, "discriminator_norm": False},
    ),
    "labels without cross-entropy": (
        {"discriminator": "patch", "label_smoothing": 0.2, "adversarial_loss": "hinge"},
        "--label_smoothing .* Received: --adversarial_loss=hinge",
        {"discriminator": "patch", "label_smoothing": 0.2},
    ),
    "perception without a network": (
        {"discriminator": "patch", "perceptual_weight": 5.0},
        "--perceptual_weight and --feature_weights go together",
        {"discriminator": "patch", "perceptual_weight": 5.0, "feature_weights": "net.h5"},
    ),
    "features for nothing": (
        {"feature_weights": "net.h5"},
        "--perceptual_weight and --feature_weights go together",
        {"feature_weights": "net.h5", "monitor_every": 1, "val_data": "samples"},
    ),
    "a figure that is not measured": (
        {"monitor": "psnr", "val_data": "samples"},
        "--monitor=psnr .* Received: --monitor_every=0. Set --monitor_every=1",
        {"monitor": "psnr", "val_data": "samples", "monitor_every": 2},
    ),
    "a distance without its network": (
        {"monitor": "squeezenet-kid", "val_data": "samples", "monitor_every": 1},
        "needs weights of SqueezeNet .* Set --feature_weights=FILE.h5",
        {
            "monitor": "squeezenet-kid",
            "val_data": "samples",
            "monitor_every": 1,
            "feature_weights": "net.h5",
        },
    ),
    "figures of no pictures": (
        {"monitor_every": 1},
        "--monitor_every measures pictures of --val_data.* Set --val_data",
        {"monitor_every": 1, "val_data": "samples"},
    ),
    "a loss of no pictures": (
        {"monitor": "val_loss"},
        "--monitor=val_loss measures pictures of --val_data.* Set --val_data",
        {"monitor": "loss"},
    ),
    "figures after the end": (
        {"monitor_every": 30, "val_data": "samples"},
        "at most --epochs. Received: --monitor_every=30 --epochs=20",
        {"monitor_every": 20, "val_data": "samples"},
    ),
    "figures of small pictures": (
        {"monitor_every": 1, "val_data": "samples", "image_size": 32, "depth": 4},
        "at least 35 pixels. Received: --image_size=32",
        {"monitor_every": 1, "val_data": "samples", "image_size": 48, "depth": 4},
    ),
    "pictures that are not measured": (
        {"monitor_pictures": 9},
        "--monitor_pictures belongs to --monitor_every",
        {"monitor_pictures": 9, "monitor_every": 1, "val_data": "samples"},
    ),
    "a cache on machines that do not read": (
        {"data_service": "localhost:5050", "cache": "memory"},
        "with --data_service other machines read them. Received: --cache=memory. Set --cache=none",
        {"data_service": "localhost:5050"},
    ),
    "both networks now and then": (
        {"discriminator": "patch", "generator_every": 5, "discriminator_every": 3},
        "One of --generator_every and --discriminator_every is 1. Received: 5 and 3",
        {"discriminator": "patch", "generator_every": 5},
    ),
    "a discriminator deeper than the picture": (
        {"discriminator": "whole", "image_size": 64, "depth": 6, "discriminator_depth": 6},
        "halves the picture 6 times needs 128 pixels. Received: --image_size=64",
        {"discriminator": "whole", "image_size": 64, "depth": 6, "discriminator_depth": 5},
    ),
    "plateau after a warm-up": (
        {"schedule": "plateau", "warmup_steps": 5},
        "Set --warmup_steps=0, or another --schedule",
        {"schedule": "plateau"},
    ),
    "jitter of gray to RGB": (
        {"codec": "gray_rgb", "lightness_jitter": 0.1},
        "--codec=gray_rgb, which holds lightness too. Set --lightness_jitter=0",
        {"codec": "gray_rgb"},
    ),
    "jitter of lightness to RGB": (
        {"codec": "lightness_rgb", "lightness_jitter": 0.1},
        "--codec=lightness_rgb, which holds lightness too. Set --lightness_jitter=0",
        {"codec": "lab", "lightness_jitter": 0.1},
    ),
}


@pytest.mark.parametrize("name", CROSS_CHECKS)
def test_cross_checks(name):
    wrong, message, mended = CROSS_CHECKS[name]
    with pytest.raises(ConfigError, match=message) as caught:
        Config(**wrong)
    assert "\n" not in str(caught.value)
    Config(**mended)


def test_every_cross_check_is_tested(monkeypatch):
    monkeypatch.setattr(choices, "problems", lambda config: ())
    tree = ast.parse(inspect.getsource(choices))
    rules = {node.lineno for node in ast.walk(tree) if isinstance(node, ast.Yield)}
    broken = set()
    for wrong, _, _ in CROSS_CHECKS.values():
        for group in choices._GROUPS:
            found = group(Config(**wrong))
            broken |= {found.gi_frame.f_lineno for _ in found}
    assert broken == rules and len(rules) > 15


OWNED = [name for name, field in FIELDS.items() if field.metadata["of"]]


def other_value(field):
    """A value that is not the default."""
    if field.type is bool:
        return not field.default
    if field.metadata["choices"]:
        return next(x for x in field.metadata["choices"] if x != field.default)
    if field.type is str:
        return "a"
    return field.default + 1 if field.metadata["maximum"] is None else field.metadata["maximum"]


def test_a_knob_names_networks_that_there_are():
    known = {*choices.GENERATORS, *choices.DISCRIMINATORS, "discriminator"}
    assert {owner for name in OWNED for owner in FIELDS[name].metadata["of"]} <= known


def test_a_knob_of_another_network_is_refused():
    for name in OWNED:
        owners = FIELDS[name].metadata["of"]
        other = next(x for x in ("encoder_decoder", "colornet", "chroma") if x not in owners)
        with pytest.raises(ConfigError, match=f"^--{name} belongs to "):
            Config(generator=other, **{name: other_value(FIELDS[name])})


@pytest.mark.parametrize("name", choices.GENERATORS)
def test_every_knob_of_a_generator_reaches_it(name):
    # How noise gets in is told by the size of its map.
    told = set(config.knobs(of=name)) - {"noise_injection"}
    taken = inspect.signature(models.builder(name)).parameters
    if name == "chroma":
        # Training reads its weights.
        told -= {"encoder_weights"}
    assert told <= set(taken)


def test_properties():
    assert not Config().is_adversarial and Config(discriminator="patch").is_adversarial
    assert not Config().is_quantized and Config(**QUANTIZED).is_quantized
    assert Config().size_multiple == 256
    assert Config(depth=3).size_multiple == 8
    assert Config(**QUANTIZED).size_multiple == 16
    watched = {"monitor_every": 1, "val_data": "samples", "feature_weights": "net.h5"}
    assert Config(**watched).measures_features and not Config().measures_features
    other = watched | {"feature_weights": "net.keras", "perceptual_weight": 1.0}
    assert not Config(**other, discriminator="patch").measures_features


def test_standard_library_only():
    """So that help and refusals come at once."""
    program = (
        "import sys; before = set(sys.modules); import colorization.config;"
        "print(*{name.split('.')[0] for name in set(sys.modules) - before})"
    )
    loaded = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": ":".join(sys.path)}, capture_output=True
    )
    assert loaded.returncode == 0, loaded.stderr
    free = sys.stdlib_module_names | {"colorization", "pipelines"}
    assert set(loaded.stdout.decode().split()) <= free
