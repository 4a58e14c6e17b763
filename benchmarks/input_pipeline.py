"""How fast pictures come, beside bare decoding and beside a loader in Python.

`python benchmarks/input_pipeline.py --data=folder:PHOTOS [--tiles=1 if they have a megapixel]`

Makes JPEGs of 1216 x 832 pixels of the photos in a temporary folder, then measures by turns, in
pictures per second: `tf.io.decode_jpeg` alone, on as many threads as there are cores; the training
chain, to batches of 256-pixel crops in Lab; and the same work by Pillow and scikit-image in one
process for each core. Targets: 0.6 of the first, 3.5 times the last.
"""

import concurrent.futures
import multiprocessing
import os
import statistics
import tempfile
import types

import numpy as np
import skimage.color
import timing
from absl import app, flags
from PIL import Image

_DATA = flags.DEFINE_string("data", None, "Photos, as --data of the training.", required=True)
_NUMBER = flags.DEFINE_integer("number", 200, "JPEGs to make.")
_TILES = flags.DEFINE_integer(
    "tiles", 4, "Photos in a row and a column of each: small ones enlarged would decode too fast."
)
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that all are measured by turns.")

_WIDTH, _HEIGHT, _SIZE, _BATCH = 1216, 832, 256, 8
_OPTIONS = types.SimpleNamespace(
    image_size=_SIZE, crop_area=0.5, flip=True, lightness_jitter=0.0, cache="none",
    aging=0.0, shuffle_buffer=1000, batch_size=_BATCH, seed=0,
)  # fmt: skip


def main(_):
    """Prints three rates and two ratios."""
    cores = os.cpu_count()
    # Started before TensorFlow has threads.
    with concurrent.futures.ProcessPoolExecutor(
        cores, multiprocessing.get_context("spawn")
    ) as loaders:
        list(loaders.map(abs, range(cores)))
        with tempfile.TemporaryDirectory() as folder:
            kilobytes = _make_pictures(folder)
            rates = _measure(folder, loaders, cores)
    print(f"{_NUMBER.value} JPEGs of {_WIDTH} x {_HEIGHT}, {kilobytes:.0f} kB; {cores} cores")
    for name, rate in rates.items():
        print(f"{name:24}{rate:8.1f} pictures/s")
    bare, chain, loader = rates.values()
    print(f"chain to bare decoding  {chain / bare:8.2f}")
    print(f"chain to Python loader  {chain / loader:8.2f}")


def _make_pictures(folder):
    from pipelines.sources import opener

    names, sizes = opener.open_source(_DATA.value).names, []
    tile = (_WIDTH // _TILES.value, _HEIGHT // _TILES.value)
    for index in range(_NUMBER.value):
        picture = Image.new("RGB", (_WIDTH, _HEIGHT))
        for place in range(_TILES.value**2):
            name = names[(index * _TILES.value**2 + place) % len(names)]
            row, column = divmod(place, _TILES.value)
            with Image.open(name) as photo:
                part = photo.convert("RGB").resize(tile, Image.Resampling.BICUBIC)
            picture.paste(part, (column * tile[0], row * tile[1]))
        path = os.path.join(folder, f"{index:04d}.jpg")
        picture.save(path, quality=90)
        sizes.append(os.path.getsize(path))
    return np.mean(sizes) / 1000


def _measure(folder, loaders, cores):
    import tensorflow as tf

    from pipelines.batches import input_chain, survey
    from pipelines.color import codecs
    from pipelines.sources import opener

    source = opener.open_source(f"folder:{folder}")
    found = survey.survey(source)
    bare = source.elements.map(lambda path: tf.io.decode_jpeg(source.read(path)), cores)
    options = tf.data.Options()
    options.autotune.enabled = False
    bare = bare.with_options(options)
    chain = iter(input_chain.training_batches(source, found, codecs.CODECS["lab"], _OPTIONS))
    paths = source.names
    numbers = range(0, len(paths), _BATCH)
    parts = [(paths[i : i + _BATCH], i) for i in numbers]
    steps = len(parts)
    work = {
        "bare decode_jpeg": lambda: sum(1 for _ in bare),
        # The chain is endless, and went on meanwhile: what it has in store is no work.
        "": lambda: [next(chain) for _ in range(4)],
        "training chain": lambda: [next(chain) for _ in range(steps)],
        "Pillow + scikit-image": lambda: sum(1 for _ in loaders.map(_load_batch, parts)),
    }
    times = timing.by_turns(work, _ROUNDS.value)
    del times[""]
    return {name: len(paths) / statistics.median(values) for name, values in times.items()}


def _load_batch(part):
    """A batch as tutorials make it: random crop, resize, mirror and Lab, picture by picture."""
    paths, seed = part
    random = np.random.default_rng(seed)
    lab = np.stack([_load(path, random) for path in paths])
    return lab[..., :1] / 50 - 1, lab[..., 1:] / 110


def _load(path, random):
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
    area = picture.width * picture.height * random.uniform(_OPTIONS.crop_area, 1)
    ratio = np.exp(random.uniform(-1, 1) * np.log(4 / 3))
    width = min(round((area * ratio) ** 0.5), picture.width)
    height = min(round((area / ratio) ** 0.5), picture.height)
    left = random.integers(picture.width - width + 1)
    top = random.integers(picture.height - height + 1)
    crop = picture.crop((left, top, left + width, top + height)).resize((_SIZE, _SIZE))
    if random.random() < 0.5:
        crop = crop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    return skimage.color.rgb2lab(np.asarray(crop)).astype(np.float32)


if __name__ == "__main__":
    app.run(main)
