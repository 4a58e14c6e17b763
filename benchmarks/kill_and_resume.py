"""Whether a run that is killed again and again ends with the weights of one that is not.

`python benchmarks/kill_and_resume.py --data=folder:PHOTOS [--kills=10]`

Trains a small classifier and a small GAN twice each: once in peace, once killed by SIGKILL at
random moments and started again with the same command; then prints the hashes of both.
"""

import hashlib
import random
import subprocess
import sys
import tempfile
import time

import tensorflow as tf
from absl import app, flags

_DATA = flags.DEFINE_string("data", "samples", "Pictures, as --data of the training command.")
_KILLS = flags.DEFINE_integer("kills", 10, "Times that the run is killed.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the moments.")

_COMMON = ["--image_size=32", "--batch_size=4", "--steps_per_epoch=8", "--ema=0.9"]
_RECIPES = {
    "classification": [
        "--codec=quantized_ab", "--loss=quantized_crossentropy", "--generator=residual",
        "--base_filters=4", "--epochs=300", "--schedule=cosine", "--lightness_jitter=0.1",
    ],
    "gan": [
        "--generator=unet", "--depth=4", "--base_filters=4", "--discriminator=patch",
        "--discriminator_filters=4", "--epochs=300", "--pretrain_epochs=100",
    ],
}  # fmt: skip


def main(_):
    """Prints a line for each recipe; the exit status is 1 if any pair differs."""
    moments, equal = random.Random(_SEED.value), True
    for name, recipe in _RECIPES.items():
        with tempfile.TemporaryDirectory() as folder:
            whole, seconds = _train(f"{folder}/whole", recipe)
            killed = 0
            while killed < _KILLS.value:
                process = _start(f"{folder}/broken", recipe)
                try:
                    # Start-up takes part of every life: a moment anywhere in it.
                    process.wait(timeout=moments.uniform(0, seconds * 0.2))
                    break
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
                    killed += 1
            broken, _ = _train(f"{folder}/broken", recipe)
        equal &= whole == broken
        print(f"{name}: killed {killed} times; {whole[:16]} in peace, {broken[:16]} killed")
    sys.exit(0 if equal else 1)


def _start(model_dir, recipe):
    command = [sys.executable, "-m", "colorization.train", f"--data={_DATA.value}"]
    command += [f"--model_dir={model_dir}", *_COMMON, *recipe]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _train(model_dir, recipe):
    start = time.monotonic()
    if _start(model_dir, recipe).wait():
        sys.exit(f"The training in {model_dir} failed.")
    seconds = time.monotonic() - start
    digest = hashlib.sha256()
    reader = tf.train.load_checkpoint(f"{model_dir}/checkpoints")
    for key in sorted(reader.get_variable_to_shape_map()):
        # The graph of objects is bookkeeping; all else is state.
        if key != "_CHECKPOINTABLE_OBJECT_GRAPH":
            digest.update(key.encode() + reader.get_tensor(key).tobytes())
    return digest.hexdigest(), seconds


if __name__ == "__main__":
    app.run(main)
