"""What the workers of a cluster do together: connect, wait, agree, share input and steps, and end.

Every worker calls the same functions in the same order, since each of them may wait for all others.

Keras' own functions of a step reduce every number that a step reports in a way that fails on more
than one machine. The models here run the same `train_step` and `test_step`, with the numbers of one
machine.
"""

import contextlib
import math
import re
import signal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.compiler.xla.tsl.protobuf import coordination_config_pb2
from tensorflow.python.eager import context

from colorization.training.adversarial import AdversarialModel
from colorization.training.cluster.membership import (
    ClusterError,
    LostWorkerError,
    check_share,
    wait_for_all,
)
from colorization.training.process import Process
from pipelines.errors import first_line

# A worker that is silent for so long is lost. TensorFlow's own default is longer than a minute.
_HEARTBEAT_SECONDS = 20
# How long a worker that ends waits for the others to end too.
_FAREWELL_SECONDS = 10


def join(config, cluster):
    """Connects this process with the other workers of a run, who are all waited for.

    Raises `ClusterError` if the run can't be divided among the workers, or they can't connect.
    """
    for name in ("logical_devices", "xla"):
        if getattr(config, name):
            raise ClusterError(
                f"--{name} is for one machine. Received: a cluster of {cluster.num_workers} "
                f"workers. Leave --{name} out, or unset TF_CONFIG."
            )
    check_share(cluster, config.batch_size, cluster.num_workers)
    others = f"waits for all of {', '.join(cluster.addresses)}"
    others = others if cluster.is_chief else f"follows {cluster.name(0)}"
    print(f"{cluster.name(cluster.index)} {others}", flush=True)
    wait_for_all(cluster)
    strategy = connect(cluster)
    check_share(cluster, config.batch_size, strategy.num_replicas_in_sync)
    return Workers(cluster, strategy)


def connect(cluster):
    """Connects the workers of a cluster, all of whom are there: a `MultiWorkerMirroredStrategy`.

    Raises `ClusterError` if this worker can't listen at its address, and `LostWorkerError` if the
    others do not let it in, as when they have not noticed its last end.
    """
    me = cluster.name(cluster.index)
    # The strategy takes the service that it finds; only here the time can be set by which a lost
    # worker is noticed.
    context.context().configure_coordination_service(
        service_type="standalone",
        service_leader="/job:worker/replica:0/task:0",
        heartbeat_timeout_in_ms=1000 * _HEARTBEAT_SECONDS,
        shutdown_barrier_timeout_in_ms=1000 * _FAREWELL_SECONDS,
        coordinated_jobs=[
            coordination_config_pb2.CoordinatedJob(name="worker", num_tasks=cluster.num_workers)
        ],
    )
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec({"worker": list(cluster.addresses)}),
        task_type="worker",
        task_id=cluster.index,
        rpc_layer="grpc",
        num_accelerators={"GPU": len(tf.config.list_physical_devices("GPU"))},
    )
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy(resolver)
    except tf.errors.OpError as error:
        if "start gRPC server" in error.message:
            raise ClusterError(
                f"Every worker listens at the port of its address. {me} can't: the port is taken. "
                "Choose another, on all workers alike."
            ) from error
        raise LostWorkerError(
            f"{me} can't join the others, who may be ending ({first_line(error)[:160]}). Start the "
            "same command on all workers again."
        ) from error
    # TensorFlow has taken SIGTERM for a notice of preemption that nobody here reads: the process
    # would not end by it.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    return strategy


@contextlib.contextmanager
def reporting_losses(cluster):
    """Turns TensorFlow's error when another worker ends into a `LostWorkerError` that names it."""
    try:
        yield
    except tf.errors.OpError as error:
        is_aborted = "Collective ops is aborted" in (error.message or "")
        is_loss = isinstance(error, tf.errors.UnavailableError) or is_aborted
        if not is_loss:
            raise
        found = re.findall(r"/job:worker/(?:replica:0/)?task:(\d+)", error.message)
        numbers = set(map(int, found)) or set(range(2) if cluster.num_workers == 2 else ())
        lost = map(cluster.name, sorted(numbers - {cluster.index}))
        raise LostWorkerError(
            f"Lost {' and '.join(lost) or 'another worker'}, so that {cluster.name(cluster.index)} "
            "ends, too. Its last output says why. Start the same command on all workers "
            "again: training resumes from the last checkpoint."
        ) from error


