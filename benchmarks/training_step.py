"""What a training step costs beside the bare passes through the same networks.

`python benchmarks/training_step.py [--rounds=6 --steps=4 --cases=pix2pix]`

Measures by turns, in one process, the step that `fit` runs, and the same forward and backward
passes and optimizer updates in a plain function; and in processes of their own the step without
oneDNN, and the step compiled by XLA, which Keras refuses where operations must be deterministic, as
in the training command. For pix2pix at 128 pixels and a quarter of the width, and for chroma in
both precisions. Prints median seconds and ratios. Target: at most 1.05 of the bare passes.
"""

import concurrent.futures
import dataclasses
import multiprocessing
import operator
import os
import statistics
import time

import keras
import numpy as np
import tensorflow as tf
from absl import app, flags

from colorization.flags import parse_flagfile
from colorization.losses import ADVERSARIAL_LOSSES, RECONSTRUCTION_LOSSES
from colorization.training.networks import build_codec, build_networks

_ROUNDS = flags.DEFINE_integer("rounds", 6, "Times that all are measured by turns.")
_STEPS = flags.DEFINE_integer("steps", 4, "Steps of a round.")

_SMALL = {"image_size": 128, "depth": 7, "base_filters": 16, "discriminator_filters": 16}
_CASES = {
    "pix2pix": ("pix2pix", _SMALL),
    "chroma": ("chroma", {"batch_size": 8}),
    "chroma_float32": ("chroma", {"batch_size": 8, "precision": "float32"}),
}
_CHOSEN = flags.DEFINE_list("cases", list(_CASES), "Which to measure.")


def main(_):
    """Prints a table for each recipe."""
    settings = {
        "our step, no oneDNN": (_child(TF_ENABLE_ONEDNN_OPTS="0"), False),
        "our step, XLA": (_child(TF_ENABLE_ONEDNN_OPTS="1"), True),
    }
    for case in _CHOSEN.value:
        work = {"our step": _our_step(case), "bare passes": _bare_passes(case)}
        times = {name: [] for name in (*work, *settings)}
        for turn in range(_ROUNDS.value + 1):
            for _step in range(_STEPS.value):
                for name, step in work.items():
                    times[name].append(_seconds(step))
            for name, (child, xla) in settings.items():
                times[name].append(child.submit(_seconds_in_child, case, xla).result())
            if not turn:
                times = {name: [] for name in times}  # It traced and warmed up.
        print(case)
        bare = times["bare passes"]
        for name, values in times.items():
            # Neighbors in time where there are any: other work on the machine slows both.
            if len(values) == len(bare):
                ratio = statistics.median(map(operator.truediv, values, bare))
            else:
                ratio = statistics.median(values) / statistics.median(bare)
            print(
                f"  {name:22}{statistics.median(values):8.4f} s{ratio:8.3f} of the bare passes",
                flush=True,
            )


def _child(**environment):
    """A process that imports TensorFlow under an environment of its own."""
    os.environ.update(environment)
    pool = concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    pool.submit(abs, 0).result()
    return pool


def _seconds(step):
    start = time.perf_counter()
    step()
    return time.perf_counter() - start


def _seconds_in_child(case, xla, steps={}):  # noqa: B006
    # Built by the first call, and kept for the next ones.
    if case not in steps:
        steps.clear()
        steps[case] = _our_step(case, xla)
    return _seconds(steps[case])


def _model_and_batch(case, xla=False):
    recipe, changes = _CASES[case]
    config = dataclasses.replace(
        parse_flagfile(f"colorization/recipes/{recipe}.flags"), **changes, xla=xla
    )
    keras.utils.set_random_seed(0)
    if not xla:
        tf.config.experimental.enable_op_determinism()
    bins = build_codec(config).num_outputs
    model = build_networks(config, 1000, np.full(bins, 1 / bins)).model
    shape = (config.batch_size, config.image_size, config.image_size, 3)
    pictures = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return config, model, build_codec(config).encode(tf.constant(pictures))


def _our_step(case, xla=False):
    _, model, batch = _model_and_batch(case, xla)
    data = iter(tf.data.Dataset.from_tensors(batch).repeat())
    model.make_train_function()
    return lambda: float(model.train_function(data)["loss"])


def _bare_passes(case):
    config, model, batch = _model_and_batch(case)
    passes = _bare_adversarial if config.is_adversarial else _bare_classification
    step = tf.function(passes(config, model))
    return lambda: float(step(*batch))


def _bare_classification(config, model):
    variables = model.trainable_variables

    def step(condition, target):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(model.loss(target, model(condition, training=True)))
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


def _bare_adversarial(config, model):
    generator, discriminator = model.generator, model.discriminator
    discriminator_loss, generator_loss = ADVERSARIAL_LOSSES[config.adversarial_loss]
    distance = RECONSTRUCTION_LOSSES[config.loss]

    def step(condition, target):
        with tf.GradientTape() as tape:
            prediction = generator(condition, training=True)
            with tape.stop_recording(), tf.GradientTape() as other:
                real = discriminator([condition, target], training=True)
                fake = discriminator([condition, prediction], training=True)
                lost = discriminator_loss(real, fake)
            variables = discriminator.trainable_variables
            with tape.stop_recording():
                model.discriminator_optimizer.apply(other.gradient(lost, variables), variables)
            fake = discriminator([condition, prediction], training=True)
            loss = config.loss_weight * tf.reduce_mean(distance(target, prediction))
            loss += generator_loss(fake)
        variables = generator.trainable_variables
        model.optimizer.apply(tape.gradient(loss, variables), variables)
        return loss

    return step


if __name__ == "__main__":
    app.run(main)
