"""Whether every way to use a model gives the same picture.

`python -m benchmarks.parity --data=FOLDER --model_dir=RUN --model=DIR --lite=FILE.tflite
[--working_size=256 --temperature=0.5]`, from the project's folder, with the extra `test`.

Brings pictures of the folder to 20 sizes from 1 x 1 to 24 megapixels, as PNG files, colors each by
the run's Keras network and by every other way, and prints the largest difference in levels of 255,
and the share of values that differ at all in percent. The last two flags are those of the export.
gRPC and REST go over real sockets to the stand-in for TF Serving of the tests, the web page's
requests to its application.
"""

import atexit
import functools
import importlib.util
import io
import pathlib

import cv2
import numpy as np
import tensorflow as tf
from absl import app, flags
from PIL import Image

from colorization import Colorizer, export
from pipelines.photos import photo_files
from pipelines.sources import opener

_DATA = flags.DEFINE_string("data", None, "Folder of pictures.", required=True)
_RUN = flags.DEFINE_string("model_dir", None, "Run, for Keras.", required=True)
_MODEL = flags.DEFINE_string("model", None, "Exported SavedModel.", required=True)
_LITE = flags.DEFINE_string("lite", None, "Model for LiteRT; none leaves its column out.")
_WORKING_SIZE = flags.DEFINE_integer("working_size", 256, "Of the export.")
_TEMPERATURE = flags.DEFINE_float("temperature", 0.5, "Of the export.")

# Height and width.
_SIZES = [
    *((1, 1), (1, 2), (7, 5), (1, 999), (999, 1), (16, 16), (33, 100), (255, 257), (256, 256)),
    *((333, 500), (500, 333), (480, 640), (101, 1601), (1601, 101), (1080, 1920), (1000, 3001)),
    *((3001, 1000), (2000, 3000), (3456, 4608), (4000, 6000)),
]


def main(_):
    """Prints a line for each size."""
    ways = {name: make() for name, make in _WAYS.items()}
    ways = {name: way for name, way in ways.items() if way}
    reference = _keras()
    names = opener.open_source(f"folder:{_DATA.value}").names
    print("| size | " + " | ".join(ways) + " |\n" + "|---" * (len(ways) + 1) + "|")
    for index, (height, width) in enumerate(_SIZES):
        picture = photo_files.read_picture(names[index * len(names) // len(_SIZES)])
        rgb = cv2.resize(picture, (width, height), interpolation=cv2.INTER_CUBIC)
        file = io.BytesIO()
        Image.fromarray(rgb).save(file, "PNG", compress_level=1)
        expected, cells = reference(file.getvalue()), []
        for way in ways.values():
            difference = cv2.absdiff(way(file.getvalue()), expected)
            cells.append(f"{difference.max()} ({100 * np.mean(difference > 0):.3f} %)")
        print(f"| {width} x {height} | " + " | ".join(cells) + " |", flush=True)


def _keras():
    graph, _ = export.open_run(
        _RUN.value,
        export.Settings(working_size=_WORKING_SIZE.value, temperature=_TEMPERATURE.value),
    )
    return lambda file: graph.arrays(_decode(file)[None])[0].numpy()


def _colorizer():
    colorizer = Colorizer(_MODEL.value)
    return lambda file: colorizer.colorize(_decode(file))


def _saved_model():
    (version,) = sorted(pathlib.Path(_MODEL.value).glob("[0-9]*"))[-1:]
    model = tf.saved_model.load(str(version))
    # The signature is all that a server has.
    color = model.signatures["serving_default"]
    return lambda file, _=model: _decode(color(tf.constant([file]))["image_bytes"][0].numpy())


def _remote(transport):
    from tests.colorization.serving.double import Double

    (version,) = sorted(pathlib.Path(_MODEL.value).glob("[0-9]*"))[-1:]
    server = Double(version)
    server.__enter__()
    atexit.register(server.__exit__, None, None, None)
    client = Colorizer(server=getattr(server, transport))
    return lambda file: client.colorize(_decode(file))


def _web():
    from colorization.serving.web import app as web

    client = web.create_app(Colorizer(_MODEL.value), web.Limits()).test_client()

    def color(file):
        answer = client.post("/api/colorize?name=photo.png", data=file)
        assert answer.status_code == 200, answer.get_data()
        return _decode(answer.get_data())

    return color


def _lite():
    if not _LITE.value:
        return None
    path = pathlib.Path(__file__).parents[1] / "examples/tflite_colorize.py"
    spec = importlib.util.spec_from_file_location("tflite_colorize", path)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    color = functools.partial(example.colorize, pathlib.Path(_LITE.value).read_bytes())
    return lambda file: np.asarray(color(Image.open(io.BytesIO(file)).convert("RGB")))


# Each makes a function from a PNG file's bytes to the colored picture, uint8 RGB.
_WAYS = {
    "colorize": _colorizer,
    "SavedModel, bytes": _saved_model,
    "gRPC client": lambda: _remote("grpc"),
    "REST client": lambda: _remote("rest"),
    "LiteRT, example": _lite,
    "web page": _web,
}


def _decode(file):
    return np.asarray(Image.open(io.BytesIO(file)))


if __name__ == "__main__":
    app.run(main)
