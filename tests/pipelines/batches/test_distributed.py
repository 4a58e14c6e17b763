"""The data service: its batches are those of one process, and what is wrong is said in a line."""

import collections
import contextlib
import os
import pathlib
import signal
import socket
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf
from absl import flags

from pipelines import data_service
from pipelines.batches import distributed, input_chain
from pipelines.color import codecs
from pipelines.errors import UserError
from tests.pipelines import training_chain
from tests.pipelines.served import free_ports, serving

pytestmark = pytest.mark.xdist_group("processes")

ROOT = pathlib.Path(__file__).parents[3]
SERVICE = tf.data.experimental.service


def dispatcher(port, workers):
    names = [f"localhost:{worker}" for worker in workers]
    return SERVICE.DispatchServer(SERVICE.DispatcherConfig(port=port, worker_addresses=names))


def worker(port, at):
    # Told of a lost one after 30 seconds otherwise.
    config = SERVICE.WorkerConfig(f"localhost:{at}", f"localhost:{port}", port)
    return SERVICE.WorkerServer(config)


@contextlib.contextmanager
def running(number):
    """Runs a service in this process: its address and a dict of its workers, by port."""
    at, *ports = free_ports(number + 1)
    server = dispatcher(at, ports)
    yield f"localhost:{at}", {port: worker(port, at) for port in ports}
    del server


@pytest.fixture(scope="module")
def service():
    """A service of three workers."""
    with serving(3) as address:
        connected = distributed.connect(address)
        assert connected.num_workers == 3
        yield connected


def train(pair, count, codec="lab", start_step=0, **changes):
    changes = {"shuffle_buffer": 10} | changes
    return training_chain.train(*pair, count, start_step, codec, **changes)


@pytest.mark.slow
@pytest.mark.parametrize(
    "start, changes",
    [(0, {"batch_size": 1}), (7, {"codec": "gray_rgb", "lightness_jitter": 0.0})],
)
def test_batches_are_those_of_one_process(start, changes, service, pictures):
    alone = train(pictures, 10, start_step=start, **changes)
    together = train(pictures, 10, start_step=start, service=service, **changes)
    np.testing.assert_array_equal(together, alone)


@pytest.mark.slow
def test_every_picture_comes_once_a_pass(service, surveyed, tmp_path):
    greens = {f"{i:03d}": (250, 10 * i, 0) for i in range(24)}
    pair = surveyed(tmp_path, **greens)
    found = np.concatenate(
        train(pair, 12, "gray_rgb", service=service, batch_size=4, lightness_jitter=0.0)
    )
    seen = np.round((found[:, 0, 0, 2] + 1) * 127.5 / 10).astype(int)
    for one_pass in np.reshape(seen, (2, 24)):
        assert collections.Counter(one_pass.tolist()) == dict.fromkeys(range(24), 1)


