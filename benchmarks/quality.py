"""How near to the truth, and how colorful, a model's pictures are.

`python benchmarks/quality.py --data=FOLDER[,FOLDER...] [--model=DIR] [--sheet=FILE --num_shown=24]`

Colors every picture of each folder by the command, at its own size, and prints the mean PSNR
against the truth and the mean colorfulness, beside those of gray and of the truth.
"""

import pathlib
import sys
import tempfile

import numpy as np
from absl import app, flags

from colorization import colorize, demo
from colorization.metrics import color as metrics
from pipelines import photos

_DATA = flags.DEFINE_list("data", None, "Folders of color pictures.", required=True)
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_SHEET = flags.DEFINE_string("sheet", None, "JPEG or PNG to write: gray, colored and truth.")
_NUM_SHOWN = flags.DEFINE_integer(
    "num_shown", 24, "Pictures on the sheet, evenly over the folders."
)


def main(_):
    """Prints a row of figures for each folder."""
    print(f"{'pictures':28}{'number':>7}{'PSNR':>8}{'gray':>8}{'colorf.':>9}{'truth':>8}")
    shown = []
    for folder in map(pathlib.Path, _DATA.value):
        with tempfile.TemporaryDirectory() as output:
            arguments = ["colorize", str(folder), f"--output={output}"]
            if _MODEL.value:
                arguments.append(f"--model={_MODEL.value}")
            if colorize.main(arguments):
                sys.exit(1)
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            rows = [
                _measure(path, pathlib.Path(output) / path.relative_to(folder)) for path in paths
            ]
            number = _NUM_SHOWN.value // len(_DATA.value)
            for path in paths[:: max(1, len(paths) // number)][:number]:
                truth = photos.read_picture(path)
                colored = photos.read_picture(pathlib.Path(output) / path.relative_to(folder))
                shown.append([demo.to_gray(truth), colored, truth])
        means = np.mean(rows, axis=0)
        name = "/".join(folder.parts[-2:])
        print(f"{name:28}{len(rows):7}{means[0]:8.2f}{means[1]:8.2f}{means[2]:9.1f}{means[3]:8.1f}")
    if _SHEET.value:
        pairs = [left + right for left, right in zip(shown[::2], shown[1::2], strict=True)]
        photos.write_picture(_SHEET.value, demo.sheet(pairs, 150), overwrite=True)


def _measure(path, colored_path):
    truth, colored = photos.read_picture(path), photos.read_picture(colored_path)
    return (
        metrics.psnr(truth, colored),
        metrics.psnr(truth, demo.to_gray(truth)),
        metrics.colorfulness(colored),
        metrics.colorfulness(truth),
    )


if __name__ == "__main__":
    app.run(main)
