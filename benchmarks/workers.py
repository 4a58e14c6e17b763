"""Whether several workers train as one does, and how much faster.

`python benchmarks/workers.py --data=folder:PHOTOS [--part=equal,lost,names,scaling,reduce]`

Every worker is a process of this machine, on a loopback address of its own port. The parts:

- equal: two workers against one at the same global batch; the largest relative difference of any
  loss over 20 steps of a GAN, a WGAN-GP and a classifier. At higher learning rates rounding alone
  parts runs within these steps, which is why two devices of one process are held against both.
- lost: a worker is killed (SIGKILL), or stopped so that it falls silent (SIGSTOP), at a random
  moment; how long the others take to end, what they say, and whether the job, started again, ends
  with the weights of one that was left in peace.
- names: how often every picture is read in an epoch over 1, 2 and 3 workers.
- scaling: two workers of one core each against one worker on one core, at the same global batch.
- reduce: how long it takes two workers to sum the gradients of `chroma`, and nothing else.
"""

import collections
import csv
import hashlib
import itertools
import json
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
from absl import app, flags

from pipelines import console

_PARTS = ("equal", "lost", "names", "scaling", "reduce")
_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")
_PART = flags.DEFINE_list("part", list(_PARTS), "Which parts, of those above.")
_ROUNDS = flags.DEFINE_integer("rounds", 2, "Rounds of `lost` and `scaling`.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments and of what is lost.")
_STEPS = flags.DEFINE_integer("scaling_steps", 8, "Steps of an epoch of `scaling`.")
_SCALED = flags.DEFINE_string(
    "scaling_flags",
    "--flagfile=colorization/recipes/chroma.flags",
    "Recipe of `scaling`, separated by blanks.",
)

_SMALL = ["--image_size=32", "--batch_size=4"]
_RECIPES = {
    "GAN": [
        "--generator=unet", "--depth=4", "--base_filters=4", "--dropout=0", "--discriminator=patch",
        "--discriminator_filters=4", "--loss_weight=10", "--pretrain_epochs=5", "--ema=0.5",
        "--learning_rate=1e-5",
    ],
    "WGAN-GP": [
        "--codec=lab_128", "--generator=colornet", "--base_filters=4", "--upsampling=resize",
        "--noise_size=8", "--discriminator=whole", "--discriminator_filters=4",
        "--discriminator_depth=2", "--nodiscriminator_norm", "--adversarial_loss=wasserstein",
        "--gradient_penalty=10", "--generator_every=2", "--learning_rate=1e-6",
    ],
    "classification": [
        "--codec=quantized_ab", "--loss=quantized_crossentropy", "--generator=residual",
        "--base_filters=4", "--schedule=cosine", "--learning_rate=1e-3", "--lightness_jitter=0.1",
        "--ema=0.5", "--clip_norm=1",
    ],
}  # fmt: skip


def main(_):
    """Runs the parts; the exit status is 1 if one shows what should not be."""
    if "BENCHMARK_REDUCE" in os.environ:
        return _reduce_as_worker()
    measured = {
        "equal": measure_equality,
        "lost": measure_losses,
        "names": count_names,
        "scaling": measure_scaling,
        "reduce": measure_reduction,
    }
    sys.exit(0 if all([measured[part]() for part in _PART.value]) else 1)


def measure_equality():
    """Prints a line for each recipe."""
    good = True
    for name, recipe in _RECIPES.items():
        one, two = (_losses([*recipe, *_SMALL], count) for count in (1, 2))
        print(f"{name}: losses of the first step {one[0]}, of the last {one[-1]}")
        good &= _difference("two workers", two, one) < 1e-5
        # The same sums in the same order, in one process.
        devices = _losses([*recipe, *_SMALL, "--logical_devices=2"], 1)
        _difference("one worker of two devices", devices, one)
        _difference("two workers against two devices", two, devices)
    return good


def _difference(name, other, one):
    difference = (np.abs(other - one) / np.maximum(np.abs(one), 1e-3)).max()
    print(f"  {name}: {difference:.0e} over {len(one)} steps", flush=True)
    return difference


def _losses(recipe, count):
    recipe = [*recipe, "--epochs=20", "--steps_per_epoch=1"]
    with tempfile.TemporaryDirectory() as folder:
        _finish(_start(f"{folder}/run", recipe, count))
        rows = _history(f"{folder}/run")
    names = [name for name in rows[0] if name.endswith(("loss", "distance", "penalty"))]
    return np.array([[float(row[name] or 0) for name in names] for row in rows])


