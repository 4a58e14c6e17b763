"""What workers do together, as far as one process shows it; see test_train_workers.py for two."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.config import Config
from colorization.training.cluster.membership import Cluster, ClusterError, LostWorkerError
from colorization.training.cluster.workers import ChiefsLogs, Workers, join, reporting_losses
from colorization.training.process import Process

pytestmark = pytest.mark.xdist_group("processes")

THREE = Cluster(("a:1", "b:2", "c:3"), 1)


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
