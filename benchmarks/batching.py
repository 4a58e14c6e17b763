"""What a TF Serving gains by putting requests together, and by how many threads.

`python benchmarks/batching.py [--model=DIR] [--repeats=5]`

Colors photos of one size through the model's signature `arrays` in this process: in batches of
1, 2, 4 and 8, one batch at a time, then in batches of 1 from several threads. Prints pictures per
second, median and range of the repeats, and the time of one batch: what the first request of a
batch waits for the others. `deploy/batching.config` is chosen by this table.
"""

import concurrent.futures
import functools
import pathlib
import statistics

import cv2
import numpy as np
import timing
from absl import app, flags

from pipelines import console

_MODEL = flags.DEFINE_string(
    "model", "saved_models/chroma", "Folder of an exported model, of which the latest is taken."
)
_REPEATS = flags.DEFINE_integer("repeats", 5, "Measurements of each, in turn.", lower_bound=1)
_SIDES = flags.DEFINE_list("sides", ["256", "512"], "Sides of the photos, in pixels.")
_NUM_PHOTOS = 16


def main(_):
    """Prints the table."""
    console.import_quietly()
    import tensorflow as tf

    from pipelines.photos import photo_files
    from pipelines.sources import opener

    versions = [path for path in pathlib.Path(_MODEL.value).iterdir() if path.name.isdigit()]
    folder = max(versions, key=lambda path: int(path.name))
    model = tf.saved_model.load(str(folder))
    function = model.signatures["arrays"]
    names = opener.open_source("samples").names
    sample = photo_files.read_picture(names[-1])
    print(f"{folder}; pictures/s: median (range) of {_REPEATS.value}; time of one batch")
    for side in map(int, _SIDES.value):
        photo = cv2.resize(sample, (side, side), interpolation=cv2.INTER_AREA)
        ways = {f"batches of {size}": (size, 1) for size in (1, 2, 4, 8)}
        ways |= {f"{count} threads, batches of 1": (1, count) for count in (2, 4)}
        seconds = timing.by_turns(
            {
                way: functools.partial(
                    _color, function, tf.constant(np.repeat(photo[None], size, axis=0)), num_threads
                )
                for way, (size, num_threads) in ways.items()
            },
            _REPEATS.value,
        )
        for way, (size, num_threads) in ways.items():
            rates = [_NUM_PHOTOS / value for value in seconds[way]]
            one = 1000 * size * num_threads / statistics.median(rates)
            print(
                f"{side} px  {way:24} {statistics.median(rates):6.2f} "
                f"({min(rates):.2f} to {max(rates):.2f})  {one:6.0f} ms"
            )


def _color(function, batch, num_threads):
    calls = _NUM_PHOTOS // len(batch)
    with concurrent.futures.ThreadPoolExecutor(num_threads) as pool:
        for colored in pool.map(lambda _: function(images=batch), range(calls)):
            next(iter(colored.values())).numpy()


if __name__ == "__main__":
    app.run(main)
