"""What hints do to a model's colors, and how soon they are seen.

`python benchmarks/hints.py --model=DIR --data=folder:PHOTOS [--part=PART]`

Prints, by part:

- `points`: PSNR and bleeding (as `colorization.evaluate` measures them) of photos that are told so
  many of their true colors, at random places.
- `places`: of one hint of a random color at a random place, how far the result there is from what
  was asked, as far as the photo's lightness can show it, and how far the hint moves what lies more
  than half the longer side away. In units of ab.
- `reference`: PSNR of each photo without a reference, and with the photo before it as one: frames
  of a film, photos of a kind, or unrelated ones, as --data has them.
- `latency`: from a click on the page to the answer, by way of the server's application.
"""

import io
import itertools
import json
import time

import cv2
import numpy as np
from absl import app, flags

from colorization import Colorizer, Hint
from colorization.evaluation.metrics import artifacts
from colorization.inference import full_size
from pipelines.color import arrays
from pipelines.photos import photo_files
from pipelines.sources import opener

_PARTS = ("points", "places", "reference", "latency")
_MODEL = flags.DEFINE_string("model", None, "Folder of an exported model that takes hints.")
_DATA = flags.DEFINE_string("data", "samples", "Source of color photos, as for training.")
_NUM_PHOTOS = flags.DEFINE_integer(
    "num_photos", 50, "Photos for `points` and `reference`, from the first."
)
_NUM_HINTS = flags.DEFINE_integer("num_hints", 100, "Hints for `places`.")
_NUM_CLICKS = flags.DEFINE_integer("num_clicks", 30, "Clicks for `latency`.")
_PART = flags.DEFINE_multi_enum("part", _PARTS, _PARTS, "What to measure.")
_COUNTS = (0, 1, 3, 10, 50)
# Shorter side that photos are measured at, in pixels.
_SIZE = 256


def main(arguments):
    """Prints the parts that were asked for."""
    del arguments
    colorizer = Colorizer(_MODEL.value)
    parts = {
        "points": lambda: print_points(colorizer, _photos(_NUM_PHOTOS.value)),
        "places": lambda: print_places(colorizer, _photos(_NUM_HINTS.value), _NUM_HINTS.value),
        "reference": lambda: print_reference(colorizer, _photos(_NUM_PHOTOS.value)),
        "latency": lambda: print_latency(colorizer, _NUM_CLICKS.value),
    }
    for part in _PART.value:
        parts[part]()


def print_points(colorizer, photos):
    """Prints the mean PSNR, and color that runs over edges, by number of true points."""
    for count in _COUNTS:
        found, bleeding = [], []
        for number, rgb in enumerate(photos):
            random = np.random.default_rng(number)
            hints = [_true_hint(rgb, *_place(random, rgb)) for _ in range(count)]
            colored = colorizer.colorize(rgb, hints=hints)
            found.append(_psnr(colored, rgb))
            bleeding.append(artifacts.bleeding(*map(_lab, (rgb, colored))))
        print(
            f"{count:3} true points: PSNR {np.mean(found):.2f} dB, bleeding "
            f"{np.mean(bleeding):.3f} ({len(photos)} photos)",
            flush=True,
        )


def print_places(colorizer, photos, num_hints):
    """Prints how near the result is to one hint, and what it moves far away."""
    random, at_hint, far_away = np.random.default_rng(0), [], []
    for number in range(num_hints):
        rgb = photos[number % len(photos)]
        x, y = _place(random, rgb)
        other = photos[random.integers(len(photos))]
        left, top = _place(random, other)
        color = other[top, left]
        plain, hinted = (
            _ab(colorizer.colorize(rgb, hints=hints)) for hints in ([], [Hint(x, y, _name(color))])
        )
        wanted = arrays.rgb_to_lab(color / 255)[1:]
        shown = full_size.apply(rgb[y : y + 1, x : x + 1], np.float32([[[0, 0, *wanted]]]))
        at_hint.append(np.linalg.norm(hinted[y, x] - _ab(shown)[0, 0]))
        rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
        is_far = np.hypot(rows - y, columns - x) > max(rgb.shape[:2]) / 2
        far_away.append(np.linalg.norm(hinted - plain, axis=-1)[is_far].mean())
    print(
        f"at the hint: {np.mean(at_hint):.2f} from what was asked (median {np.median(at_hint):.2f})"
    )
    print(f"far away: moved by {np.mean(far_away):.2f} (largest mean {np.max(far_away):.2f})")


