"""Twenty photos through the clients of TF Serving's protocols, against the local colorizer.

`python -m benchmarks.served --model=DIR`, from the project's folder: the server is the stand-in of
the tests, with the real protocols and the real model. Prints how many levels each differs at most.
"""

import os
import pathlib

import cv2
import numpy as np
import skimage.data
from absl import app, flags

from colorization import commands

_MODEL = flags.DEFINE_string(
    "model", "saved_models/chroma", "Folder of an exported model, of which the latest is taken."
)
# Width and height.
_SIZES = [(1, 1), (2, 3), (1, 700), (900, 1), (17, 31), (512, 512), (600, 400), (451, 300)]
_SIZES += [(255, 257), (257, 256), (2000, 100), (90, 1800), (640, 480), (1024, 768), (1333, 777)]
_SIZES += [(2400, 1600), (4000, 3000), (6000, 4000), (700, 500), (512, 300)]


def main(_):
    """Prints a line for each photo."""
    os.environ["GRPC_VERBOSITY"] = "NONE"
    commands.import_quietly()
    from colorization.inference.colorizer import Colorizer
    from colorization.serving.client import RemoteColorizer
    from tests.colorization.serving.double import Double

    versions = [path for path in pathlib.Path(_MODEL.value).iterdir() if path.name.isdigit()]
    local = Colorizer(_MODEL.value)
    with Double(max(versions, key=lambda path: int(path.name))) as server:
        clients = {"gRPC": RemoteColorizer(server.grpc), "REST": RemoteColorizer(server.rest)}
        for photo in _photos():
            expected = local.colorize(photo).astype(int)
            found = [
                f"{name} {np.abs(client.colorize(photo) - expected).max()}"
                for name, client in clients.items()
            ]
            print(f"{photo.shape[1]} x {photo.shape[0]}, {photo.dtype}: {', '.join(found)}")


def _photos():
    samples = [skimage.data.astronaut(), skimage.data.coffee(), skimage.data.chelsea()]
    for index, size in enumerate(_SIZES):
        photo = cv2.resize(samples[index % 3], size, interpolation=cv2.INTER_CUBIC)
        if size == (700, 500):
            photo = photo.astype(np.uint16) * 257
        if size == (512, 300):
            photo = cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)
        yield photo


if __name__ == "__main__":
    app.run(main)
