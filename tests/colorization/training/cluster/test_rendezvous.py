"""Waiting for the other workers: until they come, for so long, and not past SIGTERM."""

import concurrent.futures
import contextlib
import signal
import socket
import subprocess
import sys
import time

import pytest

from colorization.training.cluster.membership import Cluster, ClusterError, wait_for_all


def addresses(count):
    with contextlib.ExitStack() as stack:
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        for server in servers:
            stack.enter_context(server)
        return tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)


def test_workers_that_come_one_after_the_other_meet():
    found = addresses(3)

    def come(index):
        time.sleep(0.4 * index)
        wait_for_all(Cluster(found, index), 30)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(come, index) for index in range(3)]:
            one.result(timeout=60)


def test_those_that_do_not_come_are_named():
    found = addresses(3)
    with socket.create_server(("127.0.0.1", int(found[2].rpartition(":")[2]))):
        with pytest.raises(
            ClusterError, match="has waited 1 seconds for worker 0, the chief"
        ) as told:
            wait_for_all(Cluster(found, 1), 1)
    assert "worker 2" not in str(told.value) and "\n" not in str(told.value)


def test_a_port_that_is_taken_is_told():
    found = addresses(2)
    with socket.create_server(("127.0.0.1", int(found[1].rpartition(":")[2]))):
        with pytest.raises(ClusterError, match="worker 1 .* can't: Address already in use"):
            wait_for_all(Cluster(found, 1), 1)


def test_sigterm_ends_the_wait():
    program = (
        "from colorization.training.cluster.membership import Cluster\n"
        "from colorization.training.cluster.membership import wait_for_all\n"
        f"print('waits', flush=True)\nwait_for_all(Cluster({addresses(2)}, 0))"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert process.stdout.readline() == b"waits\n"
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == -signal.SIGTERM
