"""Every recipe, shrunk: parsed, trained for a step, saved, restored, put to work on a picture."""

import dataclasses
import pathlib

import numpy as np
import pytest
import tensorflow as tf

import colorization
from colorization import export, flags, train

RECIPES = sorted((pathlib.Path(colorization.__file__).parent / "recipes").glob("*.flags"))


def test_there_are_recipes():
    systems = {
        "pix2pix",
        "pix2pix_pretrained",
        "colornet_l",
        "colornet_gray",
        "pix2pix_delayed",
        "anime_dcgan",
        "anime_wgan_gp",
        "cgan_rgb",
    }
    assert {path.stem for path in RECIPES} == {"chroma", "chroma_finish", "finetune"} | systems


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Even though the .tf.config")
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_goes_all_the_way(recipe, picture_folder, short_networks, tmp_path):
    config = flags.parse_flagfile(recipe)
    small = {
        "base_filters": 4,
        "depth": 2,
        "discriminator_filters": 4,
        "discriminator_depth": 1,
    }
    config = dataclasses.replace(
        config,
        **{name: small[name] for name in small if config.takes(name)},
        data=f"folder:{picture_folder}",
        model_dir=str(tmp_path / "run"),
        image_size=32,
        batch_size=2,
        # At the recipe's own rate two steps would leave some networks at gray.
        learning_rate=1e-2,
        generator_every=1,
        discriminator_every=1,
        # Each phase is traced by itself: the resumed GAN and system C on pairs go through all.
        pretrain_epochs=0,
        epochs=1,
        steps_per_epoch=2,
    )
    # To trace a step takes as long as ten of them; the released system's is traced.
    tf.config.run_functions_eagerly(recipe.stem != "chroma")
    try:
        train.train(config)
    finally:
        tf.config.run_functions_eagerly(False)
    photo = np.random.default_rng(0).integers(0, 256, (37, 51, 1), dtype=np.uint8).repeat(3, -1)
    # What is exported, unsaved: tests of export save graphs of each kind.
    graph, _ = export.open_run(config.model_dir)
    colored = graph.arrays(photo[None]).numpy()[0]
    assert colored.shape == (37, 51, 3)
    assert (colored.max(axis=-1) > colored.min(axis=-1)).any()
