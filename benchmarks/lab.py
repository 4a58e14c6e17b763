"""How fast, and how right, the conversion to Lab is beside others'.

`python benchmarks/lab.py [--rounds=15]`

Converts 16 pictures of 256 x 256 pixels, and one of 12 megapixels, by turns in one process, and
prints the median megapixels per second, the ratio to OpenCV's, and the largest difference from the
definition in float64. Target: OpenCV's float conversion in speed, a tenth of its error.
"""

import functools
import statistics
import warnings

import cv2
import numpy as np
import skimage.color
import tensorflow as tf
import timing
from absl import app, flags

from pipelines.color import arrays, spaces

_ROUNDS = flags.DEFINE_integer("rounds", 15, "Times that all are measured by turns.")

_OPENCV = "OpenCV, float"
_OURS = (spaces.rgb_to_lab, spaces.rgb_to_lightness)


def main(_):
    """Prints a table for each size."""
    random = np.random.default_rng(0)
    for shape in ((16, 256, 256, 3), (1, 3000, 4000, 3)):
        levels = random.integers(0, 256, shape, np.uint8)
        times, errors = _measure(levels, _ROUNDS.value if shape[0] > 1 else _ROUNDS.value // 3 + 1)
        megapixels = levels.size / 3e6
        speeds = {name: megapixels / statistics.median(values) for name, values in times.items()}
        print(f"{shape[0]} of {shape[2]} x {shape[1]:<10}{'Mpx/s':>12}{'ratio':>8}{'error':>10}")
        for name, speed in speeds.items():
            ratio = speed / speeds[_OPENCV]
            error = f"{errors[name]:10.5f}" if name in errors else ""
            print(f"{name:26}{speed:8.1f}{ratio:8.2f}{error}")


def _measure(levels, rounds):
    floats = np.float32(levels) / np.float32(255)
    in_graph = {function.__name__: tf.function(function) for function in _OURS}
    entries = {
        f"{name}, {kind}": (function, tf.constant(pictures))
        for name, function in in_graph.items()
        for kind, pictures in (("uint8", levels), ("float", floats))
    }
    lab = spaces.rgb_to_lab(floats)
    for function in (spaces.lab_to_linear, spaces.linear_to_srgb):
        argument = lab if function is spaces.lab_to_linear else tf.constant(floats)
        entries[function.__name__] = (tf.function(function), argument)
    entries["OpenCV, uint8 as float"] = (_opencv_from_uint8, levels)
    entries[_OPENCV] = (_opencv, floats)
    entries["scikit-image, float"] = (skimage.color.rgb2lab, floats)
    entries["tensorflow-io, float"] = (tf.function(_tensorflow_io()), tf.constant(floats))
    ways = {name: functools.partial(*entry) for name, entry in entries.items()}
    exact = _by_definition(levels)
    errors = {}
    for name, convert in ways.items():
        if name.startswith(("rgb", "OpenCV", "scikit", "tensorflow")):
            result = np.reshape(convert(), (*exact.shape[:-1], -1))
            errors[name] = np.abs(result - exact[..., : result.shape[-1]]).max()
    return timing.by_turns(ways, rounds), errors


def _opencv(pictures):
    # One picture a call, since a picture is what it takes.
    return [cv2.cvtColor(picture, cv2.COLOR_RGB2Lab) for picture in pictures]


def _opencv_from_uint8(pictures):
    return _opencv([picture * np.float32(1 / 255) for picture in pictures])


def _tensorflow_io():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its native libraries, not needed here, may not load.
        import tensorflow_io as tfio
    return tfio.experimental.color.rgb_to_lab


def _by_definition(levels):
    """Lab of uint8 pictures in float64, by the formulas of IEC 61966-2-1 and CIE 15."""
    rgb = np.arange(256) / 255
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)[levels]
    ratio = linear @ (arrays.RGB_TO_XYZ / arrays.WHITE[:, None]).T
    f = np.where(ratio > (6 / 29) ** 3, np.cbrt(ratio), ratio * (29 / 6) ** 2 / 3 + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


if __name__ == "__main__":
    app.run(main)
