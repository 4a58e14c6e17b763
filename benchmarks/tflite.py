"""What a model for LiteRT loses and gains by quantization.

`python benchmarks/tflite.py --data=VAL_FOLDER,... --model_dir=RUN --lite=A.tflite,B.tflite
[--number=50 --working_size=256 --temperature=0.5]`

Colors up to `number` pictures of each folder, evenly, with the run's Keras network and with each
model, and prints as Markdown: the size of the file, the mean and the largest distance in ab from
Keras' at the working size, PSNR against the truth and colorfulness of the pictures with their
change from Keras', and the milliseconds of a run at 256 x 256 on one and on two threads, the least
of 20. The last two flags are those of the export.
"""

import os
import time

import numpy as np
from absl import app, flags
from ai_edge_litert.interpreter import Interpreter

from colorization import export
from colorization.evaluation.metrics import colors, fidelity
from pipelines.photos import photo_files
from pipelines.sources import opener

_DATA = flags.DEFINE_list("data", None, "Folders of color pictures.", required=True)
_RUN = flags.DEFINE_string("model_dir", None, "Run, for Keras.", required=True)
_LITE = flags.DEFINE_list("lite", None, "Models.", required=True)
_NUMBER = flags.DEFINE_integer("number", 50, "Pictures of each folder, at most.")
_WORKING_SIZE = flags.DEFINE_integer("working_size", 256, "Of the export.")
_TEMPERATURE = flags.DEFINE_float("temperature", 0.5, "Of the export.")
_ROUNDS = 20


def main(_):
    """Prints a line for each model and folder, and one for each model's time."""
    graph, _ = export.open_run(
        _RUN.value,
        export.Settings(working_size=_WORKING_SIZE.value, temperature=_TEMPERATURE.value),
    )
    print("| model | pictures | number | ab, mean | ab, max | PSNR | colorfulness |")
    print("|---|---|---|---|---|---|---|")
    for folder in _DATA.value:
        names = opener.open_source(f"folder:{folder}").names
        names = names[:: max(1, len(names) // _NUMBER.value)][: _NUMBER.value]
        pictures = [photo_files.read_picture(name) for name in names]
        seen = [graph.seen(rgb[None]).numpy() for rgb in pictures]
        expected = [graph.coefficients(lightness).numpy() for lightness in seen]
        reference = _figures(graph, pictures, expected)
        label = "/".join(os.path.normpath(folder).split(os.sep)[-2:])
        print(f"| Keras | {label} | {len(names)} | | | {reference[0]:.2f} | {reference[1]:.1f} |")
        for path in _LITE.value:
            run = Interpreter(path, num_threads=2).get_signature_runner()
            found = [run(lightness=lightness)["coefficients"] for lightness in seen]
            distances = [
                np.linalg.norm(_ab(one, lightness) - _ab(other, lightness), axis=-1)
                for one, other, lightness in zip(found, expected, seen, strict=True)
            ]
            mean, worst = np.mean([d.mean() for d in distances]), max(d.max() for d in distances)
            psnr, colorfulness = _figures(graph, pictures, found)
            print(
                f"| {os.path.basename(path)} | {label} | {len(names)} | {mean:.3g} | {worst:.3g} | "
                f"{psnr:.2f} ({psnr - reference[0]:+.3f}) | "
                f"{colorfulness:.1f} ({colorfulness - reference[1]:+.2f}) |",
                flush=True,
            )
    print(
        "\n| model | bytes | of the first | 1 thread, ms | 2 threads, ms |\n|---|---|---|---|---|"
    )
    first = os.path.getsize(_LITE.value[0])
    for path in _LITE.value:
        size = os.path.getsize(path)
        times = " | ".join(f"{_milliseconds(path, threads):.0f}" for threads in (1, 2))
        print(f"| {os.path.basename(path)} | {size:,} | {size / first:.4f} | {times} |")


def _ab(coefficients, lightness):
    return coefficients[..., :2] * lightness + coefficients[..., 2:]


def _figures(graph, pictures, coefficients):
    colored = [
        graph.whole(rgb[None], values)[0].numpy()
        for rgb, values in zip(pictures, coefficients, strict=True)
    ]
    pairs = zip(pictures, colored, strict=True)
    psnr = np.mean([fidelity.psnr(truth, picture) for truth, picture in pairs])
    return psnr, np.mean([colors.colorfulness(picture) for picture in colored])


def _milliseconds(path, num_threads):
    run = Interpreter(path, num_threads=num_threads).get_signature_runner()
    ramp = np.linspace(0, 100, 256, dtype=np.float32)
    lightness = np.broadcast_to(ramp[None, :, None, None], (1, 256, 256, 1))
    times = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        run(lightness=lightness)
        times.append(time.perf_counter() - start)
    return 1000 * min(times)


if __name__ == "__main__":
    app.run(main)
