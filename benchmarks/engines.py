"""Whether LiteRT and TensorFlow give the same picture, in 8 and 16 bits, with variants and hints.

`python benchmarks/engines.py --data=FOLDER [--model=DIR --number=20]`

Colors pictures of the folder, evenly, by both engines, and prints the largest difference of each
way in levels of 255, and the share of values that differ at all in percent. Hints are said to a
model that takes them.
"""

import cv2
import numpy as np
from absl import app, flags

from colorization import Colorizer
from colorization.inference.color_hints import Hint
from pipelines.photos import photo_files
from pipelines.sources import opener

_DATA = flags.DEFINE_string("data", None, "Folder of pictures.", required=True)
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_NUMBER = flags.DEFINE_integer("number", 20, "Pictures, at most.")
_VARIANTS = 4


def main(_):
    """Prints a line for each way."""
    names = opener.open_source(f"folder:{_DATA.value}").names
    names = names[:: max(1, len(names) // _NUMBER.value)][: _NUMBER.value]
    engines = [Colorizer(_MODEL.value, engine=engine) for engine in ("litert", "saved_model")]
    ways = {"8 bits": {}, "16 bits": {}, "variants": {"num_variants": _VARIANTS}}
    if engines[0].description.get("takes_hints"):
        ways["hints"] = {"hints": [Hint(3, 3, "navy"), Hint(20, 20, "olive")]}
    print(f"{len(names)} photos\n| way | largest difference | values that differ |\n|---|---|---|")
    for way, options in ways.items():
        most, shares = 0.0, []
        for name in names:
            rgb = photo_files.read_picture(name)
            if way == "16 bits":
                rgb = rgb.astype(np.uint16) * 257
            several = [_color(engine, rgb, options) for engine in engines]
            if len(several[0]) != len(several[1]):
                raise SystemExit(f"{name}: {len(several[0])} and {len(several[1])} variants.")
            for one, other in zip(*several, strict=True):
                difference = cv2.absdiff(one, other)
                most = max(most, float(difference.max()) * 255 / np.iinfo(rgb.dtype).max)
                shares.append(np.mean(difference > 0))
        print(f"| {way} | {most:.2f} | {100 * np.mean(shares):.3f} % |", flush=True)


def _color(engine, rgb, options):
    if "num_variants" in options:
        return engine.variants(rgb, options["num_variants"])
    return [engine.colorize(rgb, **options)]


if __name__ == "__main__":
    app.run(main)
