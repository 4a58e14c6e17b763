"""Training with a tf.data service: the run that it is without one."""

import csv
import socket
import subprocess
import sys

import numpy as np
import pytest

from colorization import train
from colorization.config import Config
from pipelines.batches.distributed import ServiceError

pytestmark = pytest.mark.xdist_group("processes")

# A process of its own, since servers wait for minutes for those that they served.
_SERVICE = """
import sys
import tensorflow as tf
service = tf.data.experimental.service
at, port = map(int, sys.argv[1:])
name = f"localhost:{port}"
server = service.DispatchServer(service.DispatcherConfig(port=at, worker_addresses=[name]))
worker = service.WorkerServer(service.WorkerConfig(f"localhost:{at}", name, port))
print("ready", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def address():
    """Of a service with one worker."""
    with socket.socket() as first, socket.socket() as second:
        ports = [each.bind(("localhost", 0)) or each.getsockname()[1] for each in (first, second)]
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVICE, *map(str, ports)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert process.stdout.readline() == b"ready\n"
    yield f"localhost:{ports[0]}"
    process.kill()
    process.communicate()


@pytest.fixture
def options(picture_folder, tmp_path):
    return {
        "data": f"folder:{picture_folder}",
        "model_dir": str(tmp_path / "run"),
        "generator": "unet",
        "depth": 4,
        "base_filters": 4,
        "image_size": 16,
        "batch_size": 3,
        "lightness_jitter": 0.1,
    }


def losses(model_dir):
    with open(f"{model_dir}/history.csv") as file:
        return [row["loss"] for row in csv.DictReader(file)]


@pytest.mark.slow
def test_a_run_goes_on_with_a_service_or_without(address, options, tmp_path):
    """And ends with the weights of a run that never saw one."""
    whole = train.train(Config(**options | {"model_dir": str(tmp_path / "whole")}, epochs=2))
    train.train(Config(**options, epochs=2, data_service=address))
    np.testing.assert_equal(losses(tmp_path / "run"), losses(tmp_path / "whole"))
    again = train.train(Config(**options, epochs=2))
    for old, new in zip(whole.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_service_that_is_not_there_leaves_no_directory(options, tmp_path):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ServiceError, match=f"localhost:{port} does not answer"):
        train.train(Config(**options, data_service=f"localhost:{port}"))
    assert not list(tmp_path.iterdir())
