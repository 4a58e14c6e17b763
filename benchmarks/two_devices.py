"""Whether two devices train as one does.

`python benchmarks/two_devices.py --data=folder:PHOTOS`

Runs 20 steps of a recipe of each kind on one logical CPU device and on two, and prints the largest
relative difference of any loss at any step. Dropout is off: each device draws masks of its own.
"""

import csv
import subprocess
import sys
import tempfile

import numpy as np
from absl import app, flags

_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")

_COMMON = ["--epochs=20", "--steps_per_epoch=1", "--batch_size=8", "--image_size=64"]
_RECIPES = {
    "chroma, float32": ["--flagfile=colorization/recipes/chroma.flags", "--precision=float32"],
    "pix2pix, 6 levels, 16 filters": [
        "--flagfile=colorization/recipes/pix2pix.flags", "--depth=6", "--base_filters=16",
        "--discriminator_filters=16", "--dropout=0", "--pretrain_epochs=5",
    ],
}  # fmt: skip


def main(_):
    """Prints a line for each recipe."""
    for name, recipe in _RECIPES.items():
        one, two = (_losses(recipe, devices) for devices in (1, 2))
        difference = np.abs(two - one) / np.maximum(np.abs(one), 1e-12)
        print(f"{name}: first {one[0]}, last {one[-1]}, largest difference {difference.max():.1e}")


def _losses(recipe, devices):
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "colorization.train", *recipe, *_COMMON]
        command += [f"--data={_DATA.value}", f"--model_dir={folder}/run"]
        command += [f"--logical_devices={devices}"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with open(f"{folder}/run/history.csv", newline="") as file:
            rows = list(csv.DictReader(file))
    names = [name for name in rows[0] if name.endswith(("loss", "distance"))]
    return np.array([[float(row[name] or 0) for name in names] for row in rows])


if __name__ == "__main__":
    app.run(main)
