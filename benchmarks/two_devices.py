"""Whether two devices train as one does.

`python benchmarks/two_devices.py --data=folder:PHOTOS`

Runs 20 steps of each recipe on one logical CPU device, on two, and once more on one with a single
thread, which computes some of the same sums in another order and no more. Prints the largest
relative difference of any loss over the first 1, 5, 10 and 20 steps. Dropout is off: each device
draws masks of its own.
"""

import csv
import os
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags

_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")

_COMMON = ["--epochs=20", "--steps_per_epoch=1", "--precision=float32", "--keep_checkpoints=1"]
_RECIPES = {
    "chroma": ["--flagfile=colorization/recipes/chroma.flags"],
    "pix2pix, 128 px, a quarter of the width": [
        "--flagfile=colorization/recipes/pix2pix.flags", "--image_size=128", "--depth=7",
        "--base_filters=16", "--discriminator_filters=16", "--dropout=0", "--pretrain_epochs=5",
    ],
}  # fmt: skip


def main(_):
    """Prints two lines for each recipe."""
    for name, recipe in _RECIPES.items():
        one = _losses(recipe, devices=1)
        print(f"{name}: losses of the first step {one[0]}, of the last {one[-1]}")
        _compare("two devices", one, _losses(recipe, devices=2))
        _compare("one device, one thread", one, _losses(recipe, devices=1, threads="1"))


def _compare(name, one, other):
    difference = np.abs(other - one) / np.maximum(np.abs(one), 1e-12)
    figures = ", ".join(f"{difference[:n].max():.0e} over {n}" for n in (1, 5, 10, 20))
    print(f"  {name}: {figures}", flush=True)


def _losses(recipe, devices, threads=None):
    environment = os.environ | ({"TF_NUM_INTRAOP_THREADS": threads} if threads else {})
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "colorization.train", *recipe, *_COMMON]
        command += [f"--data={_DATA.value}", f"--model_dir={folder}/run"]
        command += [f"--logical_devices={devices}"]
        subprocess.run(
            command,
            check=True,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        with open(f"{folder}/run/history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.endswith(("loss", "distance"))]
    return np.array([[float(row[name] or 0) for name in names] for row in rows])


if __name__ == "__main__":
    app.run(main)
