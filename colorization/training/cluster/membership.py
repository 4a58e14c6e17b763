"""The workers of a run: which machines train together, and which of them this process is.

Standard library only; the environment is checked before anything starts.
Worker 0 is the chief, which alone writes into the run directory.

TensorFlow waits for absent workers forever, names none of them, and ignores Ctrl-C and SIGTERM
meanwhile. So every worker first listens at its own port and connects to the others' until each has
answered once, by this or already by TensorFlow.
"""

import dataclasses
import json
import re
import socket
import time

from pipelines.errors import UserError

# Jobs of TF_CONFIG that train, in the order in which their tasks are numbered.
_JOBS = ("chief", "worker")
# SLURM's jobs may share hosts: each takes ports of its own, below those that systems lend out.
_FIRST_PORT, _NUM_PORTS, _PORTS_PER_JOB = 15_000, 16_000, 16
_SECONDS = 600
# Between two calls at a worker that does not answer, and for its answer.
_EVERY, _PATIENCE = 0.5, 2.0


class ClusterError(UserError):
    """Workers that can't train together, or no longer. The message says how to fix it."""


class LostWorkerError(ClusterError):
    """Another worker of the run is gone. The same command resumes from the last checkpoint."""


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The `"HOST:PORT"` of each worker, the chief's first, and which of them this process is."""

    addresses: tuple = ("",)
    index: int = 0

    @property
    def num_workers(self):
        return len(self.addresses)

    @property
    def is_chief(self):
        """Whether this worker writes checkpoints, logs and sheets."""
        return self.index == 0

    @property
    def shard(self):
        return self.index, self.num_workers

    def name(self, index):
        """Names a worker for people, such as `"worker 1 (10.0.0.2:2222)"`."""
        chief = ", the chief" if index == 0 else ""
        return f"worker {index}{chief} ({self.addresses[index]})"


def find_cluster(environment):
    """Reads the `Cluster` from `TF_CONFIG`, or from the variables of a SLURM job step.

    It has one worker if neither names more; one that can't be understood is a `ClusterError`.
    """
    if environment.get("TF_CONFIG", "").strip():
        return _from_tf_config(environment["TF_CONFIG"])
    tasks = environment.get("SLURM_STEP_NUM_TASKS", "1")
    if tasks.isdigit() and int(tasks) > 1:
        return _from_slurm(environment)
    return Cluster()


def check_share(cluster, batch_size, num_replicas):
    """Raises `ClusterError` unless all devices of all workers get equal shares of a batch."""
    if cluster.num_workers > 1 and batch_size % num_replicas:
        lower = batch_size // num_replicas * num_replicas
        nearest = " or ".join(str(n) for n in (lower, lower + num_replicas) if n)
        raise ClusterError(
            "--batch_size counts the pictures of a step over all workers, whose devices take equal "
            f"shares: a multiple of {num_replicas}. Received: --batch_size={batch_size}. "
            f"Set --batch_size={nearest}."
        )


def _from_tf_config(text):
    try:
        config = json.loads(text)
    except ValueError as error:
        raise _wrong(f"which is not JSON ({error})", text) from error
    jobs = config.get("cluster") if isinstance(config, dict) else None
    if not isinstance(jobs, dict) or not jobs:
        raise _wrong("which has no cluster", text)
    if not set(jobs) <= set(_JOBS):
        raise _wrong(f"whose cluster has {', '.join(sorted(set(jobs) - set(_JOBS)))}", text)
    if not all(isinstance(jobs[job], list) for job in jobs) or len(jobs.get("chief", [])) > 1:
        raise _wrong("whose jobs are not lists, or name several chiefs", text)
    task = config.get("task")
    if not isinstance(task, dict) or not {"type", "index"} <= set(task):
        raise _wrong("which has no task with type and index", text)
    job, index = task["type"], task["index"]
    if job not in jobs:
        raise _wrong(f"whose task is of type {job!r}, which its cluster lacks", text)
    # Some launchers write the index as text.
    if not re.fullmatch(r"\d+", str(index)) or int(index) >= len(jobs[job]):
        raise _wrong(f"whose task index is {index!r}, of {len(jobs[job])} in {job}", text)
    addresses = [address for name in _JOBS for address in jobs.get(name, [])]
    for address in addresses:
        if not re.fullmatch(r"\S+:\d{1,5}", str(address)):
            raise _wrong(f"which holds {address!r}, not HOST:PORT", text)
    if len(set(addresses)) < len(addresses):
        raise _wrong("which names a worker twice", text)
    before = len(jobs.get("chief", [])) if job == "worker" else 0
    return Cluster(tuple(addresses), before + int(index))


