"""How much memory a short and a long film take.

`python benchmarks/film_memory.py [--num_frames=1500,30000] [--height=48] FILM`

Makes films of so many frames by repeating FILM, small, and colors each in a process of its own. The
network is a stand-in, since only what is kept from frame to frame can grow. Prints the peak of
memory of each; 1,500 frames are a minute, and 30,000 are twenty.
"""

import concurrent.futures
import fractions
import itertools
import multiprocessing
import os
import pathlib
import resource
import tempfile

import av
import numpy as np
from absl import app, flags

from colorization.film import film_reader, film_run
from colorization.film.film_plan import FilmOptions
from colorization.inference import threads
from colorization.inference.colorizer import Colorizer

_NUM_FRAMES = flags.DEFINE_list("num_frames", ["1500", "30000"], "Frames of each film.")
_HEIGHT = flags.DEFINE_integer("height", 48, "Rows that the film is scaled to.")
_RATE = 25


class _StandIn:
    description = {
        "name": "stand-in",
        "version": 1,
        "gives_variants": False,
        "working_size": 32,
        "size_multiple": 16,
    }

    def coefficients(self, lightness, hints=None):
        return np.full((*lightness.shape[:3], 4), [0.5, 1.0, -25.0, -50.0], np.float32)


def main(arguments):
    """Prints a line for each film."""
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder:
        for count in map(int, _NUM_FRAMES.value):
            path = pathlib.Path(folder, f"{count}.mp4")
            _repeat(arguments[1], path, count)
            with concurrent.futures.ProcessPoolExecutor(1, context) as pool:
                peak = pool.submit(_color, path).result()
            print(f"{count:8} frames {peak:8.1f} MB at the peak", flush=True)


def _repeat(source, path, count):
    film = film_reader.Film(source)
    width = round(film.width * _HEIGHT.value / film.height / 2) * 2
    frames = [film.small(frame, _HEIGHT.value, width) for frame in film.frames()]
    with av.open(os.fspath(path), "w") as output:
        stream = output.add_stream("h264", rate=_RATE)
        stream.width, stream.height, stream.pix_fmt = width, _HEIGHT.value, "yuv420p"
        for number, pixels in enumerate(itertools.islice(itertools.cycle(frames), count)):
            picture = av.VideoFrame.from_ndarray(pixels)
            picture.pts, picture.time_base = number, fractions.Fraction(1, _RATE)
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))


def _color(path):
    film_run.color_film(
        path,
        path.with_name(f"{path.stem}_color.mp4"),
        Colorizer(engine=_StandIn()),
        FilmOptions(),
        overwrite=False,
        tell=print,
        stop=threads.Stop(),
    )
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    app.run(main)
