"""Strips of colored films, and where the time goes. Figures: `colorization evaluate --films`.

`python benchmarks/film.py [--num_frames=24] [--height=224] [--model=DIR] FILM`
`python benchmarks/film.py --sheet=FOLDER [--num_frames=150] [--model=DIR] FILM ...`

Prints the processor time of each stage for a frame; of the network a third is counted, since it
sees every third frame. `--sheet` writes strips of eight frames in place of that, spread over each
film: truth, frame by frame, film.
"""

import fractions
import itertools
import os
import tempfile
import time

import av
import cv2
import numpy as np
from absl import app, flags

from colorization import Colorizer
from colorization.evaluation import films
from colorization.film import film_coloring, film_reader, film_writer, steady
from colorization.inference import full_size
from pipelines.color import arrays
from pipelines.photos import photo_files

_NUM_FRAMES = flags.DEFINE_integer("num_frames", 24, "Frames of each film, from the first on.")
_HEIGHT = flags.DEFINE_integer("height", None, "Rows that films are scaled to; default their own.")
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_SHEET = flags.DEFINE_string("sheet", None, "Folder for strips of frames.")


def main(arguments):
    """Prints a table, or writes strips."""
    colorizer = Colorizer(_MODEL.value)
    if _SHEET.value:
        os.makedirs(_SHEET.value, exist_ok=True)
        for path in arguments[1:]:
            name = os.path.splitext(os.path.basename(path))[0]
            photo_files.write_picture(f"{_SHEET.value}/{name}.png", _strips(path, colorizer), True)
        return
    with tempfile.TemporaryDirectory() as folder:
        film = _gray_film(arguments[1], os.path.join(folder, "gray.mkv"))
        _time_stages(film, colorizer, os.path.join(folder, "segment"))


def _strips(path, colorizer):
    film = films.GrayFilm(path)
    box = film_coloring.find_picture(film)
    coloring = film_coloring.FilmColoring(film, colorizer.engine, box=box)
    frames = itertools.islice(film.frames(), _NUM_FRAMES.value)
    colored = [pair for pairs, _ in coloring.run(frames) for pair in pairs]
    chosen = [colored[n] for n in np.linspace(0, len(colored) - 1, 8).astype(int)]
    rows = [
        [film.true_rgb(frame) for frame, _ in chosen],
        [colorizer.colorize(film.rgb(frame)) for frame, _ in chosen],
        [rgb for _, rgb in chosen],
    ]
    return np.vstack([np.hstack(row) for row in rows])


def _gray_film(path, gray_path):
    """A film of the lightness of another's first frames."""
    film = film_reader.Film(path)
    height = _HEIGHT.value or film.height
    width = round(film.width * height / film.height / 2) * 2
    frames = itertools.islice(film.frames(), _NUM_FRAMES.value)
    pictures = [film.small(frame, height, width) for frame in frames]
    with av.open(gray_path, "w") as output:
        stream = output.add_stream("ffv1", rate=film.rate)
        stream.width, stream.height, stream.pix_fmt = width, height, "gray"
        for number, rgb in enumerate(pictures):
            luminance = arrays.srgb_to_linear(rgb / 255.0) @ arrays.RGB_TO_WHITE[:, 1]
            level = np.uint8(np.round(255 * np.clip(arrays.linear_to_srgb(luminance), 0, 1)))
            picture = av.VideoFrame.from_ndarray(level, format="gray")
            picture.pts, picture.time_base = number, fractions.Fraction(1) / film.rate
            # Gray is coded as luma of full range.
            picture.color_range = 2
            output.mux(stream.encode(picture))
        output.mux(stream.encode(None))
    return film_reader.Film(gray_path)


def _time_stages(film, colorizer, path):
    coloring = film_coloring.FilmColoring(film, colorizer.engine)
    frames = list(itertools.islice(film.frames(), 3))
    lights = [coloring.lightness(frame) for frame in frames]
    coefficients = coloring.predict(frames[0])
    back, ahead = steady.find_motions(*lights[:2])
    seen = [
        steady.Seen(light, None if number % 3 else coefficients, back, ahead)
        for number, light in enumerate(lights * 8)
    ]
    rgb = full_size.apply(film.rgb(frames[0]), coefficients)
    writer = film_writer.SegmentWriter(path, film, "h264", 18)
    times = itertools.count()
    stages = {
        "decode": (lambda: list(film.frames()), _NUM_FRAMES.value),
        "lightness": (lambda: coloring.lightness(frames[0]), 1),
        "motion": (lambda: steady.find_motions(*lights[:2]), 1),
        "network": (lambda: coloring.predict(frames[0]), 3),
        "settle": (lambda: steady.settle(seen, film_coloring.STRETCH, None), film_coloring.STRETCH),
        "full size": (lambda: full_size.apply(film.rgb(frames[0]), coefficients), 1),
        "encode": (lambda: writer.write(np.roll(rgb, next(times), 1), next(times)), 1),
    }
    print(f"\n{film.width} x {film.height} pixels\n\n| stage | processor ms a frame |\n|---|---|")
    total = 0
    for stage, (work, count) in stages.items():
        work()
        start = time.process_time()
        for _ in range(3):
            work()
        spent = (time.process_time() - start) / 3 / count * 1000
        total += spent
        print(f"| {stage} | {spent:.1f} |")
    writer.close()
    print(f"| all | {total:.1f} |\n\nAt most {2000 / total:.1f} frames/s on two cores.")


if __name__ == "__main__":
    cv2.setNumThreads(2)
    app.run(main)
