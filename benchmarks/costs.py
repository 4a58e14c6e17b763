"""What one picture costs one core, for benchmarks/scale.md.

`python benchmarks/costs.py --data=folder:PHOTOS [--pictures=512]`

Pins itself to one core and counts processor time, so that other work on the machine does little
harm. Prints for each stage the pictures per second of that core: reading files, decoding, the
training chain, coloring at the photos' size and at a megapixel, the step of `chroma`; then what a
step computes, and what lists of names and surveys weigh.
"""

import dataclasses
import operator
import os
import pathlib
import statistics
import time
import tracemalloc

from absl import app, flags

from pipelines import console

_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")
_PICTURES = flags.DEFINE_integer("pictures", 512, "Pictures that each stage is measured on.")


def main(_):
    """Prints a line for each stage."""
    os.environ |= {f"TF_NUM_{kind}OP_THREADS": "1" for kind in ("INTRA", "INTER")}
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    console.import_quietly()
    import tensorflow as tf

    from colorization.flags import parse_flagfile
    from pipelines.batches import survey
    from pipelines.sources import opener

    config = parse_flagfile("colorization/recipes/chroma.flags")
    tracemalloc.start()
    source = opener.open_source(_DATA.value)
    names = tracemalloc.get_traced_memory()[0]
    found = survey.survey(source)
    both = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    count = len(source.names)
    print(f"{count} pictures: {names / count:.0f} bytes each to list, {both / count:.0f} surveyed")
    files = [pathlib.Path(name) for name in source.names[: _PICTURES.value]]
    data = [file.read_bytes() for file in files]
    print(f"{sum(map(len, data)) / len(data) / 1000:.1f} kB a file")
    _tell("read", len(files), lambda: [file.read_bytes() for file in files])
    _tell("decode", len(data), lambda: [tf.io.decode_jpeg(one, channels=3) for one in data])
    _measure_chain(source, found, config)
    _measure_coloring(data)
    _measure_steps(config)
    for recipe in ("chroma", "pix2pix"):
        _count_operations(recipe)


def _tell(name, count, work):
    start = time.process_time()
    work()
    seconds = (time.process_time() - start) / count
    print(f"{name:28}{1000 * seconds:9.2f} ms a picture{1 / seconds:10.1f} pictures/s", flush=True)


def _measure_chain(source, found, config):
    from colorization.training.networks import build_codec
    from pipelines.batches import input_chain

    config = dataclasses.replace(config, cache="none")
    chain = iter(input_chain.training_batches(source, found, build_codec(config), config))
    next(chain)
    count = _PICTURES.value // config.batch_size
    _tell("chain", count * config.batch_size, lambda: [next(chain) for _ in range(count)])


def _measure_coloring(data):
    import cv2

    from colorization.inference.colorizer import Colorizer
    from pipelines.photos import photo_files

    cv2.setNumThreads(1)
    colorizer = Colorizer()
    few = data[: _PICTURES.value // 8]

    def color(files):
        return [list(colorizer.colorize_bytes(file, "photo", "photo.jpg")) for file in files]

    color(few[:2])
    _tell("color, own size", len(few), lambda: color(few))
    rgb = photo_files.decode_photo("photo", data[0])[0].rgb
    large = cv2.resize(rgb, (1152, 864), interpolation=cv2.INTER_CUBIC)
    file = b"".join(photo_files.encode_photo("photo.jpg", [photo_files.Photo(large)]))
    color([file])
    _tell("color, 1 Mpx", 12, lambda: color([file] * 12))


def _measure_steps(config):
    """By turns, so that what else the machine does slows both sizes."""
    sizes = (config.batch_size // 2, config.batch_size)
    steps = {size: _step(dataclasses.replace(config, batch_size=size)) for size in sizes}
    seconds = {size: [] for size in sizes}
    for turn in range(13):
        for size, step in steps.items():
            start = time.process_time()
            step()
            if turn:  # The first is traced.
                seconds[size].append(time.process_time() - start)
    for size, values in seconds.items():
        middle, least = statistics.median(values), min(values)
        print(f"step of {size}: median {middle:.3f} s, least {least:.3f} s, ")
        print(f"  spread {statistics.stdev(values) / middle:.3f} of it; {size / middle:.1f}/s")
    ratios = list(map(operator.truediv, seconds[sizes[1]], seconds[sizes[0]]))
    print(f"a step of {sizes[1]} takes {statistics.median(ratios):.3f} times one of {sizes[0]}")


def _step(config):
    import keras
    import numpy as np
    import tensorflow as tf

    from colorization.training.networks import build_codec, build_networks

    keras.utils.set_random_seed(0)
    codec = build_codec(config)
    prior = np.full(codec.num_outputs, 1 / codec.num_outputs)
    model = build_networks(config, 1000, prior).model
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    data = iter(tf.data.Dataset.from_tensors(codec.encode(tf.constant(pictures))).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(data)["loss"])


def _count_operations(recipe):
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants
    from tensorflow.python.profiler import model_analyzer, option_builder

    from colorization.flags import parse_flagfile
    from colorization.training.networks import build_networks

    config = parse_flagfile(f"colorization/recipes/{recipe}.flags")
    config = dataclasses.replace(config, precision="float32")
    uniform = None if config.is_adversarial else [1 / 261] * 261
    built = build_networks(config, 1000, uniform)
    networks = {"generator": built.generator}
    if config.is_adversarial:
        networks["discriminator"] = built.model.discriminator
    for name, network in networks.items():
        channels = built.codec.condition_channels
        specs = [tf.TensorSpec([1, config.image_size, config.image_size, channels])]
        if name == "discriminator":
            specs.append(tf.TensorSpec([1, config.image_size, config.image_size, 2]))
        function = tf.function(lambda *x, network=network: network(x if x[1:] else x[0]))
        concrete = function.get_concrete_function(*specs)
        frozen = convert_to_constants.convert_variables_to_constants_v2(concrete)
        options = option_builder.ProfileOptionBuilder.float_operation() | {"output": "none"}
        total = model_analyzer.profile(frozen.graph, options=options).total_float_ops
        print(f"{recipe}, {name}: {total / 1e9:.2f}e9 operations forward at {config.image_size} px")


if __name__ == "__main__":
    app.run(main)