def measure_losses():
    """Prints a line for each lost worker, and one for the weights of the end."""
    moments, good = random.Random(_SEED.value), True
    recipe = [*_RECIPES["GAN"], *_SMALL, "--epochs=24", "--steps_per_epoch=5"]
    with tempfile.TemporaryDirectory() as folder:
        _finish(_start(f"{folder}/whole", recipe, 2))
        whole = _weights(f"{folder}/whole")
        epoch = 0
        for number in range(_ROUNDS.value):
            victim, kind = number % 2, ("SIGKILL", "SIGSTOP")[number // 2 % 2]
            epoch += moments.randrange(2, 5)
            processes = _start(f"{folder}/broken", recipe, 2)
            while len(_history(f"{folder}/broken")) < epoch:
                if any(process.poll() is not None for process in processes):
                    sys.exit("A worker ended before its time.")
                time.sleep(0.05)
            time.sleep(moments.uniform(0, 1))
            start = time.monotonic()
            processes[victim].send_signal(getattr(signal, kind))
            _, said = processes[1 - victim].communicate()
            seconds = time.monotonic() - start
            processes[victim].kill()
            processes[victim].communicate()
            lines = said.strip().splitlines()
            good &= seconds < 60 and len(lines) == 1 and processes[1 - victim].returncode == 75
            print(
                f"{kind} to worker {victim} behind epoch {epoch}: the other ends in {seconds:.0f} s"
            )
            print("  " + "\n  ".join(lines), flush=True)
        _finish(_start(f"{folder}/broken", recipe, 2))
        broken = _weights(f"{folder}/broken")
    print(f"weights {whole[:16]} in peace, {broken[:16]} after the losses", flush=True)
    return good and whole == broken


def count_names():
    """Prints a line for each number of workers."""
    console.import_quietly()
    import cv2

    from colorization.config import Config
    from pipelines.batches import input_chain, survey
    from pipelines.color import codecs
    from pipelines.sources import opener

    size, epochs, good = 12, 2, True
    with tempfile.TemporaryDirectory() as folder:
        # The color of a picture is its name, which goes through the whole chain.
        # Fifty-four, so that an epoch ends within a batch.
        for blue, green, red in itertools.islice(itertools.permutations(range(0, 256, 50), 3), 54):
            picture = np.full((40, 40, 3), (blue, green, red), np.uint8)
            cv2.imwrite(f"{folder}/{blue} {green} {red}.png", picture)
        source = opener.open_source(f"folder:{folder}")
        found = survey.survey(source)
        options = Config(image_size=32, depth=4, batch_size=size, codec="gray_rgb", seed=3)
        steps = epochs * found.num_usable // size
        order = None
        for count in (1, 2, 3):
            parts = []
            for number in range(count):
                chain = input_chain.training_batches(
                    source, found, codecs.CODECS["gray_rgb"], options, shard=(number, count)
                )
                taken = [rgb[:, 16, 16] for _, rgb in chain.take(steps).as_numpy_iterator()]
                parts.append(np.stack(taken))
            joined = np.concatenate(parts, axis=1)
            order = joined if order is None else order
            names = collections.Counter(map(bytes, joined.reshape(-1, 3)))
            good &= set(names.values()) == {epochs} and len(names) == found.num_usable
            good &= np.array_equal(joined, order)
            print(
                f"{count} workers, {epochs} epochs of {found.num_usable} pictures in batches of "
                f"{size}: {len(names)} names, each {sorted(set(names.values()))} times; "
                f"batches {'equal' if np.array_equal(joined, order) else 'DIFFER'}",
                flush=True,
            )
    return good


def measure_scaling():
    """Prints pictures per second of each round, and the efficiency by their medians."""
    recipe = [*_SCALED.value.split(), f"--steps_per_epoch={_STEPS.value}", "--epochs=3"]
    rates, moved = {1: [], 2: []}, []
    for _ in range(_ROUNDS.value):
        for count in rates:
            rate, sent = _pictures_per_second(recipe, count)
            rates[count].append(rate)
            moved += [sent] if count == 2 else []
        print(f"pictures/s {rates}; load {os.getloadavg()[0]:.1f}", flush=True)
    one, two = (statistics.median(rates[count]) for count in (1, 2))
    print(
        f"one worker {one:.2f} pictures/s, two {two:.2f}: {two / one / 2:.3f} of twice; "
        f"loopback carried {statistics.median(moved) / 1e6:.1f} MB a step, of all processes",
        flush=True,
    )
    return two / one / 2 >= 0.85


def _pictures_per_second(recipe, count):
    with tempfile.TemporaryDirectory() as folder:
        before = _loopback_bytes()
        _finish(_start(f"{folder}/run", recipe, count, pinned=True))
        moved = (_loopback_bytes() - before) / (3 * _STEPS.value)
        rows = _history(f"{folder}/run")
        with open(f"{folder}/run/recipe.flags") as file:
            (batch,) = [line for line in file if line.startswith("--batch_size=")]
    # Not the first epoch, in which the step is traced.
    seconds = statistics.mean(float(row["seconds"]) for row in rows[1:])
    return round(_STEPS.value * int(batch.partition("=")[2]) / seconds, 2), moved


def _loopback_bytes():
    with open("/proc/net/dev") as file:
        return next(int(line.split()[1]) for line in file if line.strip().startswith("lo:"))


def measure_reduction():
    """Prints the time of a sum over two workers."""
    command, addresses = [sys.executable, __file__], _addresses(2)
    environment = os.environ | {"BENCHMARK_REDUCE": "1"}
    first, _ = _finish([_process(command, environment, index, addresses) for index in range(2)])
    print(first.strip().splitlines()[-1], flush=True)
    return True


def _reduce_as_worker():
    console.import_quietly()
    import tensorflow as tf

    from colorization.models import builder
    from colorization.training.cluster import workers
    from colorization.training.cluster.membership import find_cluster

    cluster = find_cluster(os.environ)
    strategy = workers.connect(cluster)
    network = builder("residual")(num_outputs=261, base_filters=32)
    gradients = [tf.ones(variable.shape) for variable in network.trainable_variables]

    @tf.function
    def reduce():
        def on_replica():
            summed = tf.distribute.get_replica_context().all_reduce("SUM", gradients)
            return tf.add_n([tf.reduce_sum(one) for one in summed])

        return strategy.run(on_replica)

    reduce()
    seconds = []
    for _ in range(20):
        start = time.monotonic()
        float(strategy.experimental_local_results(reduce())[0])
        seconds.append(time.monotonic() - start)
    if cluster.is_chief:
        size = sum(4 * int(tf.size(one)) for one in gradients)
        print(
            f"gradients of {network.count_params():,} parameters, {size / 1e6:.1f} MB, summed over "
            f"two workers in {1000 * statistics.median(seconds):.0f} ms (median of 20)"
        )


def _start(model_dir, recipe, count, pinned=False):
    """Starts the training command as so many workers."""
    command = [sys.executable, "-m", "colorization.train", f"--data={_DATA.value}"]
    command += [f"--model_dir={model_dir}", *recipe]
    addresses, cores = _addresses(count), sorted(os.sched_getaffinity(0))
    return [
        _process(
            ["taskset", "--cpu-list", str(cores[index]), *command] if pinned else command,
            dict(os.environ),
            index,
            addresses,
        )
        for index in range(count)
    ]


def _process(command, environment, index, addresses):
    environment = dict(environment)
    environment.pop("TF_CONFIG", None)
    if len(addresses) > 1:
        task = {"type": "worker", "index": index}
        environment["TF_CONFIG"] = json.dumps({"cluster": {"worker": addresses}, "task": task})
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True)


def _addresses(count):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return addresses


def _finish(processes):
    """Waits for all; returns what each printed."""
    outputs = [process.communicate() for process in processes]
    if any(process.returncode for process in processes):
        sys.exit("A worker failed:\n" + "\n".join(error for _, error in outputs))
    return [output for output, _ in outputs]


def _history(model_dir):
    try:
        with open(f"{model_dir}/history.csv", newline="") as file:
            return list(csv.DictReader(file))
    except FileNotFoundError:
        return []


def _weights(model_dir):
    """Digest of a run's last state."""
    console.import_quietly()
    import tensorflow as tf

    digest = hashlib.sha256()
    reader = tf.train.load_checkpoint(f"{model_dir}/checkpoints")
    for key in sorted(reader.get_variable_to_shape_map()):
        # The graph of objects is bookkeeping; all else is state.
        if key != "_CHECKPOINTABLE_OBJECT_GRAPH":
            digest.update(key.encode() + reader.get_tensor(key).tobytes())
    return digest.hexdigest()


if __name__ == "__main__":
    app.run(main)
