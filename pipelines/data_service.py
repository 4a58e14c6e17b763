"""Runs one part of a tf.data service, which reads and crops pictures for training elsewhere.

`colorization data_service --role=dispatcher --port=5050 --workers=one:5051,two:5051`
`colorization data_service --role=worker --dispatcher=HOST:5050 --address=one:5051`

Then train with --data_service=HOST:5050. All machines need this program and the pictures, at the
same paths. The connections are neither encrypted nor authenticated: keep the ports within a network
that you trust.
"""

import socket
import threading

from pipelines import console
from pipelines.errors import UserError, first_line

ROLES = ("dispatcher", "worker")


def define_flags(values=None):
    """Defines the flags of the command, in some `absl.flags.FlagValues` or the program's own."""
    from absl import flags

    into = {"flag_values": flags.FLAGS if values is None else values}
    flags.DEFINE_enum("role", None, ROLES, "One dispatcher, and any number of workers.", **into)
    flags.DEFINE_integer("port", 5050, "Port of the dispatcher.", 1, 2**16 - 1, **into)
    flags.DEFINE_string(
        "workers", "", "HOST:PORT of all workers of the dispatcher, separated by commas.", **into
    )
    flags.DEFINE_string("dispatcher", "", "HOST:PORT of the dispatcher of a worker.", **into)
    flags.DEFINE_string(
        "address", "", "HOST:PORT of this worker, as --workers of the dispatcher has it.", **into
    )


def main(arguments):
    """Runs until it is stopped."""
    from absl import flags

    run(arguments, flags.FLAGS)


def run(arguments, options):
    """Runs what parsed flags describe, until it is stopped.

    Raises `UserError` if they don't describe a part of a service, or it can't be started.
    """
    if arguments or not options.role:
        raise UserError(f"data_service takes --role={' or '.join(ROLES)} and other flags only.")
    for name in {"dispatcher": ("workers",), "worker": ("dispatcher", "address")}[options.role]:
        text, many = getattr(options, name), name == "workers"
        for address in text.split(",") if many else [text]:
            host, _, port = address.rpartition(":")
            if not (host and port.isdecimal() and 0 < int(port) < 2**16):
                form = "HOST:PORT of each worker, separated by commas" if many else "HOST:PORT"
                raise UserError(f"--{name} is {form}. Received: {text or 'nothing'}.")
    console.import_quietly()
    _server = _start(options)
    print(f"The {options.role} runs until it is stopped.", flush=True)
    # Not the server's own `join`, which Ctrl-C does not end.
    while not threading.Event().wait(0.5):
        pass


def _start(options):
    import tensorflow as tf

    service = tf.data.experimental.service
    is_worker = options.role == "worker"
    port = int(options.address.rpartition(":")[2]) if is_worker else options.port
    # Two servers would share it, and half of the calls would go astray.
    with socket.socket() as probe:
        # One that has just ended keeps no port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError as error:
            raise UserError(
                f"Port {port} can't be used: {error.strerror}. Choose another."
            ) from error
    try:
        if is_worker:
            return service.WorkerServer(
                service.WorkerConfig(options.dispatcher, options.address, port)
            )
        workers = options.workers.split(",")
        return service.DispatchServer(service.DispatcherConfig(port=port, worker_addresses=workers))
    except tf.errors.OpError as error:
        raise UserError(f"The {options.role} can't be started: {first_line(error)}.") from error


if __name__ == "__main__":
    console.run_command(main, define_flags)
