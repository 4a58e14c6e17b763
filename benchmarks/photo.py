"""Where the time and the memory go when one large photo is colored.

`python benchmarks/photo.py [--megapixels=12] [--model=DIR]`

Makes a JPEG of that size, colors it by the stages of the command, once to warm up and three times
measured, and prints the median seconds of each stage, those of processor time, and the peak of
memory.
"""

import dataclasses
import os
import tempfile
import time

import cv2
import numpy as np
from absl import app, flags

from colorization import Colorizer
from colorization.inference import full_size, sight
from pipelines.photos import photo_files
from pipelines.sources import opener

_MEGAPIXELS = flags.DEFINE_float("megapixels", 12, "Size of the photo.")
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")


def main(_):
    """Prints a table of stages."""
    height = round((_MEGAPIXELS.value * 1e6 * 3 / 4) ** 0.5)
    with tempfile.TemporaryDirectory() as folder:
        path, result = os.path.join(folder, "photo.jpg"), os.path.join(folder, "colored.jpg")
        sample = photo_files.read_picture(opener.open_source("samples").names[-1])
        large = cv2.resize(sample, (height * 4 // 3, height), interpolation=cv2.INTER_CUBIC)
        photo_files.write_picture(path, large)
        colorizer = Colorizer(_MODEL.value)
        colorizer.colorize(sample)
        del large
        idle, before = _megabytes("VmRSS"), _megabytes("VmHWM")
        runs = [_color(colorizer, path, result) for _ in range(4)][1:]
    print(f"{height * 4 // 3} x {height} pixels")
    runs = [run | {"total": np.sum(list(run.values()), axis=0)} for run in runs]
    for stage in runs[0]:
        wall, processor = np.median([run[stage] for run in runs], axis=0)
        print(f"{stage:10}{wall:8.2f} s, processor {processor:.2f} s")
    peak = _megabytes("VmHWM")
    print(f"memory: {idle:.0f} MB idle, {before:.0f} MB at most before, {peak:.0f} MB at its peak")


def _color(colorizer, path, result):
    times = {}

    def timed(stage, work):
        start, before = time.perf_counter(), time.process_time()
        value = work()
        times[stage] = time.perf_counter() - start, time.process_time() - before
        return value

    photo = timed("decode", lambda: photo_files.read_photo(path)[0])
    timed("prints", lambda: sight.find_prints(photo.rgb))
    about = colorizer.description
    shape = sight.working_shape(*photo.rgb.shape[:2], about["working_size"], about["size_multiple"])
    lightness = timed("shrink", lambda: sight.lightness(photo.rgb, shape))
    coefficients = timed("network", lambda: colorizer._engine.coefficients(lightness)[0])
    colored = timed("full size", lambda: full_size.apply(photo.rgb, coefficients))
    photo = dataclasses.replace(photo, rgb=colored)
    timed("encode", lambda: photo_files.write_photo(result, [photo], overwrite=True))
    return times


def _megabytes(field):
    with open("/proc/self/status") as file:
        line = next(line for line in file if line.startswith(field))
    return int(line.split()[1]) / 1024


if __name__ == "__main__":
    app.run(main)
