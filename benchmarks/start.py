"""How long the command takes from its start to the file, and where the time goes.

`python benchmarks/start.py [--model=DIR --rounds=5]`

Runs `python -m colorization.colorize` on one photo of a megapixel, each time in a new process, by
LiteRT and by TensorFlow in turn, and in turn with processes that end after a stage: Python alone,
the import of all that coloring imports, the loading of the model. Prints for each engine medians of
wall and of processor time, and what each stage adds.
"""

import functools
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import cv2
from absl import app, flags

from pipelines.files import sample_photos
from pipelines.photos import photo_files

_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that each way is measured.")

_IMPORTS = {
    "litert": "import colorization.inference.engines.litert",
    "saved_model": "from pipelines import console; console.import_quietly()",
}
_LOADED = "from colorization import Colorizer; Colorizer({model!r}, engine={engine!r})"


def main(_):
    """Prints a table for each engine."""
    with tempfile.TemporaryDirectory() as folder:
        photo, output = os.path.join(folder, "photo.jpg"), os.path.join(folder, "colored.jpg")
        picture = photo_files.read_picture(sample_photos()[0])
        photo_files.write_picture(photo, cv2.resize(picture, (1216, 832)))
        command = ["-m", "colorization.colorize", photo, f"--output={output}", "--overwrite"]
        command += [f"--model={_MODEL.value}"] if _MODEL.value else []
        ways = {}
        for engine, imported in _IMPORTS.items():
            loaded = _LOADED.format(model=_MODEL.value, engine=engine)
            stages = {
                "Python": ["-c", ""],
                "import": ["-c", f"import colorization.inference.colorizer; {imported}"],
                "load the model": ["-c", loaded],
                "color the photo": [*command, f"--engine={engine}"],
            }
            for stage, arguments in stages.items():
                ways[engine, stage] = functools.partial(_run, arguments)
        seconds = {name: [] for name in ways}
        for _ in range(_ROUNDS.value):
            for name, way in ways.items():
                seconds[name].append(way())
    for engine in _IMPORTS:
        print(f"{engine:18}{'adds':>9}{'in all':>9}{'processor':>11}")
        before = 0
        for (name, stage), values in seconds.items():
            if name == engine:
                wall, processor = map(statistics.median, zip(*values, strict=True))
                print(f"  {stage:16}{wall - before:+7.2f} s{wall:7.2f} s{processor:9.2f} s")
                before = wall


def _run(arguments):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    app.run(main)