@pytest.mark.slow
def test_a_share_of_a_batch_is_served_too(service, pictures):
    whole = train(pictures, 4, batch_size=6)
    parts = [
        train(pictures, 4, batch_size=6, shard=(i, 2), service=service if i else None)
        for i in range(2)
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.slow
def test_pairs_are_served(service, tmp_path, surveyed):
    from pipelines.batches import survey
    from pipelines.sources.opener import open_source

    for kind in ("color", "gray"):
        (tmp_path / kind).mkdir()
        rows = {f"{i}": (200, 20 * i, 30) for i in range(6)}
        surveyed(tmp_path / kind, **rows)
    source = open_source(f"pairs:color={tmp_path}/color,gray={tmp_path}/gray")
    pair = source, survey.survey(source)
    np.testing.assert_array_equal(train(pair, 3, service=service), train(pair, 3))


_TRAINING = """
import sys
from pipelines.batches import distributed, input_chain, survey
from pipelines.color import codecs
from pipelines.sources import opener
from tests.pipelines import training_chain
distributed._EVERY, distributed._PATIENCE = 0.5, 5.0
service = distributed.connect(sys.argv[1])
source = opener.open_source(sys.argv[2])
chain = input_chain.training_batches(
    source, survey.survey(source), codecs.CODECS["lab"], training_chain.options(), service=service
)
with distributed.guard(service):
    for _ in chain:
        print("step", flush=True)
"""


@pytest.mark.slow
def test_a_lost_worker_ends_training_in_a_line(pictures):
    source = pictures[0]
    with running(2) as (address, workers):
        process = subprocess.Popen(
            [sys.executable, "-c", _TRAINING, address, source.name],
            cwd=ROOT,
            env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stdout.readline() == "step\n"
        lost = next(iter(workers))
        workers.pop(lost)._stop()
        _, errors = process.communicate()
        line = f"Error: --data_service={address}: 1 of 2 workers answer. Fix it, and run"
        assert process.returncode == 1 and errors.splitlines()[-1].startswith(line)
        # Come back, it is as good as new.
        workers[lost] = worker(lost, address.rpartition(":")[2])
        service = distributed.connect(address)
        np.testing.assert_array_equal(train(pictures, 4, service=service), train(pictures, 4))


@pytest.mark.slow
def test_a_worker_that_starts_anew_is_not_mistaken(pictures):
    """It would begin with its first step again."""
    with running(2) as (address, workers):
        service = distributed.connect(address)
        chain = input_chain.training_batches(
            *pictures, codecs.CODECS["lab"], training_chain.options(), service=service
        ).as_numpy_iterator()
        for _ in range(9):
            next(chain)
        port = next(iter(workers))
        workers.pop(port)._stop()
        workers[port] = worker(port, address.rpartition(":")[2])
        message = f"--data_service={address}: a worker of the data service was lost. Fix it"
        with (
            pytest.raises(distributed.ServiceError, match=message) as caught,
            distributed.guard(service),
        ):
            for _ in range(10_000):
                next(chain)
        assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_pictures_that_workers_do_not_find_are_one_line(service, surveyed, tmp_path):
    pair = surveyed(tmp_path, a=(200, 10, 10))
    (tmp_path / "a.png").unlink()
    with pytest.raises(
        distributed.ServiceError, match=r"No such file or directory.* resume"
    ) as caught:
        with distributed.guard(service):
            train(pair, 2, batch_size=1, service=service)
    assert "\n" not in str(caught.value)


def test_other_errors_are_left_alone(service):
    for each in (service, None):
        with pytest.raises(tf.errors.InvalidArgumentError), distributed.guard(each):
            tf.debugging.assert_equal(1, 2)


@pytest.mark.parametrize(
    "address", ["", "here", "localhost", "localhost:", ":5050", "localhost:x", "localhost:70000"]
)
def test_wrong_addresses(address):
    with pytest.raises(
        distributed.ServiceError, match="--data_service is HOST:PORT of the dispatcher"
    ):
        distributed.connect(address)


@pytest.mark.parametrize("address", ["localhost:{port}", "grpc://localhost:{port}"])
def test_nobody_there(address):
    address = address.format(port=free_ports(1)[0])
    message = f"--data_service={address} does not answer: Connection refused. Start it by"
    with pytest.raises(distributed.ServiceError, match=message):
        distributed.connect(address)


@pytest.mark.slow
def test_a_service_without_all_workers():
    at, first, second = free_ports(3)
    server = dispatcher(at, [first, second])
    with pytest.raises(distributed.ServiceError, match="no worker answered within 1 seconds"):
        distributed.connect(f"localhost:{at}", patience=1)
    one = worker(second, at)
    with pytest.raises(distributed.ServiceError, match="1 of 2 workers answered within 2 seconds"):
        distributed.connect(f"localhost:{at}", patience=2)
    del one, server


@pytest.mark.slow
def test_the_address_of_a_worker(service):
    with running(1) as (_, workers):
        (port,) = workers
        with pytest.raises(
            distributed.ServiceError, match="is no data service of pipelines.data_serv"
        ):
            distributed.connect(f"localhost:{port}", patience=10)


def call(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.data_service", *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "data_service takes --role=dispatcher or worker"),
        (["--role=worker", "more"], "takes --role="),
        (["--role=dispatcher"], "--workers is HOST:PORT of each worker, separated by commas."),
        (["--role=dispatcher", "--workers=a:1,b"], "--workers is HOST:PORT.* Received: a:1,b."),
        (["--role=worker", "--dispatcher=a"], "--dispatcher is HOST:PORT. Received: a."),
        (["--role=worker", "--dispatcher=a:1"], "--address is HOST:PORT. Received: nothing."),
    ],
)
def test_wrong_flags(arguments, message):
    own = flags.FlagValues()
    data_service.define_flags(own)
    words = own(["data_service", *arguments])
    with pytest.raises(UserError, match=message):
        data_service.run(words[1:], own)


@pytest.mark.slow
@pytest.mark.parametrize("role", data_service.ROLES)
def test_a_port_in_use(role):
    own = flags.FlagValues()
    data_service.define_flags(own)
    with socket.socket() as taken:
        taken.bind(("", 0))
        taken.listen()
        port = taken.getsockname()[1]
        own(["", f"--role={role}", f"--port={port}", "--workers=a:1", "--dispatcher=localhost:1",
             f"--address=localhost:{port}"])  # fmt: skip
        with pytest.raises(UserError, match=f"Port {port} can't be used: Address al"):
            data_service.run([], own)


@pytest.mark.slow
def test_the_commands_make_a_service(pictures):
    at, *ports = free_ports(3)
    names = [f"localhost:{port}" for port in ports]
    processes = [call("--role=dispatcher", f"--port={at}", f"--workers={','.join(names)}")]
    for name in names:
        processes.append(call("--role=worker", f"--dispatcher=localhost:{at}", f"--address={name}"))
    try:
        for process, role in zip(processes, ("dispatcher", "worker", "worker"), strict=True):
            assert process.stdout.readline() == f"The {role} runs until it is stopped.\n"
        service = distributed.connect(f"localhost:{at}")
        assert service.num_workers == 2
        np.testing.assert_array_equal(train(pictures, 3, service=service), train(pictures, 3))
    finally:
        for process in processes:
            process.send_signal(signal.SIGINT)
        ends = [process.communicate()[1].splitlines()[-1:] for process in processes]
    assert ends == [["Stopped."]] * 3 and {process.returncode for process in processes} == {130}
