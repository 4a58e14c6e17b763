"""Where the time and the memory go when one large photo is colored.

`python benchmarks/photo.py [--megapixels=12] [--model=DIR]`

Makes a JPEG of that size, colors it by the stages of the command, once to warm up and three times
measured, and prints the median seconds of each stage and the peak of memory.
"""

import os
import resource
import statistics
import tempfile
import time

import cv2
import numpy as np
from absl import app, flags

from colorization.inference import colorizer, graph
from pipelines import decode, sources

_MEGAPIXELS = flags.DEFINE_float("megapixels", 12, "Size of the photo.")
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")


def main(_):
    """Prints a table of stages."""
    height = round((_MEGAPIXELS.value * 1e6 * 3 / 4) ** 0.5)
    with tempfile.TemporaryDirectory() as folder:
        path, result = os.path.join(folder, "photo.jpg"), os.path.join(folder, "colored.jpg")
        sample = decode.read_picture(sources.open_source("samples").names[-1])
        large = cv2.resize(sample, (height * 4 // 3, height), interpolation=cv2.INTER_CUBIC)
        decode.write_picture(path, large)
        del large
        model = colorizer.Colorizer(_MODEL.value)
        idle = _peak_megabytes()
        runs = [_color(model._graph, path, result) for _ in range(4)][1:]
    print(f"{height * 4 // 3} x {height} pixels")
    for stage in runs[0]:
        print(f"{stage:10}{statistics.median(run[stage] for run in runs):8.2f} s")
    total = statistics.median(sum(run.values()) for run in runs)
    print(f"{'total':10}{total:8.2f} s")
    print(f"peak memory {_peak_megabytes():.0f} MB, {idle:.0f} MB before the first photo")


def _color(model, path, result):
    times = {}

    def timed(stage, work):
        start = time.perf_counter()
        value = work()
        times[stage] = times.get(stage, 0) + time.perf_counter() - start
        return value

    photo = timed("decode", lambda: decode.read_picture(path))
    coefficients = timed("network", lambda: model.predict(photo[None]).numpy())
    colored = np.empty_like(photo)
    rows = graph.strip_rows(1, photo.shape[1])

    def upsample():
        for top in range(0, len(photo), rows):
            strip = photo[None, top : top + rows]
            colored[top : top + rows] = model.apply(strip, coefficients, top, len(photo))[0]

    timed("upsample", upsample)
    timed("encode", lambda: decode.write_picture(result, colored, overwrite=True))
    return times


def _peak_megabytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    app.run(main)
