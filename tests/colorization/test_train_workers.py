"""Runs of two workers: processes of this machine on loopback addresses."""

import csv
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest

from colorization import train
from colorization.config import Config

pytestmark = pytest.mark.xdist_group("processes")

ROOT = pathlib.Path(__file__).resolve().parents[2]
SMALL = dict(
    generator="unet",
    depth=2,
    base_filters=4,
    image_size=32,
    batch_size=4,
    seed=5,
    ema=0.5,
)
REGRESSION = dict(
    epochs=6,
    steps_per_epoch=1,
    learning_rate=1e-3,
    clip_norm=1.0,
    schedule="cosine",
    lightness_jitter=0.1,
)
# At a full learning rate rounding alone parts adversaries in the fifth digit within 20 steps.
ADVERSARIAL = dict(
    epochs=4,
    steps_per_epoch=2,
    codec="lab_128",
    discriminator="whole",
    discriminator_filters=4,
    discriminator_depth=2,
    discriminator_norm=False,
    adversarial_loss="wasserstein",
    gradient_penalty=10.0,
    generator_every=2,
    loss_weight=1.0,
    pretrain_epochs=1,
    schedule="plateau",
    patience=1,
    learning_rate=1e-6,
)


def start(configs):
    """Starts the command as one worker for each of the configurations."""
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in configs]
    addresses = [f"127.0.0.1:{one.getsockname()[1]}" for one in listeners]
    for one in listeners:
        one.close()
    tasks = [{"type": "worker", "index": index} for index in range(len(configs))]
    cluster = {"worker": addresses}
    return [
        subprocess.Popen(
            [
                sys.executable,
                "-m",
                "colorization.train",
                *(f"--{k}={v}" for k, v in config.items()),
            ],
            cwd=ROOT,
            env=os.environ | {"TF_CONFIG": json.dumps({"cluster": cluster, "task": task})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for config, task in zip(configs, tasks, strict=True)
    ]


def finish(processes):
    outputs = [process.communicate() for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), outputs
    return outputs


def history(model_dir):
    path = pathlib.Path(model_dir) / "history.csv"
    if not path.exists():
        return []
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def losses(model_dir):
    rows = history(model_dir)
    names = [name for name in rows[0] if name.endswith(("loss", "distance", "penalty"))]
    return np.array([[float(row[name] or 0) for name in names] for row in rows])


def files(model_dir):
    """Names of a run's files, without what TensorBoard puts into those of its own."""
    found = pathlib.Path(model_dir).rglob("*")
    return sorted(str(path.relative_to(model_dir)).partition(".out")[0] for path in found)


@pytest.mark.slow
def test_two_workers_have_the_losses_of_one(tmp_path):
    # Four photographs are one batch to check, which falls to the chief.
    config = SMALL | ADVERSARIAL | {"data": "samples", "val_data": "samples"}
    train.train(Config(**config, model_dir=str(tmp_path / "one")))
    outputs = finish(start([config | {"model_dir": tmp_path / "two"}] * 2))
    one, two = losses(tmp_path / "one"), losses(tmp_path / "two")
    assert len(one) == ADVERSARIAL["epochs"]
    np.testing.assert_allclose(two, one, rtol=1e-5, atol=1e-5)
    # The chief alone writes and reports.
    written = [[n for n in files(tmp_path / run) if "events/" not in n] for run in ("one", "two")]
    assert written[0] == written[1]
    assert len(list((tmp_path / "two/events").iterdir())) == 1
    assert "2 devices of 2 workers" in outputs[0][0]
    assert outputs[1][0].startswith("worker 1 (127.0.0.1:") and outputs[1][0].count("\n") == 1


@pytest.mark.slow
def test_a_lost_worker_ends_the_other_and_the_job_goes_on(picture_folder, tmp_path):
    config = SMALL | REGRESSION | {"data": f"folder:{picture_folder}"}
    processes = start([config | {"model_dir": tmp_path / "two"}] * 2)
    while not list(tmp_path.glob("two/checkpoints/ckpt-1*")):
        assert all(process.poll() is None for process in processes)
        time.sleep(0.01)
    chief, other = processes
    other.send_signal(signal.SIGKILL)
    other.communicate()
    _, said = chief.communicate()
    assert chief.returncode == train.TRY_AGAIN
    assert said.startswith("Error: Lost worker 1 (") and said.count("\n") == 1

    outputs = finish(start([config | {"model_dir": tmp_path / "two"}] * 2))
    assert "Resuming after epoch" in outputs[0][0]
    train.train(Config(**config, model_dir=str(tmp_path / "one")))
    np.testing.assert_allclose(
        losses(tmp_path / "two"), losses(tmp_path / "one"), rtol=1e-5, atol=1e-5
    )


@pytest.mark.slow
def test_workers_of_different_commands_say_so(picture_folder, tmp_path):
    config = SMALL | REGRESSION | {"data": f"folder:{picture_folder}"}
    config |= {"model_dir": tmp_path / "run"}
    processes = start([config, config | {"seed": 6}])
    for process in processes:
        _, said = process.communicate()
        assert process.returncode == 1 and said.count("\n") == 1
        assert said.startswith("Error: All workers have the same flags. Received: others on")
    assert not (tmp_path / "run").exists()


def test_a_wrong_cluster_is_refused_before_anything_starts(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "colorization.train", "--data=samples", f"--model_dir={tmp_path}/a"],
        env=os.environ | {"TF_CONFIG": "worker 1 of 2"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith("Error: TF_CONFIG is {") and "not JSON" in done.stderr
    assert list(tmp_path.iterdir()) == []
