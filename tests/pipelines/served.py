"""A tf.data service in a process of its own: servers wait for minutes for those they served."""

import contextlib
import socket
import subprocess
import sys

_SERVICE = """
import sys
import tensorflow as tf
service = tf.data.experimental.service
at, *ports = map(int, sys.argv[1:])
names = [f"localhost:{port}" for port in ports]
server = service.DispatchServer(service.DispatcherConfig(port=at, worker_addresses=names))
# In another order than they are named in.
configs = [service.WorkerConfig(f"localhost:{at}", *pair) for pair in zip(names, ports)][::-1]
workers = [service.WorkerServer(config) for config in configs]
print("ready", flush=True)
sys.stdin.read()
"""


def free_ports(number):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(number)]
        for each in sockets:
            each.bind(("localhost", 0))
        return [each.getsockname()[1] for each in sockets]


@contextlib.contextmanager
def serving(num_workers):
    """The address of a service of so many workers."""
    ports = free_ports(1 + num_workers)
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