def _wrong(what, text):
    shown = text if len(text) <= 200 else text[:200] + "..."
    return ClusterError(
        'TF_CONFIG is {"cluster": {"worker": ["HOST:PORT", ...]}, "task": {"type": "worker", '
        f'"index": NUMBER}}}}, optionally with a job "chief". Received: {shown} {what}. Correct '
        "it, or unset it to train on this machine alone."
    )


def _from_slurm(environment):
    # TensorFlow's own `SlurmClusterResolver` needs nvidia-smi, and sorts hosts by their names'
    # text, so that n10 comes before n9 and tasks believe that they are on each other's hosts.
    names = ("PROCID", "STEP_NODELIST", "STEP_TASKS_PER_NODE")
    values = {name: environment.get(f"SLURM_{name}", "") for name in names}
    try:
        hosts = expand_hosts(values["STEP_NODELIST"])
        counts = _expand_counts(values["STEP_TASKS_PER_NODE"])
        job = int(re.match(r"\d*", environment.get("SLURM_JOB_ID", "")).group() or 0)
        port = _FIRST_PORT + job * _PORTS_PER_JOB % _NUM_PORTS
        addresses = [
            f"{host}:{port + task}"
            for host, count in zip(hosts, counts, strict=True)
            for task in range(count)
        ]
        cluster = Cluster(tuple(addresses), int(values["PROCID"]))
        if cluster.num_workers != int(environment["SLURM_STEP_NUM_TASKS"]):
            raise ValueError("the numbers of tasks differ")
        if not 0 <= cluster.index < cluster.num_workers:
            raise ValueError("no such task")
    except ValueError as error:
        received = " ".join(f"SLURM_{name}={value}" for name, value in values.items())
        raise ClusterError(
            "A SLURM step of several tasks says by SLURM_PROCID, SLURM_STEP_NODELIST and "
            f"SLURM_STEP_TASKS_PER_NODE where they run. Received: {received} ({error}). Start "
            "training by srun, or set TF_CONFIG."
        ) from error
    return cluster


def expand_hosts(text):
    """Expands SLURM's list of hosts, such as `"gpu[08-10,12],login"`, in the order of the tasks.

    Raises `ValueError` if it is no such list.
    """
    hosts = []
    for part in re.split(r",(?![^\[]*\])", text):
        found = re.fullmatch(r"([\w.-]+)(?:\[([\d,-]+)\])?([\w.-]*)", part)
        if not found:
            raise ValueError(f"{part!r} is no host")
        prefix, ranges, suffix = found.groups()
        if not ranges:
            hosts.append(part)
            continue
        for numbers in ranges.split(","):
            first, _, last = numbers.partition("-")
            for number in range(int(first), int(last or first) + 1):
                hosts.append(f"{prefix}{number:0{len(first)}d}{suffix}")
    return hosts


def _expand_counts(text):
    """Expands SLURM's `"2(x3),1"` to `[2, 2, 2, 1]`."""
    counts = []
    for part in text.split(","):
        found = re.fullmatch(r"(\d+)(?:\(x(\d+)\))?", part)
        if not found:
            raise ValueError(f"{part!r} is no number of tasks")
        counts += [int(found[1])] * int(found[2] or 1)
    return counts


def wait_for_all(cluster, seconds=_SECONDS):
    """Waits until all workers of a cluster listen at their addresses.

    Raises `ClusterError` if this worker can't listen at its own, or others do not come in time.
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


def _listen(cluster):
    _, port = _split(cluster.addresses[cluster.index])
    options = {"backlog": 4 * cluster.num_workers}
    if socket.has_dualstack_ipv6():
        options |= {"family": socket.AF_INET6, "dualstack_ipv6": True}
    try:
        return socket.create_server(("", port), **options)
    except OSError as error:
        raise ClusterError(
            f"Every worker listens at the port of its address. {cluster.name(cluster.index)} "
            f"can't: {error.strerror}. Choose another, on all workers alike."
        ) from error


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
