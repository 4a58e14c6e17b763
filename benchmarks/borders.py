"""How far a border, and fading, move the colors of the photo within.

`python benchmarks/borders.py [--model=DIR] [PHOTO ...]`

Each photo, by default scikit-image's samples, is faded by degrees, put behind borders of every kind
and colored. Prints, as Markdown, the mean distance in ab between the photo within its border and
the same photo without one, both colored.
"""

import os

import cv2
import numpy as np
from absl import app, flags

from colorization import Colorizer
from pipelines.color import spaces
from pipelines.photos import photo_files
from pipelines.sources import opener

_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")

# Share of the range that is kept, and what it is lifted by, in levels of 255.
_FADINGS = {"none": (1.0, 0.0), "slight": (0.78, 30.0), "strong": (0.55, 60.0)}
# Margins at the top, left, bottom and right as shares of the shorter side, the level, and grain.
_BORDERS = {
    "thin white": ((0.02, 0.02, 0.02, 0.02), 250, 0.0),
    "wide white": ((0.08, 0.08, 0.08, 0.08), 250, 0.0),
    "black": ((0.05, 0.05, 0.05, 0.05), 5, 0.0),
    "paper": ((0.06, 0.06, 0.06, 0.06), 225, 4.0),
    "instant photo": ((0.06, 0.06, 0.25, 0.06), 245, 1.0),
    "album page": ((0.3, 0.2, 0.25, 0.35), 70, 3.0),
}


def main(arguments):
    """Prints a table."""
    paths = arguments[1:] or opener.open_source("samples").names
    colorizer = Colorizer(_MODEL.value)
    print(f"| photo | fading | {' | '.join(_BORDERS)} |")
    print("|---|---|" + "---|" * len(_BORDERS))
    shifts = []
    for path in paths:
        gray = cv2.cvtColor(photo_files.read_picture(path), cv2.COLOR_RGB2GRAY)
        for fading, (kept, lift) in _FADINGS.items():
            faded = np.uint8(np.round(gray * kept + lift * (kept < 1)))
            plain = _ab(colorizer.colorize(faded))
            row = [_shift(colorizer, faded, plain, *border) for border in _BORDERS.values()]
            shifts += row
            cells = " | ".join(f"{shift:.1f}" for shift in row)
            print(f"| {os.path.basename(path)} | {fading} | {cells} |", flush=True)
    print(f"\nmean {np.mean(shifts):.2f}, largest {np.max(shifts):.2f} units of ab")


def _shift(colorizer, photo, plain, margins, level, grain):
    top, left, bottom, right = (round(share * min(photo.shape)) for share in margins)
    page = np.pad(np.float32(photo), ((top, bottom), (left, right)), constant_values=level)
    outside = np.pad(np.zeros(photo.shape), ((top, bottom), (left, right)), constant_values=1)
    page += outside * np.random.default_rng(0).normal(0, grain, page.shape)
    colored = _ab(colorizer.colorize(np.uint8(np.clip(np.round(page), 0, 255))))
    within = colored[top : top + photo.shape[0], left : left + photo.shape[1]]
    return float(np.linalg.norm(within - plain, axis=-1).mean())


def _ab(rgb):
    return spaces.rgb_to_lab(rgb).numpy()[..., 1:]


if __name__ == "__main__":
    app.run(main)
