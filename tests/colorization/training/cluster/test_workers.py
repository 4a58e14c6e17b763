"""What workers do together, as far as one process shows it; see test_train_workers.py for two."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.config import Config
from colorization.training.cluster.membership import Cluster, ClusterError, LostWorkerError
from colorization.training.cluster.workers import (
    ChiefsLogs,
    SynchronizedModel,
    Workers,
    join,
    reporting_losses,
)
from colorization.training.optimizer import AdamW
from colorization.training.process import Process

pytestmark = pytest.mark.xdist_group("processes")

THREE = Cluster(("a:1", "b:2", "c:3"), 1)
RANDOM = np.random.default_rng(0)
CONDITION = RANDOM.normal(size=(10, 8, 8, 1)).astype("float32")
TARGET = RANDOM.normal(size=(10, 8, 8, 2)).astype("float32")


class Rows(Workers):
    """Workers whose numbers are made up."""

    def __init__(self, rows):
        super().__init__(THREE, tf.distribute.get_strategy())
        self.rows = np.array(rows, np.float64)

    def gather(self, numbers):
        return np.stack([np.array(numbers) + row for row in self.rows])


def test_one_process_waits_for_nobody():
    alone = Process(tf.distribute.get_strategy())
    with alone.guard(), alone.chief_first():
        alone.agree({"flags": "--seed=1"})
    dataset = tf.data.Dataset.range(3)
    assert alone.feed(dataset) is dataset and alone.count_steps(10, 4) is None
    assert alone.is_chief and alone.shard == (0, 1)


def test_digests_pass_between_workers_unharmed():
    # A float holds 53 bits.
    alone = Workers(Cluster(), tf.distribute.get_strategy())
    assert alone.gather([2**52 - 1])[0, 0] == 2**52 - 1


def test_workers_that_differ_are_told_in_what_and_which():
    facts = {"flags": "--seed=1", "pictures": "abc"}
    Rows([[0, 0], [0, 0], [0, 0]]).agree(facts)
    with pytest.raises(ClusterError, match=r"same pictures. Received: .*worker 2 \(c:3\) than on"):
        Rows([[0, 0], [0, 0], [0, 1]]).agree(facts)
    with pytest.raises(ClusterError, match=r"same flags. Received: others on worker 1 \(b:2\)"):
        Rows([[0, 0], [-1, 1], [0, 0]]).agree(facts)


def test_all_workers_take_the_chiefs_figures():
    logs = {"loss": 1.0, "psnr": 20.0}
    ChiefsLogs(Rows([[0.5, -1], [0, 0], [9, 9]])).on_epoch_end(0, logs)
    assert logs == {"loss": 1.5, "psnr": 19.0}


@pytest.mark.parametrize(
    ("pictures", "batch_size", "steps"), [(24, 4, 2), (25, 4, 3), (3, 4, 1), (36, 4, 3)]
)
def test_a_pass_lasts_until_the_last_batch(pictures, batch_size, steps):
    workers = Rows([[0]] * 3)
    workers.strategy = type("", (), {"num_replicas_in_sync": 3})
    assert workers.count_steps(pictures, batch_size) == steps


def fail(kind, message):
    raise kind(None, None, message)


@pytest.mark.parametrize(
    ("kind", "message", "lost"),
    [
        (
            tf.errors.UnavailableError,
            "Error reported from /job:worker/task:2: The following tasks are unhealthy:\n"
            "/job:worker/replica:0/task:2",
            r"Lost worker 2 \(c:3\), so that worker 1 \(b:2\) ends",
        ),
        (
            tf.errors.UnavailableError,
            "recvmsg:Connection reset by peer\nfrom remote target /job:worker/replica:0/task:0",
            r"Lost worker 0, the chief \(a:1\)",
        ),
        (tf.errors.InternalError, "Collective ops is aborted by: what not", "Lost another worker"),
    ],
)
def test_a_lost_worker_is_named_in_one_line(kind, message, lost):
    with pytest.raises(LostWorkerError, match=lost) as raised, reporting_losses(THREE):
        fail(kind, message)
    assert "\n" not in str(raised.value)


def test_other_errors_stay_what_they_are():
    with pytest.raises(tf.errors.InvalidArgumentError), reporting_losses(THREE):
        fail(tf.errors.InvalidArgumentError, "a bug")
    # Alone there is nobody to lose.
    alone = Process(tf.distribute.get_strategy())
    with pytest.raises(tf.errors.UnavailableError), alone.guard():
        fail(tf.errors.UnavailableError, "a bucket")


@pytest.mark.parametrize(
    ("knobs", "said"),
    [
        ({"logical_devices": 2}, "--logical_devices is for one machine"),
        ({"xla": True}, "--xla is for one machine"),
        ({"batch_size": 16}, "a multiple of 3"),
    ],
)
def test_what_no_cluster_can_train_is_refused_before_it_connects(knobs, said):
    with pytest.raises(ClusterError, match=said):
        join(Config(**({"batch_size": 12} | knobs)), THREE)


def dataset(count):
    return tf.data.Dataset.from_tensor_slices((CONDITION[:count], TARGET[:count]))


def compiled(kind):
    keras.utils.set_random_seed(1)
    condition = keras.Input((8, 8, 1))
    model = kind(condition, keras.layers.Conv2D(2, 3, padding="same")(condition))
    model.compile(AdamW(1e-2, global_clipnorm=1.0), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def trained():
    """A synchronized model, its history, and the same trained by Keras."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def feed(batches):
        return strategy.distribute_datasets_from_function(lambda _: batches)

    with strategy.scope():
        model = compiled(SynchronizedModel)
    # What a worker gets whose batches end before another's.
    empty = tf.data.Dataset.from_tensors((CONDITION[:0], TARGET[:0]))
    checks = dataset(10).batch(4).concatenate(empty)
    steps = {"epochs": 2, "steps_per_epoch": 3, "verbose": 0, "shuffle": False}
    batches = dataset(10).repeat().batch(4, drop_remainder=True)
    history = model.fit(
        feed(batches), validation_data=feed(checks), validation_steps=4, **steps
    ).history
    plain = compiled(keras.Model)
    return model, history, plain, plain.fit(batches, **steps).history


def test_its_steps_are_those_of_keras(trained):
    model, history, plain, expected = trained
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_validation_is_the_mean_over_pictures_whatever_the_batches(trained):
    model, history, _, _ = trained
    expected = np.mean((np.asarray(model(CONDITION)) - TARGET) ** 2)
    np.testing.assert_allclose(history["val_loss"][-1], expected, rtol=1e-6)


def test_functions_are_traced_once(trained):
    model = trained[0]
    assert model.train_function.experimental_get_tracing_count() == 1
    assert model.test_function.experimental_get_tracing_count() == 1
