"""What the environment says of a cluster, what is refused, and waiting for the others."""

import concurrent.futures
import contextlib
import json
import signal
import socket
import subprocess
import sys
import time

import pytest

from colorization.training.cluster.membership import (
    Cluster,
    ClusterError,
    check_share,
    expand_hosts,
    find_cluster,
    wait_for_all,
)


def tf_config(cluster, job="worker", index=0):
    return {"TF_CONFIG": json.dumps({"cluster": cluster, "task": {"type": job, "index": index}})}


def test_without_variables_a_worker_is_alone_and_the_chief():
    cluster = find_cluster({})
    assert cluster.num_workers == 1 and cluster.is_chief and cluster.shard == (0, 1)
    assert find_cluster({"TF_CONFIG": " "}) == cluster


def test_workers_are_numbered_in_their_order():
    cluster = find_cluster(tf_config({"worker": ["a:1", "b:2", "c:3"]}, index=2))
    assert cluster == Cluster(("a:1", "b:2", "c:3"), 2)
    assert not cluster.is_chief and cluster.shard == (2, 3)


def test_a_job_of_a_chief_comes_first():
    jobs = {"worker": ["b:2", "c:3"], "chief": ["a:1"]}
    assert find_cluster(tf_config(jobs, "chief")) == Cluster(("a:1", "b:2", "c:3"), 0)
    assert find_cluster(tf_config(jobs, "worker", "1")) == Cluster(("a:1", "b:2", "c:3"), 2)


def test_a_cluster_of_one_is_none():
    assert find_cluster(tf_config({"worker": ["a:1"]})).num_workers == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{worker", "not JSON"),
        ("[]", "has no cluster"),
        ("{}", "has no cluster"),
        ('{"task": {"type": "worker", "index": 0}}', "has no cluster"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}}', "no task with type and index"),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker"}}', "no task with"),
        (tf_config({"worker": ["a:1", "b:1"]}, "chief")["TF_CONFIG"], "type 'chief'"),
        (tf_config({"worker": ["a:1", "b:1"]}, index=2)["TF_CONFIG"], "task index is 2, of 2"),
        (tf_config({"worker": ["a:1", "b:1"]}, index=-1)["TF_CONFIG"], "task index is -1"),
        (tf_config({"worker": ["a:1", "b:1"], "ps": ["c:1"]})["TF_CONFIG"], "cluster has ps"),
        (tf_config({"worker": "a:1"})["TF_CONFIG"], "not lists"),
        (tf_config({"worker": ["a:1"], "chief": ["b:1", "c:1"]})["TF_CONFIG"], "several chiefs"),
        (tf_config({"worker": ["a:1", "b"]})["TF_CONFIG"], "'b', not HOST:PORT"),
        (tf_config({"worker": ["a:1", 7]})["TF_CONFIG"], "7, not HOST:PORT"),
        (tf_config({"worker": ["a:1", "a:1"]})["TF_CONFIG"], "a worker twice"),
    ],
)
def test_a_tf_config_that_is_none_is_refused_in_one_line(text, said):
    with pytest.raises(ClusterError, match=said) as raised:
        find_cluster({"TF_CONFIG": text})
    assert "\n" not in str(raised.value) and "Correct it, or unset it" in str(raised.value)


def slurm(**variables):
    step = {
        "JOB_ID": "1234",
        "PROCID": "2",
        "STEP_NUM_TASKS": "3",
        "STEP_NODELIST": "n[9-10]",
        "STEP_TASKS_PER_NODE": "2,1",
    }
    return {f"SLURM_{name}": value for name, value in (step | variables).items()}


def test_tasks_of_slurm_are_on_the_hosts_in_slurms_order():
    cluster = find_cluster(slurm())
    hosts, ports = zip(*(address.split(":") for address in cluster.addresses), strict=True)
    # TensorFlow's resolver would sort n10 before n9.
    assert hosts == ("n9", "n9", "n10") and cluster.index == 2
    assert len({ports[0], ports[1]}) == 2 and 1024 < int(ports[0]) < 32768


def test_jobs_of_slurm_on_one_host_take_ports_of_their_own():
    one, other = (find_cluster(slurm(JOB_ID=job)) for job in ("1234", "1235"))
    assert not set(one.addresses) & set(other.addresses)


def test_a_task_of_slurm_alone_is_no_cluster():
    assert find_cluster(slurm(STEP_NUM_TASKS="1")).num_workers == 1
    assert find_cluster({"SLURM_JOB_ID": "7"}).num_workers == 1


def test_tf_config_goes_before_slurm():
    both = slurm() | tf_config({"worker": ["a:1", "b:1"]})
    assert find_cluster(both).addresses == ("a:1", "b:1")


@pytest.mark.parametrize(
    "variables",
    [
        {"STEP_NODELIST": "n[9"},
        {"STEP_NODELIST": ""},
        {"STEP_TASKS_PER_NODE": "3"},
        {"STEP_TASKS_PER_NODE": "2,many"},
        {"STEP_TASKS_PER_NODE": "2,2"},
        {"PROCID": "3"},
        {"PROCID": ""},
    ],
)
def test_a_step_of_slurm_that_contradicts_itself_is_refused(variables):
    with pytest.raises(ClusterError, match="SLURM_PROCID, SLURM_STEP_NODELIST") as raised:
        find_cluster(slurm(**variables))
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("gpu", ["gpu"]),
        ("a,b.example.org", ["a", "b.example.org"]),
        ("gpu[08-10,12],login", ["gpu08", "gpu09", "gpu10", "gpu12", "login"]),
        ("r1n[1-2]-ib", ["r1n1-ib", "r1n2-ib"]),
    ],
)
def test_lists_of_hosts(text, hosts):
    # `scontrol show hostnames` prints the same.
    assert expand_hosts(text) == hosts


def test_a_batch_is_divided_equally():
    cluster = Cluster(("a:1", "b:1", "c:1"))
    check_share(cluster, 12, 3)
    check_share(Cluster(), 5, 2)
    with pytest.raises(ClusterError, match="a multiple of 3. Received: --batch_size=16. .*15 or"):
        check_share(cluster, 16, 3)
    with pytest.raises(ClusterError, match="Set --batch_size=3."):
        check_share(cluster, 2, 3)


def addresses(count):
    with contextlib.ExitStack() as stack:
        servers = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
        for server in servers:
            stack.enter_context(server)
        return tuple(f"127.0.0.1:{server.getsockname()[1]}" for server in servers)


@pytest.mark.slow
def test_workers_that_come_one_after_the_other_meet():
    found = addresses(3)

    def come(index):
        time.sleep(0.4 * index)
        wait_for_all(Cluster(found, index), 30)

    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        for one in [pool.submit(come, index) for index in range(3)]:
            one.result(timeout=60)


@pytest.mark.slow
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
