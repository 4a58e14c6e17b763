"""Waiting for the other workers, before TensorFlow does.

TensorFlow waits for absent workers for ever, names none of them, and hears neither Ctrl-C nor
SIGTERM meanwhile. Here every worker listens at its own port and calls at the others' until each has
answered once, by this or already by TensorFlow.
"""

import contextlib
import socket
import time

from colorization.training.cluster.membership import ClusterError

_SECONDS = 600
# Between two calls at a worker that does not answer, and for its answer.
_EVERY, _PATIENCE = 0.5, 2.0


def wait_for_all(cluster, seconds=_SECONDS):
    """Waits until all workers of a cluster listen at their addresses.

    Args:
        cluster: A `Cluster` of several workers.
        seconds: How long to wait.

    Raises:
        ClusterError: If this worker can't listen at its address, or others do not come.
    """
    missing = set(range(cluster.num_workers)) - {cluster.index}
    deadline = time.monotonic() + seconds
    with _listen(cluster):
        while missing:
            missing = {index for index in missing if not _answers(cluster.addresses[index])}
            if missing and time.monotonic() > deadline:
                names = " and ".join(cluster.name(index) for index in sorted(missing))
                raise ClusterError(
                    f"{cluster.name(cluster.index)} has waited {seconds} seconds for {names}. "
                    "Start the same command there too, and check that the address can be reached."
                )
            # The last time for the others, who have yet to call here.
            time.sleep(_EVERY if missing else 2 * _EVERY)


@contextlib.contextmanager
def _listen(cluster):
    _, port = _split(cluster.addresses[cluster.index])
    options = {"backlog": 4 * cluster.num_workers}
    if socket.has_dualstack_ipv6():
        options |= {"family": socket.AF_INET6, "dualstack_ipv6": True}
    try:
        listener = socket.create_server(("", port), **options)
    except OSError as error:
        raise ClusterError(
            f"Every worker listens at the port of its address. {cluster.name(cluster.index)} "
            f"can't: {error.strerror}. Choose another, on all workers alike."
        ) from error
    with listener:
        yield


def _answers(address):
    try:
        socket.create_connection(_split(address), _PATIENCE).close()
    except OSError:
        # A name may be known only once its machine is there.
        return False
    return True


def _split(address):
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)