class Workers(Process):
    """The connected workers of a run, of which this process is one."""

    def __init__(self, cluster, strategy):
        super().__init__(strategy)
        self.cluster, self.is_chief, self.shard = cluster, cluster.is_chief, cluster.shard
        # A function, since outside of one TensorFlow traces every call anew.
        self._gather = tf.function(
            lambda row: strategy.gather(row, axis=0),
            input_signature=[tf.TensorSpec([1, None], tf.float64)],
        )

    @property
    def description(self):
        return f"{super().description} of {self.cluster.num_workers} workers"

    def guard(self):
        """Context within which the loss of another worker is an error that names it."""
        return reporting_losses(self.cluster)

    def assemble(self, generator, discriminator=None):
        """The Keras model that trains a generator, against a discriminator if there is one."""
        if discriminator is None:
            return SynchronizedModel(generator.input, generator.output)
        return SynchronizedAdversarialModel(generator, discriminator)

    def callbacks(self):
        """Callbacks of `fit` that come before those that act on the logs."""
        return [ChiefsLogs(self)]

    @contextlib.contextmanager
    def chief_first(self):
        """Lets the chief run the block while the others wait; they run it afterwards."""
        if not self.is_chief:
            self.wait()
        yield
        if self.is_chief:
            self.wait()

    def wait(self):
        """Waits until all workers are here."""
        self.gather([0])

    def gather(self, numbers):
        """Gathers as many numbers of each worker: float64, `(num_workers, n)`, for all of them."""
        return self._gather(np.asarray([numbers], np.float64)).numpy()

    def agree(self, facts):
        """Checks that all workers are about to train the same, by texts by what they are.

        Raises `ClusterError` if one of a worker differs from the chief's, on all workers alike.
        """
        # Digests of 52 bits, which a float holds.
        digests = [int(tf.strings.to_hash_bucket_fast(text, 2**52)) for text in facts.values()]
        rows = self.gather(digests)
        for index, row in enumerate(rows):
            differing = [
                what for what, one, first in zip(facts, row, rows[0], strict=True) if one != first
            ]
            if differing:
                raise ClusterError(
                    f"All workers have the same {differing[0]}. Received: others on "
                    f"{self.cluster.name(index)} than on {self.cluster.name(0)}. Give all the same "
                    "command, and --data and --model_dir in a file system that they share."
                )

    def feed(self, batches, is_endless=False):
        """Distributes this worker's batches, a dataset of pairs, over its devices, for `fit`.

        They are either endless, its shares of all batches, of which each device takes an equal
        part; or the whole batches that fall to this worker, of which each device takes one.
        """
        if is_endless:
            # Known to have no end, it needs no agreement on it at each step.
            forever = tf.data.experimental.assert_cardinality(tf.data.INFINITE_CARDINALITY)
            batches = batches.apply(forever)
            devices = self.strategy.num_replicas_in_sync // self.cluster.num_workers
            if devices > 1:
                share = batches.element_spec[0].shape[0]
                batches = batches.rebatch(share // devices, drop_remainder=True)
        return self.strategy.distribute_datasets_from_function(lambda _: batches)

    def count_steps(self, num_pictures, batch_size):
        """Steps of one pass over pictures whose whole batches are dealt out to all devices."""
        return math.ceil(num_pictures / batch_size / self.strategy.num_replicas_in_sync)


class ChiefsLogs(keras.callbacks.Callback):
    """Replaces each worker's metrics by the chief's, so that all decide alike.

    Metrics of the evaluation may differ in their last digits between processors of two kinds.
    """

    def __init__(self, workers):
        super().__init__()
        self.workers = workers

    def on_epoch_end(self, epoch, logs=None):
        logs.update(zip(logs, self.workers.gather(list(logs.values()))[0], strict=True))


class SynchronizedModel(keras.Model):
    """A compiled, built model under a `MultiWorkerMirroredStrategy`.

    What a step reports is the mean over all workers, so that they see the same course of the
    losses and decide alike. Training gives all devices equal shares of a batch; testing gives
    them whole batches, of which some may have one more than others.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds nothing: Keras would reduce a batch of pictures over all workers for its shape."""

    def _get_metrics_result_or_logs(self, logs):
        """What the functions below report is whole: nothing has to be read across workers again."""
        return logs

    def make_train_function(self, force=False):
        if self.train_function is not None and not force:
            return self.train_function

        def on_share(data):
            losses = self.train_step(data)
            # One message for all of them.
            together = tf.stack([tf.cast(value, tf.float32) for value in losses.values()])
            replica = tf.distribute.get_replica_context()
            mean = replica.all_reduce(tf.distribute.ReduceOp.MEAN, together)
            return dict(zip(losses, tf.unstack(mean), strict=True))

        @tf.function
        def step(iterator):
            strategy = self.distribute_strategy
            losses = strategy.run(on_share, args=(next(iterator),))
            return {
                name: strategy.experimental_local_results(value)[0]
                for name, value in losses.items()
            }

        self.train_function = step
        return step

    def make_test_function(self, force=False):
        if self.test_function is not None and not force:
            return self.test_function
        reported = []

        def on_batch(data):
            def measure():
                reported[:] = self.test_step(data)
                return tf.constant(True)

            # A device that has no batch left is given an empty one.
            is_there = tf.shape(tf.nest.flatten(data)[0])[0] > 0
            return tf.cond(is_there, measure, lambda: tf.constant(False))

        @tf.function
        def step(iterator):
            self.distribute_strategy.run(on_batch, args=(iterator.get_next(),))
            # Read across workers: sums over all of them.
            return {m.name: m.result() for m in self.metrics if m.name in reported}

        self.test_function = step
        return step


class SynchronizedAdversarialModel(AdversarialModel, SynchronizedModel):
    """An `AdversarialModel` on several workers."""
