"""What the input pipeline costs a training step.

`python benchmarks/input_overhead.py --data=folder:PHOTOS [--flagfile=RECIPE]`

Trains with the real pipeline and with one cached batch by turns, in one process, and prints the
ratio of the median step times. Target: at most 1.05 for `chroma` at batch 32 on two cores.
"""

import statistics
import time

import keras
from absl import app, flags

from colorization.flags import config_from_flags, define_config_flags
from colorization.training.networks import build_networks
from pipelines.batches import input_chain, survey
from pipelines.sources import opener

_ROUNDS = flags.DEFINE_integer("rounds", 6, "Times that the two are measured by turns.")
_STEPS = flags.DEFINE_integer("steps", 12, "Steps of a round.")


class _Clock(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.times = []

    def on_train_batch_end(self, batch, logs=None):
        float(logs["loss"])  # Waits for the step.
        self.times.append(time.perf_counter())

    def steps(self):
        # The first step of a round waits for the pipeline to fill.
        return [b - a for a, b in zip(self.times[1:], self.times[2:], strict=False)]


def main(_):
    """Prints both step times and their ratio."""
    config = config_from_flags()
    keras.utils.set_random_seed(config.seed)
    source = opener.open_source(config.data)
    found = survey.survey(source)
    prior = input_chain.measure_prior(source, found) if config.is_quantized else None
    built = build_networks(config, 1000, prior)
    model = built.model
    real = input_chain.training_batches(source, found, built.codec, config)
    cached = real.take(1).cache().repeat()
    times = {"real": [], "cached": []}
    for turn in range(_ROUNDS.value + 1):
        for name, data in (("cached", cached), ("real", real)):
            clock = _Clock()
            model.fit(
                data, steps_per_epoch=_STEPS.value, verbose=0, callbacks=[clock], shuffle=False
            )
            if turn:  # The first round traces and warms up.
                times[name] += clock.steps()
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"cached batch {medians['cached']:.4f} s, real pipeline {medians['real']:.4f} s")
    print(f"ratio {medians['real'] / medians['cached']:.3f}")


if __name__ == "__main__":
    define_config_flags()
    app.run(main)
