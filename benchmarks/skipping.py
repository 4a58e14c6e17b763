"""How long a run takes that finds all photos colored already.

`python benchmarks/skipping.py [--photos=10000 --rounds=5]`

Makes a folder of so many photos, their colored files and the record of them, and runs `python -m
colorization.colorize --skip_existing` on it, in turn with Python alone. Prints median seconds of
wall and processor time, and whether TensorFlow or LiteRT was loaded.
"""

import os
import pathlib
import resource
import statistics
import subprocess
import sys
import tempfile
import time

from absl import app, flags

from colorization.inference import model_folder
from colorization.inference.album import Manifest, Record
from colorization.inference.options import Options

_PHOTOS = flags.DEFINE_integer("photos", 10_000, "Photos in the folder.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that each way is measured.")

# Runs the command, and fails if it loaded what runs models.
_COMMAND = """
import sys
from colorization import colorize
status = colorize.main(["colorize", *sys.argv[1:]])
sys.exit(status or bool({"tensorflow", "ai_edge_litert"} & set(sys.modules)))
"""


def main(_):
    """Prints a line for each way."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _fill(pathlib.Path("album"), pathlib.Path("out"))
        ways = {
            "Python": ["-c", ""],
            "skip all": ["-c", _COMMAND, "album", "--output=out", "--skip_existing"],
        }
        seconds = {name: [] for name in ways}
        for _ in range(_ROUNDS.value):
            for name, arguments in ways.items():
                seconds[name].append(_run(arguments))
    for name, values in seconds.items():
        wall, processor = map(statistics.median, zip(*values, strict=True))
        print(f"{name:12}{wall:8.2f} s{processor:8.2f} s of processor time")


def _fill(album, out):
    about = model_folder.read_description(model_folder.find())
    made_with = {name: about[name] for name in ("name", "version")} | Options().record()
    for folder in (album, out):
        folder.mkdir()
    records = Manifest(out)
    for number in range(_PHOTOS.value):
        name = f"{number:06d}.jpg"
        (album / name).touch()
        (out / name).touch()
        found = (album / name).stat()
        record = Record(
            name, found.st_size, found.st_mtime_ns, "colored", (name,), "", 0.1, made_with
        )
        records.add(record)
    records.close()


def _run(arguments):
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    environment = os.environ | {"PYTHONPATH": str(pathlib.Path(__file__).resolve().parents[1])}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr or "A module was loaded that runs models.")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    app.run(main)
