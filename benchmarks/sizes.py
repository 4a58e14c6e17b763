"""Whether a photo gets the same colors at every size.

`python benchmarks/sizes.py --data=folder:PHOTOS [--number=20] [--model=DIR]`

Colors each photo with its longer side brought to 512, 1024 and 4096 pixels, and prints the mean
distance in ab between the results, brought back to 512. Pictures are enlarged by cubic
interpolation: what is compared is the way of coloring, not what a sharper scan would show.
"""

import itertools

import cv2
import numpy as np
from absl import app, flags

from colorization import Colorizer
from pipelines.color import spaces
from pipelines.photos import photo_files
from pipelines.sources import opener

_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")
_NUMBER = flags.DEFINE_integer("number", 20, "Photos, evenly over the source.")
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_SIDES = (512, 1024, 4096)


def main(_):
    """Prints a line for each pair of sizes."""
    colorizer = Colorizer(_MODEL.value)
    names = opener.open_source(_DATA.value).names
    distances = {pair: [] for pair in itertools.combinations(_SIDES, 2)}
    for name in names[:: max(1, len(names) // _NUMBER.value)][: _NUMBER.value]:
        picture = photo_files.read_picture(name)
        shapes = [_scaled(picture.shape[1::-1], side) for side in _SIDES]
        ab = {}
        for side, shape in zip(_SIDES, shapes, strict=True):
            colored = _resize(colorizer.colorize(_resize(picture, shape)), shapes[0])
            ab[side] = spaces.rgb_to_lab(colored).numpy()[..., 1:]
        for one, other in distances:
            distances[one, other].append(np.linalg.norm(ab[one] - ab[other], axis=-1).mean())
    for (one, other), values in distances.items():
        print(f"{one:5} and {other:4} px: mean {np.mean(values):.2f}, worst {np.max(values):.2f}")


def _scaled(shape, side):
    return tuple(round(length * side / max(shape)) for length in shape)


def _resize(picture, shape):
    how = cv2.INTER_AREA if shape[0] < picture.shape[1] else cv2.INTER_CUBIC
    return cv2.resize(picture, shape, interpolation=how)


if __name__ == "__main__":
    app.run(main)
