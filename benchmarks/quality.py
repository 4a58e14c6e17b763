"""A sheet of what a model makes of photos: gray, colored and truth, side by side.

`python benchmarks/quality.py --data=folder:PHOTOS[,folder:MORE] --sheet=FILE [--model=DIR]`

The figures are those of `python -m colorization.evaluate`.
"""

from absl import app, flags

from colorization import demo
from colorization.evaluation import measure, systems
from pipelines.color.gray import to_gray
from pipelines.photos import photo_files

_DATA = flags.DEFINE_string("data", None, "As of colorization.evaluate.", required=True)
_MODEL = flags.DEFINE_string("model", None, "Exported model; default the released one.")
_SHEET = flags.DEFINE_string("sheet", None, "JPEG or PNG to write.", required=True)
_NUM_SHOWN = flags.DEFINE_integer("num_shown", 24, "Pictures on it, evenly over the sets.")


def main(_):
    """Draws the sheet, two photos to a row."""
    model, _ = systems.model(_MODEL.value)
    number = _NUM_SHOWN.value // len(_DATA.value.split(","))
    shown = []
    for one in measure.open_data(_DATA.value, limit=number):
        for name, element in one.jobs():
            try:
                truth, _ = measure.read_photo(one.source, name, element)
            except measure.LeftOutError:
                continue
            gray = to_gray(truth)
            shown.append([gray, model.color(gray, truth)[0], truth])
    pairs = [left + right for left, right in zip(shown[::2], shown[1::2], strict=False)]
    photo_files.write_picture(_SHEET.value, demo.sheet(pairs, 150), overwrite=True)


if __name__ == "__main__":
    app.run(main)
