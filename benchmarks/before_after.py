"""A sheet of photos before and after.

`python benchmarks/before_after.py --data=FOLDER --sheet=FILE [--model=DIR]`
"""

import pathlib

from absl import app, flags

from colorization import demo
from colorization.inference.colorizer import Colorizer
from pipelines.photos import photo_files

_DATA = flags.DEFINE_string("data", None, "Folder of photos.", required=True)
_SHEET = flags.DEFINE_string("sheet", None, "JPEG or PNG to write.", required=True)
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")


def main(_):
    """Writes the sheet: two photos a row, each beside its colored copy."""
    colorizer = Colorizer(_MODEL.value)
    originals = [
        photo_files.read_picture(path) for path in sorted(pathlib.Path(_DATA.value).iterdir())
    ]
    pairs = [[demo.to_gray(photo), colorizer.colorize(photo)] for photo in originals]
    rows = [
        pairs[i] + (pairs[i + 1] if i + 1 < len(pairs) else []) for i in range(0, len(pairs), 2)
    ]
    photo_files.write_picture(_SHEET.value, demo.sheet(rows, 300), overwrite=True)


if __name__ == "__main__":
    app.run(main)
