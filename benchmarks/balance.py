"""Which `--balance` of the export makes pictures as red, yellow and colorful as the originals.

`python benchmarks/balance.py --model_dir=RUN --data=TRAIN_FOLDER,... [--number=400 --chroma=0.8
--working_size=160 --second_scale=0.6 --smoothing=0.5 --temperature=0.3]`

The annealed mean leans toward what is frequent, so that colorings as a whole are greener than
photos. Colors `number` of the pictures, evenly, and searches for three numbers with which the means
of a* and b* are those of the originals, and the mean of chroma is a share `--chroma` of it. What is
missing, --saturation gives. Take pictures of training, not those on which the model is measured.
The last four flags are those of the export.
"""

import cv2
import numpy as np
from absl import app, flags

from colorization import export
from pipelines.color import arrays, bins
from pipelines.photos import photo_files
from pipelines.sources import opener

_RUN = flags.DEFINE_string("model_dir", None, "Run to export.", required=True)
_DATA = flags.DEFINE_list("data", None, "Folders of color pictures.", required=True)
_NUMBER = flags.DEFINE_integer("number", 400, "Pictures, of all folders.")
_CHROMA = flags.DEFINE_float("chroma", 0.8, "Share of the originals' mean chroma.")
_WORKING_SIZE = flags.DEFINE_integer("working_size", 160, "Of the export.")
_SECOND_SCALE = flags.DEFINE_float("second_scale", 0.6, "Of the export.")
_SMOOTHING = flags.DEFINE_float("smoothing", 0.5, "Of the export.")
_TEMPERATURE = flags.DEFINE_float("temperature", 0.3, "Of the export.")
# Cells of a picture that count, at random places.
_NUM_CELLS = 200
# Units of ab by which the means may miss.
_TOLERANCE = 0.02


def main(_):
    """Prints the means at the start and at the end, and the flag."""
    settings = export.Settings(
        working_size=_WORKING_SIZE.value,
        # A run may have one from the model it started from.
        balance=(0.0, 0.0, 0.0),
        second_scale=_SECOND_SCALE.value,
        smoothing=_SMOOTHING.value,
        temperature=_TEMPERATURE.value,
    )
    graph, _ = export.open_run(_RUN.value, settings)
    random = np.random.default_rng(0)
    names = opener.open_source(",".join(f"folder:{folder}" for folder in _DATA.value)).names
    names = names[:: max(1, len(names) // _NUMBER.value)]
    found = [_cells(graph, name, random) for name in names]
    logits, ab = (np.concatenate(parts) for parts in zip(*found, strict=True))
    wanted = _means(ab) * [1, 1, _CHROMA.value]
    print(f"originals (chroma x {_CHROMA.value:g}): a*, b*, chroma {wanted.round(2)}")
    balance = np.zeros(3)
    means = _means(_colors(logits, balance))
    print(f"without a balance: {means.round(2)}")
    while np.abs(wanted - means).max() > _TOLERANCE:
        # A step that errs on the small side; colors follow all the more, the lower it is.
        balance += (wanted - means) * _TEMPERATURE.value / 3
        means = _means(_colors(logits, balance))
    print(f"with it: {means.round(2)}\n--balance={','.join(f'{each:.2f}' for each in balance)}")


def _cells(graph, name, random):
    """Logits and the original's ab, of some of a picture's cells."""
    rgb = photo_files.read_picture(name)
    logits = graph.coefficients_and_logits(graph.seen(rgb[None]))[1][0].numpy()
    rows, columns, _ = logits.shape
    lab = arrays.rgb_to_lab(rgb.astype(np.float32) / 255)
    ab = cv2.resize(lab[..., 1:], (columns, rows), interpolation=cv2.INTER_AREA)
    chosen = random.choice(rows * columns, min(rows * columns, _NUM_CELLS), replace=False)
    return logits.reshape(rows * columns, -1)[chosen], ab.reshape(-1, 2)[chosen]


def _colors(logits, balance):
    return bins.annealed_mean(logits + bins.tilt(balance), _TEMPERATURE.value).numpy()


def _means(ab):
    return np.append(ab.mean(axis=0), np.linalg.norm(ab, axis=-1).mean())


if __name__ == "__main__":
    app.run(main)
