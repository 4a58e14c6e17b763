"""Finished runs, and weights of a SqueezeNet with the layout of the published file."""

import dataclasses
import pathlib
import shutil

import h5py
import numpy as np
import pytest

from colorization import train
from colorization.config import Config
from colorization.inference.model_folder import DESCRIPTION

FIRES = ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))
# Of every run here.
SMALL = dict(
    image_size=32,
    batch_size=4,
    steps_per_epoch=3,
    seed=5,
    learning_rate=1e-3,
    ema=0.5,
    clip_norm=1.0,
    schedule="cosine",
    warmup_steps=2,
    lightness_jitter=0.1,
)


@pytest.fixture(scope="session")
def squeezenet_weights():
    """Dict of a kernel and a bias for each layer, drawn at random, in the Caffe model's names."""
    random, channels, weights = np.random.default_rng(0), 64, {}

    def draw(name, size, inputs, outputs):
        kernel = random.normal(
            0, np.sqrt(2 / (size * size * inputs)), (size, size, inputs, outputs)
        )
        bias = random.normal(0, 0.1, outputs)
        weights[name] = kernel.astype(np.float32), bias.astype(np.float32)

    draw("conv1", 3, 3, 64)
    for number, (squeeze, expand) in enumerate(FIRES, 2):
        draw(f"fire{number}/squeeze1x1", 1, channels, squeeze)
        draw(f"fire{number}/expand1x1", 1, squeeze, expand)
        draw(f"fire{number}/expand3x3", 3, squeeze, expand)
        channels = 2 * expand
    return weights


@pytest.fixture(scope="session")
def squeezenet_file(squeezenet_weights, tmp_path_factory):
    """Path of these weights as Keras 2 wrote them."""
    path = tmp_path_factory.mktemp("weights") / "squeezenet.h5"
    with h5py.File(path, "w") as file:
        for name, (kernel, bias) in squeezenet_weights.items():
            group = file.create_group(name)
            # As there: the last part of a name again, and kernels under any name.
            group[f"{name.split('/')[0]}/{name.split('/')[-1]}_b"] = bias
            group["uniform7"] = kernel
    return path


@dataclasses.dataclass(frozen=True)
class FinishedRun:
    """A small run: most of the time of training a few steps goes into tracing every layer.

    Attributes:
        config: Its `Config`.
        pictures: Folder of the pictures that it trained on, but for two that are excluded.
        state: Values of the model's variables and of the optimizer's, after the last epoch.
    """

    config: Config
    pictures: pathlib.Path
    state: list


@pytest.fixture(scope="session")
def finished_run(picture_folder, tmp_path_factory):
    """The one run for every test that needs some run. Copy what you change."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(picture_folder, folder / "pictures")
    excluded = (f"{folder}/pictures/{name}.png\t-\n" for name in ("01", "09"))
    (folder / "exclude.txt").write_text("".join(excluded))
    config = Config(
        data=f"folder:{folder}/pictures",
        val_data=f"folder:{folder}/pictures",
        model_dir=str(folder / "mine"),
        exclude=str(folder / "exclude.txt"),
        generator="unet",
        depth=2,
        base_filters=32,
        loss="huber",
        epochs=4,
        keep_checkpoints=2,
        **SMALL,
    )
    model = train.train(config)
    variables = [*model.variables, *model.optimizer.variables]
    return FinishedRun(config, folder / "pictures", [v.numpy() for v in variables])


@pytest.fixture(scope="module")
def short_networks():
    """Makes `residual` and `colornet` networks of few layers."""
    from tests.colorization import short_networks

    with pytest.MonkeyPatch.context() as patch:
        for place in short_networks.replacements():
            patch.setattr(*place)
        yield


@pytest.fixture(scope="module")
def classified_run(short_networks, picture_folder, tmp_path_factory):
    """The `Config` of a finished run that predicts a distribution of colors."""
    folder = tmp_path_factory.mktemp("classified")
    config = Config(
        data=f"folder:{picture_folder}",
        model_dir=str(folder / "classified"),
        codec="quantized_ab",
        loss="quantized_crossentropy",
        generator="residual",
        base_filters=4,
        epochs=2,
        **SMALL,
    )
    train.train(config)
    return config


# Groups `small models` share these, as they are: a model is saved by tracing it for each use.
@pytest.fixture(scope="session")
def undecided_model(tmp_path_factory):
    """Path of a version of a model that sees several choices."""
    from tests.colorization.serving import small_models

    return small_models.save(tmp_path_factory.mktemp("models"), "quantized_ab", kernel=0.5)


@pytest.fixture(scope="session")
def decided_model(tmp_path_factory):
    """Path of a version of a model that gives one coloring, of soft colors."""
    from tests.colorization.serving import small_models

    return small_models.save(tmp_path_factory.mktemp("models"), "lab", 10, kernel=0.05)


@pytest.fixture(scope="session")
def decided_version(decided_model):
    """Function of a folder and a number: puts this model there as a version."""

    def copy(folder, number):
        path = folder / "chroma" / str(number)
        shutil.copytree(decided_model, path)
        about = path / DESCRIPTION
        about.write_text(about.read_text().replace('"version": 10', f'"version": {number}'))
        return path

    return copy


@pytest.fixture(scope="session")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        yield browser
        browser.close()
