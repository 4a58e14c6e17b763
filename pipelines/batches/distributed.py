"""Batches that other machines cut: the training chain on the workers of a tf.data service.

The batches are those of a run without a service, in the same order. Of N workers each makes every
N-th step's batch; they are taken in turn, and a missing step stops the run.

Source: Audibert et al., "tf.data service: A Case for Disaggregating ML Input Data Processing", 2023
(static sharding).
"""

import contextlib
import dataclasses
import os
import socket
import threading
import time

import tensorflow as tf

from pipelines import console
from pipelines.errors import UserError, first_line

_START = (
    "Start it by pipelines.data_service, the dispatcher and all workers that it names, or leave "
    "--data_service out."
)
# Seconds to wait for a connection, and for workers that are still starting.
_CONNECT, _GATHER = 5.0, 60.0
# Seconds between looks during training, and for an answer: a busy worker takes some.
_EVERY, _PATIENCE = 20.0, 40.0
_LOST = "a worker of the data service was lost"


class ServiceError(UserError):
    """A data service that is not there, or failed; the message is one line."""


@dataclasses.dataclass(frozen=True)
class Service:
    """A data service whose workers are all there: its dispatcher's `"HOST:PORT"`, their number."""

    address: str
    num_workers: int


def connect(address, patience=_GATHER):
    """Finds the `Service` of a dispatcher's `"HOST:PORT"`, `grpc://` before it or not.

    Workers that are still starting are waited for, `patience` seconds. Raises `ServiceError` if the
    address is none, nothing answers there, or workers are missing.
    """
    host, colon, port = address.removeprefix("grpc://").rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 2**16):
        raise ServiceError(
            "--data_service is HOST:PORT of the dispatcher of a tf.data service. Received: "
            f"{address}."
        )
    try:
        socket.create_connection((host.strip("[]"), int(port)), _CONNECT).close()
    except OSError as error:
        raise ServiceError(
            f"--data_service={address} does not answer: {error.strerror or error}. {_START}"
        ) from error
    address, deadline = f"{host}:{port}", time.monotonic() + patience
    present, expected = 0, 0
    while not expected or present < expected:
        left = deadline - time.monotonic()
        if left <= 0:
            counted = f"{present} of {expected} workers" if expected else "no worker"
            raise ServiceError(
                f"--data_service={address}: {counted} answered within {patience:.0f} seconds. "
                f"{_START}"
            )
        present, expected = _count_workers(address, left)
        if present < expected:
            time.sleep(min(1, left))
    return Service(address, expected)


def _count_workers(address, patience):
    """Asks for a number from each: pair of the workers that answer and of those expected."""
    found, errors = set(), []

    def ask():
        hint = tf.data.experimental.SHARD_HINT
        numbers = tf.data.Dataset.range(2**16).shard(hint, hint)
        # A worker's numbers lie as far apart as there are workers.
        pairs = tf.data.Dataset.zip(numbers, numbers.skip(1)).take(1)
        try:
            for first, second in _distribute(pairs, address).as_numpy_iterator():
                found.add((int(first), int(second - first)))
        except tf.errors.OpError as error:
            errors.append(error)

    # Without a worker it would wait forever.
    thread = threading.Thread(target=ask, daemon=True)
    thread.start()
    deadline, expected = time.monotonic() + patience, None
    while thread.is_alive() and time.monotonic() < deadline and len(found) != expected:
        thread.join(0.05)
        expected = max((number for _, number in tuple(found)), default=None)
    if errors:
        raise ServiceError(
            f"--data_service={address} is no data service of pipelines.data_service: "
            f"{first_line(errors[0])}. {_START}"
        ) from errors[0]
    return len(found), max((number for _, number in tuple(found)), default=0)


def cut_batches(service, pictures, crop, batch_size, start_step):
    """Has the workers of a service cut crops: a dataset of batches, in the order of the steps.

    `pictures` is a dataset of pairs of a picture's number in the run and its element, from the
    first of `start_step` on, without end; `crop` is an in-graph function of both.
    """
    batches = pictures.batch(batch_size, drop_remainder=True).enumerate(start_step)

    def share(worker):
        hint = tf.data.experimental.SHARD_HINT
        # A job of its own for each worker, in which the others have nothing to do: a job's workers
        # answer in any order.
        gate = tf.data.Dataset.range(service.num_workers).shard(hint, hint)
        gate = gate.filter(lambda number: number == worker).repeat()
        parts = tf.data.Dataset.zip(gate, batches.shard(service.num_workers, worker))
        parts = parts.map(lambda _, batch: (tf.repeat(batch[0], batch_size), *batch[1])).unbatch()
        # How many cores a worker has is not known here.
        crops = parts.map(lambda step, *part: (step, crop(*part)), tf.data.AUTOTUNE)
        crops = crops.batch(batch_size, drop_remainder=True).prefetch(2)
        return _distribute(crops.map(lambda steps, crops: (steps[0], crops)), service.address)

    def check(expected, batch):
        told = tf.debugging.assert_equal(batch[0], expected, _LOST)
        with tf.control_dependencies([told]):
            return tf.identity(batch[1])

    shares = [share(worker) for worker in range(service.num_workers)]
    turns = tf.data.Dataset.range(service.num_workers).repeat()
    # One that has ended is passed over, and its step is missed.
    found = tf.data.Dataset.choose_from_datasets(shares, turns, stop_on_empty_dataset=False)
    return found.enumerate(start_step).map(check)


def _distribute(dataset, address):
    return dataset.apply(
        tf.data.experimental.service.distribute(
            tf.data.experimental.service.ShardingPolicy.HINT, f"grpc://{address}"
        )
    )


@contextlib.contextmanager
def guard(service):
    """Ends training in one line when a service, or None, fails it.

    TensorFlow waits for a lost worker forever. So the workers are asked again and again, and the
    process ends if one does not answer. Raises `ServiceError` if the batches end with an error.
    """
    is_over = threading.Event()
    watch = threading.Thread(target=_watch, args=(service, is_over), daemon=True)
    if service:
        watch.start()
    try:
        yield
    except tf.errors.OpError as error:
        if service is None or "IteratorGetNext" not in str(error):
            raise
        reason = _LOST if _LOST in error.message else first_line(error)
        raise ServiceError(_failed(service, reason)) from error
    finally:
        is_over.set()
        if service:
            # Else Python may end while it is within TensorFlow.
            watch.join(_CONNECT)


def _watch(service, is_over):
    while not is_over.wait(_EVERY):
        try:
            present, _ = _count_workers(service.address, _PATIENCE)
        except ServiceError:
            present = 0
        if present < service.num_workers and not is_over.is_set():
            reason = f"{present} of {service.num_workers} workers answer"
            console.print_error(_failed(service, reason))
            # Others wait within TensorFlow. What a run keeps is written whole or not at all.
            os._exit(1)


def _failed(service, reason):
    return (
        f"--data_service={service.address}: {reason}. Fix it, and run the same command to resume "
        "from the last checkpoint, with the service or without."
    )
