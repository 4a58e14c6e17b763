"""How long one photo takes, file to file, against the least that any tool pays and two peers.

`python benchmarks/end_to_end.py [--data=folder:PHOTOS] [--torch_python=PYTHON] [--model=DIR]`

Colors a JPEG of one megapixel by `Colorizer.colorize_file`, warm, in turn with decoding and
encoding it alone, and, where --torch_python names a Python that has PyTorch and OpenCV, with the
layers of SIG17 and of DDColor-T (34 and 55 million parameters) in PyTorch. Prints medians and the
least of the seconds, medians of processor time, and ratios of either. On a machine that is busy
only processor time tells anything; set OMP_WAIT_POLICY=passive, lest waiting counts.
"""

import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import cv2
from absl import app, flags

from colorization import Colorizer
from pipelines.photos import photo_files
from pipelines.sources import opener

_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_SIDE = flags.DEFINE_integer("side", 1024, "Width and height of the photo, in pixels.")
_ROUNDS = flags.DEFINE_integer("rounds", 11, "Times that each way is measured.")
_TORCH = flags.DEFINE_string("torch_python", None, "Python with PyTorch; default no peers.")


def main(_):
    """Prints a line for each way."""
    with tempfile.TemporaryDirectory() as folder:
        photo, output = os.path.join(folder, "photo.jpg"), os.path.join(folder, "colored.jpg")
        picture = photo_files.read_picture(opener.open_source(_DATA.value).names[0])
        size = (_SIDE.value, _SIDE.value)
        photo_files.write_picture(photo, cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC))
        colorizer = Colorizer(_MODEL.value)

        def colorize():
            colorizer.colorize_file(photo, output, overwrite=True)

        def floor():
            photo_files.write_photo(output, photo_files.read_photo(photo), overwrite=True)

        ways = {"colorize": _timed(colorize), "decode + encode alone": _timed(floor)}
        if _TORCH.value:
            for name in ("SIG17", "DDColor-T"):
                ways[f"{name} in PyTorch"] = _peer(name, photo, output)
        seconds = {name: [] for name in ways}
        for round_index in range(_ROUNDS.value + 2):
            for name, way in ways.items():
                # Once for the caches, which another's network has filled with its own weights.
                way()
                taken = way()
                if round_index >= 2:
                    seconds[name].append(taken)
    own, own_processor = (
        statistics.median(each) for each in zip(*seconds["colorize"], strict=True)
    )
    for name, values in seconds.items():
        walls, processors = zip(*values, strict=True)
        wall, processor = statistics.median(walls), statistics.median(processors)
        print(f"{name:24}{wall:8.3f} s, at least {min(walls):.3f} s{wall / own:8.2f} of colorize")
        print(f"{'':16}processor{processor:7.3f} s{processor / own_processor:24.2f}")


def _timed(work):
    def way():
        start, before = time.perf_counter(), time.process_time()
        work()
        return time.perf_counter() - start, time.process_time() - before

    return way


def _peer(name, photo, output):
    script = pathlib.Path(__file__).with_name("peers.py")
    process = subprocess.Popen(
        [_TORCH.value, str(script), name, photo, output],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    print(f"{name}:", process.stdout.readline().strip())

    def way():
        process.stdin.write("\n")
        process.stdin.flush()
        return tuple(map(float, process.stdout.readline().split()))

    return way


if __name__ == "__main__":
    app.run(main)