def print_reference(colorizer, photos):
    """Prints the mean PSNR without and with the photo before as a reference."""
    found = [
        [_psnr(colorizer.colorize(rgb, reference=given), rgb) for given in (None, before)]
        for before, rgb in itertools.pairwise(photos)
    ]
    without, with_reference = np.transpose(found)
    print(
        f"PSNR {without.mean():.2f} dB without a reference, {with_reference.mean():.2f} with; "
        f"from {(with_reference - without).min():+.2f} to {(with_reference - without).max():+.2f}"
    )


def print_latency(colorizer, num_clicks):
    """Prints percentiles of the seconds from a click to its suggestions, and to the picture."""
    from colorization.serving.web import app as web
    from colorization.serving.web import service

    client = web.create_app(colorizer).test_client()
    for megapixels in (1, 12):
        height, width = (
            round((megapixels * 0.75e6) ** 0.5),
            round((megapixels * 0.75e6) ** 0.5 / 0.75),
        )
        # What the page sends of it.
        scale = min(1.0, service.PREVIEW_SIDE / width)
        size = round(width * scale), round(height * scale)
        photo = cv2.resize(_photos(1)[0], size, interpolation=cv2.INTER_CUBIC)
        data = cv2.imencode(".jpg", photo[..., ::-1])[1].tobytes()
        random, seconds = np.random.default_rng(0), {"suggest": [], "preview": []}
        for _ in range(num_clicks + 1):
            x, y = _place(random, photo)
            hints = json.dumps({"hints": [{"point": [x, y], "color": "#3a5f0b"}]})
            for path, fields in (("suggest", {"x": x, "y": y}), ("preview", {"hints": hints})):
                start = time.perf_counter()
                form = {"photo": (io.BytesIO(data), "a.jpg")} | fields
                answer = client.post(f"/api/{path}", data=form)
                seconds[path].append(time.perf_counter() - start)
                assert answer.status_code == 200, answer.text
        for path, values in seconds.items():
            # The first loads and plans.
            middle, most = np.percentile(values[1:], (50, 95))
            print(f"{megapixels} Mpx, {path}: p50 {middle:.2f}, p95 {most:.2f} s ({values[0]:.2f})")


def _photos(count):
    found = []
    for path in opener.open_source(_DATA.value).names[:count]:
        rgb = photo_files.read_picture(path)[..., :3]
        scale = min(1.0, _SIZE / min(rgb.shape[:2]))
        size = [round(side * scale) for side in rgb.shape[1::-1]]
        found.append(np.ascontiguousarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)))
    return found


def _place(random, rgb):
    """A random place that is no edge, where a margin may be."""
    height, width = rgb.shape[:2]
    return int(width * random.uniform(0.1, 0.9)), int(height * random.uniform(0.1, 0.9))


def _psnr(colored, rgb):
    error = np.mean((colored / 255 - rgb / 255) ** 2)
    return -10 * np.log10(max(error, 1e-10))


def _true_hint(rgb, x, y):
    return Hint(x, y, _name(rgb[y - 2 : y + 3, x - 2 : x + 3].mean(axis=(0, 1)).round()))


def _name(color):
    return "#" + "".join(f"{int(level):02x}" for level in color)


def _lab(rgb):
    return arrays.rgb_to_lab(rgb / 255)


def _ab(rgb):
    return _lab(rgb)[..., 1:]


if __name__ == "__main__":
    app.run(main)
