"""Trains the runs that benchmarks/claims.md holds against each other.

`python benchmarks/claims.py --pictures=FOLDER --runs=runs/claims` where FOLDER has a folder for
each set, `scenes`, `photos`, `faces`, `anime` and `flowers`, with pictures in `train` and `val`
below it. Every run takes the same number of steps at 64 pixels, with networks a quarter as wide as
their recipes', on one core: minutes instead of days. Runs that are finished are left alone, others
go on where they were. Then

    python -m colorization.compare runs/claims/* --pairs=... --output=benchmarks/results.md
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys

from absl import app, flags

_PICTURES = flags.DEFINE_string("pictures", None, "Folder of sets.", required=True)
_RUNS = flags.DEFINE_string("runs", "runs/claims", "Folder of the run directories.")
_FEATURES = flags.DEFINE_string("features", "", "Weights of SqueezeNet 1.1 (.h5), for C.")
_ONLY = flags.DEFINE_list("only", [], "Names of the runs to train; default all.")
_SEEDS = flags.DEFINE_integer("seeds", 1, "Runs of each name, with seeds from 0.", lower_bound=1)
_JOBS = flags.DEFINE_integer("jobs", 2, "Runs at a time, each on one core.", lower_bound=1)

_COMMON = ["--image_size=64", "--batch_size=16", "--base_filters=16", "--epochs=20"]
_COMMON += ["--steps_per_epoch=50", "--cache=memory", "--keep_checkpoints=1"]
_ADVERSARIAL = ["--discriminator_filters=16", "--learning_rate=2e-4"]
_REGRESSION = ["--learning_rate=5e-4", "--epochs=10", "--steps_per_epoch=100"]
_WHOLE = [*_ADVERSARIAL, "--discriminator_depth=5"]
# A critic takes five steps for one of its generator.
_NOISY = [*_WHOLE, "--white_background=0.2", "--epochs=30"]
_PATCHES = [*_ADVERSARIAL, "--depth=6"]
_DELAYED = [*_PATCHES, "--early_stopping=0"]
_PERCEPTUAL = ["--perceptual_weight=5", "--feature_weights={features}"]

# Name: recipe, set, what differs from the recipe.
RUNS = {
    "colornet_l": ("colornet_l", "scenes", _REGRESSION),
    "colornet_gray": ("colornet_gray", "scenes", _REGRESSION),
    "colornet_max_pool": ("colornet_l", "scenes", [*_REGRESSION, "--downsampling=max_pool"]),
    "colornet_transposed": ("colornet_l", "scenes", [*_REGRESSION, "--upsampling=transposed"]),
    "colornet_offset": ("colornet_l", "scenes", [*_REGRESSION, "--codec=lab_offset"]),
    "anime_dcgan": ("anime_dcgan", "anime", _NOISY),
    "anime_wgan_gp": ("anime_wgan_gp", "anime", _NOISY),
    "delayed": ("pix2pix_delayed", "photos", _DELAYED),
    "immediate": ("pix2pix_delayed", "photos", [*_DELAYED, "--pretrain_epochs=0"]),
    "perceptual": ("pix2pix_delayed", "photos", [*_DELAYED, *_PERCEPTUAL]),
    "pretrained": ("pix2pix", "faces", [*_PATCHES, "--pretrain_epochs=15"]),
    "from_the_start": ("pix2pix", "faces", [*_PATCHES, "--pretrain_epochs=0"]),
    "cgan_rgb": ("cgan_rgb", "flowers", _WHOLE),
    "cgan_ab": ("cgan_rgb", "flowers", [*_WHOLE, "--codec=lab"]),
}


def main(_):
    """Trains what is not finished yet."""
    names = _ONLY.value or list(RUNS)
    jobs = [(name, seed) for seed in range(_SEEDS.value) for name in names]
    with concurrent.futures.ThreadPoolExecutor(_JOBS.value) as pool:
        for name, seed, status in pool.map(lambda job: (*job, _train(*job)), jobs):
            print(f"{name}, seed {seed}: {'finished' if status == 0 else 'failed'}", flush=True)


def _train(name, seed):
    recipe, pictures, differing = RUNS[name]
    folder = pathlib.Path(_RUNS.value)
    folder.mkdir(parents=True, exist_ok=True)
    run = folder / (f"{name}-{seed}" if seed else name)
    command = [sys.executable, "-m", "colorization.train"]
    command += [f"--flagfile=colorization/recipes/{recipe}.flags", *_COMMON]
    command += [flag.format(features=_FEATURES.value) for flag in differing]
    command += [
        f"--{flag}=folder:{_PICTURES.value}/{pictures}/{split}"
        for flag, split in (("data", "train"), ("val_data", "val"))
    ]
    command += [f"--seed={seed}", f"--model_dir={run}"]
    one_core = {f"TF_NUM_{kind}_THREADS": "1" for kind in ("INTRAOP", "INTEROP")}
    with open(f"{run}.log", "a") as log:
        environment = os.environ | one_core | {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=environment, stdout=log, stderr=log).returncode


if __name__ == "__main__":
    app.run(main)
