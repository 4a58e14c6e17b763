"""Training with a tf.data service: the run that it is without one."""

import dataclasses
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


def test_a_run_goes_on_with_a_service_or_without(address, finished_run, tmp_path):
    """And ends with the weights of a run that never saw one."""
    config = dataclasses.replace(finished_run.config, model_dir=str(tmp_path / "run"))
    model = train.train(dataclasses.replace(config, data_service=address))
    again = train.train(config)
    variables = [*again.variables, *again.optimizer.variables]
    for value, variable in zip(finished_run.state, variables, strict=True):
        np.testing.assert_array_equal(variable, value)
    for old, new in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_service_that_is_not_there_leaves_no_directory(picture_folder, tmp_path):
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    with pytest.raises(ServiceError, match=f"localhost:{port} does not answer"):
        train.train(
            Config(
                data=f"folder:{picture_folder}",
                model_dir=str(tmp_path / "run"),
                data_service=f"localhost:{port}",
            )
        )
    assert not list(tmp_path.iterdir())
