"""Training on the sources that one system or another needs."""

import dataclasses
import json
import pathlib

import cv2
import numpy as np
import pytest

import colorization
from colorization import flags, train
from colorization.config import Config

RECIPE = pathlib.Path(colorization.__file__).parent / "recipes" / "pix2pix_delayed.flags"


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """Specification of six pairs of 150 x 150 pixels, as system C has them."""
    folder, random = tmp_path_factory.mktemp("pairs"), np.random.default_rng(0)
    for index in range(6):
        corners = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        picture = cv2.resize(corners, (150, 150), interpolation=cv2.INTER_CUBIC)
        for name, pixels in (("color", picture), ("gray", picture[..., 1])):
            (folder / name).mkdir(exist_ok=True)
            cv2.imwrite(str(folder / name / f"{index}.jpg"), pixels)
    return f"pairs:color={folder / 'color'},gray={folder / 'gray'}"


@pytest.mark.slow
def test_the_recipe_of_system_c_trains_on_pairs(pairs, tmp_path):
    config = dataclasses.replace(
        flags.parse_flagfile(RECIPE),
        data=pairs,
        val_data=pairs,
        model_dir=str(tmp_path / "run"),
        base_filters=4,
        discriminator_filters=4,
        discriminator_depth=1,
        depth=2,
        image_size=64,
        batch_size=2,
        pretrain_epochs=1,
        epochs=2,
        steps_per_epoch=2,
    )
    train.train(config)
    sheet = cv2.imread(str(tmp_path / "run" / "samples" / "epoch_0002.png"))
    # A column for each pair: its gray picture, the output, its color picture.
    assert sheet.shape == (3 * 64, 6 * 64, 3)
    gray, _, truth = np.split(sheet.astype(int), 3, axis=0)
    assert np.ptp(gray, axis=-1).max() <= 2 and np.ptp(truth, axis=-1).mean() > 30
    # Lightness of the green channel, as the gray files hold it.
    assert np.abs(gray[..., 0] - truth[..., 1]).mean() < 3


@pytest.mark.slow
def test_a_run_notes_what_is_not_on_white(tmp_path, capsys):
    for index in range(4):
        picture = np.full((40, 40, 3), (0, 60 * index, 250), np.uint8)
        picture[:20] = 255 if index else 0
        cv2.imwrite(str(tmp_path / f"{index}.png"), picture)
    config = Config(
        data=f"folder:{tmp_path}",
        val_data=f"folder:{tmp_path}",
        model_dir=str(tmp_path / "run"),
        white_background=0.9,
        generator="unet",
        depth=2,
        base_filters=4,
        image_size=16,
        batch_size=2,
        epochs=1,
    )
    train.train(config)
    said = "3 pictures (0 damaged, 0 gray and 1 without a white background skipped, 0 excluded)"
    assert said in capsys.readouterr().out
    for name in ("survey", "val_survey"):
        kept = json.loads((tmp_path / "run" / f"{name}.json").read_text())
        assert kept["not_white"] == [str(tmp_path / "0.png")]
