"""How long the command takes from its start to the file, and where the time goes.

`python benchmarks/start.py [--rounds=5]`

Runs `python -m colorization.colorize` on one photo of a megapixel, each time in a new process, in
turn with processes that end after a stage: Python alone, the import of TensorFlow, the import of
all the command imports, the loading of the model. Prints medians and what each stage adds.
"""

import functools
import os
import statistics
import subprocess
import sys
import tempfile

import cv2
import timing
from absl import app, flags

from pipelines.photos import photo_files
from pipelines.sources import opener

_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that each way is measured.")

_LOADED = "from colorization import Colorizer; Colorizer()"
_STAGES = {
    "Python": ["-c", ""],
    "import TensorFlow": ["-c", "import tensorflow"],
    "import the rest": ["-c", "import colorization.inference.colorizer"],
    "load the model": ["-c", _LOADED],
}


def main(_):
    """Prints a line for each stage."""
    with tempfile.TemporaryDirectory() as folder:
        photo, output = os.path.join(folder, "photo.jpg"), os.path.join(folder, "colored.jpg")
        picture = photo_files.read_picture(opener.open_source("samples").names[0])
        photo_files.write_picture(photo, cv2.resize(picture, (1216, 832)))
        command = ["-m", "colorization.colorize", photo, f"--output={output}", "--overwrite"]
        stages = _STAGES | {"color the photo": command}
        ways = {
            name: functools.partial(
                subprocess.run, [sys.executable, *arguments], check=True, capture_output=True
            )
            for name, arguments in stages.items()
        }
        seconds = timing.by_turns(ways, _ROUNDS.value, warm_up=0)
    before = 0
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:20}{median - before:+8.2f} s{median:8.2f} s in all")
        before = median


if __name__ == "__main__":
    app.run(main)
