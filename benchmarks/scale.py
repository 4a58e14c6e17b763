"""How training and coloring grow: a cost model, and a simulation that checks it, for docs/scale.md.

`python benchmarks/scale.py [--half_step=S] [--whole_step=S] [--reduce=S] [--measured=SHARE]`

The simulation follows every worker, batch and message of synchronous data-parallel training: a
pipeline fills a short queue, a worker takes a batch, computes for a time that varies, and sends its
gradients around a ring, in which each waits for its left neighbor at every hop. The model is a line
of arithmetic for the same. The flags hold what `costs.py` and `workers.py` measured on two workers
of one core each: the simulation must tell their efficiency before it is believed about 512.
"""

import dataclasses
import itertools
import math
import statistics

import numpy as np
from absl import app, flags

_HALF = flags.DEFINE_float("half_step", 0.809, "Seconds of a step of half the batch, one core.")
_WHOLE = flags.DEFINE_float("whole_step", 1.610, "Seconds of a step of the whole batch, one core.")
_SPREAD = flags.DEFINE_float("spread", 0.035, "Standard deviation of a step's time, as a share.")
_REDUCE = flags.DEFINE_float("reduce", 0.061, "Seconds of a sum over two workers.")
_MEASURED = flags.DEFINE_float("measured", None, "Share of twice the rate that two workers reach.")
_STEPS = flags.DEFINE_integer("steps", 300, "Steps that are simulated.")

# Of one core, by costs.py: pictures per second.
_RATES = {
    "read a file of 10 kB from memory": 51_000,
    "decode it (160 pixels)": 2_390,
    "training chain, from such files": 877,
    "training step of chroma": 19.9,
    "color a photo of 160 pixels": 14.1,
    "color a photo of a megapixel": 4.5,
}


@dataclasses.dataclass(frozen=True)
class Network:
    """What a step of a recipe needs.

    Attributes:
        parameters: Whose gradients are summed.
        operations: Of a step, for each picture.
        batch: Pictures for each accelerator.
        chain: Pictures per second that one core reads, cuts and encodes.
    """

    parameters: float
    operations: float
    batch: int
    chain: float


# Forward passes by costs.py: 1.97e9 for a crop of chroma, 12.0e9 and 6.3e9 for pix2pix's generator
# and discriminator. With gradients a pass is three; of the discriminator there are eight in all.
_NETWORKS = {
    "chroma, 128 px": Network(6.92e6, 3 * 1.97e9, 256, 877),
    "pix2pix, 256 px": Network(57.2e6, 3 * 12.0e9 + 8 * 6.3e9, 64, 140),
}
# Assumed of an accelerator: a tenth of the 989e12 operations a second of NVIDIA's H100 datasheet.
_SPEED = 99e12
# Assumed of links: bytes per second, and seconds of a hop.
_LINKS = {"400 Gb/s": (50e9, 5e-6), "25 Gb/s": (3.1e9, 30e-6)}
_SIZES = (8, 64, 512)
# Assumed of a host with eight accelerators: 112 cores.
_CORES = 14


@dataclasses.dataclass(frozen=True)
class Cluster:
    """Workers in a ring.

    Attributes:
        workers: How many.
        compute: Seconds of a step on one worker.
        num_bytes: Bytes of the gradients.
        bandwidth: Bytes per second of a link.
        latency: Seconds of a hop.
        spread: Standard deviation of the logarithm of a step's time.
        hiccup: Share of steps of a worker that take `hiccup_factor` as long.
        hiccup_factor: See `hiccup`.
        feed: Seconds in which a worker's pipeline makes a batch.
        queue: Batches that wait at most.
        checkpoint: Seconds that the first worker writes.
        every: Steps between checkpoints.
    """

    workers: int
    compute: float
    num_bytes: float
    bandwidth: float
    latency: float
    spread: float = 0.03
    hiccup: float = 0.001
    hiccup_factor: float = 3.0
    feed: float = 0.0
    queue: int = 2
    checkpoint: float = 0.0
    every: int = 1000


def modeled(cluster):
    """The model: dict of the parts of a step's seconds, which add up to it."""
    n = cluster.workers
    # The expected largest of n normal draws (Blom, 1958).
    largest = statistics.NormalDist().inv_cdf((n - 0.375) / (n + 0.25)) if n > 1 else 0.0
    usual = cluster.compute * math.exp(cluster.spread * largest)
    any_hiccup = 1 - (1 - cluster.hiccup) ** n
    slowest = usual + any_hiccup * max(cluster.compute * cluster.hiccup_factor - usual, 0)
    return {
        "compute": cluster.compute,
        "slowest": slowest - cluster.compute,
        "input": max(cluster.feed - slowest - _reduced(cluster), 0),
        "latency": 2 * (n - 1) * cluster.latency,
        "bytes": 2 * (n - 1) / n * cluster.num_bytes / cluster.bandwidth,
        "checkpoint": cluster.checkpoint / cluster.every,
    }


def simulated(cluster, steps, seed=0):
    """The simulation: mean seconds of a step, without the first ten."""
    random, n = np.random.default_rng(seed), cluster.workers
    hop = cluster.latency + cluster.num_bytes / n / cluster.bandwidth
    done, made = np.zeros(n), np.zeros(n)
    started, marks = [], []
    for step in range(steps):
        # A pipeline begins a batch when there is room for it.
        room = started[step - cluster.queue] if step >= cluster.queue else 0.0
        made = np.maximum(made, room) + cluster.feed
        start = np.maximum(done, made)
        started.append(start)
        slow = np.where(random.random(n) < cluster.hiccup, cluster.hiccup_factor, 1.0)
        slow = np.maximum(slow, np.exp(random.normal(0, cluster.spread, n)))
        done = start + cluster.compute * slow
        for _ in range(2 * (n - 1)):
            # A chunk leaves when it is there and the last one has left.
            done = np.maximum(done, np.roll(done, 1)) + hop
        if step % cluster.every == cluster.every - 1:
            done[0] += cluster.checkpoint
        marks.append(done.max())
    return (marks[-1] - marks[9]) / (len(marks) - 10)


def _reduced(cluster):
    n = cluster.workers
    return 2 * (n - 1) * (cluster.latency + cluster.num_bytes / n / cluster.bandwidth)


def main(_):
    """Prints the tables of docs/scale.md."""
    _tell_two_workers()
    _tell_pictures()
    _tell_training()
    _tell_stragglers()


def _table(*rows):
    print("\n| " + " | ".join(rows[0]) + " |\n|" + "---|" * len(rows[0]))
    for row in rows[1:]:
        print("| " + " | ".join(map(str, row)) + " |")


def _tell_two_workers():
    num_bytes = 4 * _NETWORKS["chroma, 128 px"].parameters
    # A ring of two sends each byte once.
    cluster = Cluster(
        2, _HALF.value, num_bytes, num_bytes / _REDUCE.value, 0, spread=_SPREAD.value, hiccup=0
    )
    rows = [["two workers of one core, chroma", "seconds a step", "of twice one worker"]]
    for name, seconds in (
        ("model", sum(modeled(cluster).values())),
        ("simulation", simulated(cluster, 2000)),
    ):
        rows.append([name, f"{seconds:.3f}", f"{_WHOLE.value / seconds / 2:.3f}"])
    if _MEASURED.value is not None:
        measured = _WHOLE.value / _MEASURED.value / 2
        rows.append(["measured", f"{measured:.3f}", f"{_MEASURED.value:.3f}"])
    _table(*rows)


def _tell_pictures():
    rows = [["one core", "pictures/s", "10^6", "10^9", "10^9 on 512 cores"]]
    for name, rate in _RATES.items():
        hours = [count / rate / 3600 for count in (1e6, 1e9)]
        rows.append([name, f"{rate:,}", *map(_hours, (*hours, hours[1] / 512))])
    _table(*rows)


def _hours(hours):
    if hours < 1 / 60:
        return f"{hours * 3600:.0f} s"
    return f"{hours * 60:.0f} min" if hours < 2 else f"{hours:,.0f} h"


def _cluster(network, link, workers, **changes):
    bandwidth, latency = _LINKS[link]
    compute = network.batch * network.operations / _SPEED
    return Cluster(workers, compute, 4 * network.parameters, bandwidth, latency, **changes)


def _tell_training():
    header = ["recipe", "link", "accelerators", "step by model, ms", "simulated", "all-reduce"]
    rows = [[*header, "pictures/s", "of linear", "cores for input", "10^9 pictures", "first"]]
    for (name, network), link, n in itertools.product(_NETWORKS.items(), _LINKS, _SIZES):
        cluster = _cluster(network, link, n)
        parts, seconds = modeled(cluster), simulated(cluster, _STEPS.value)
        rate = n * network.batch / seconds
        row = [name, link, n, _ms(sum(parts.values())), _ms(seconds), _ms(_reduced(cluster))]
        row += [f"{rate:,.0f}", f"{cluster.compute / seconds:.2f}", f"{rate / network.chain:,.0f}"]
        del parts["compute"]
        rows.append([*row, _hours(1e9 / rate / 3600), max(parts, key=parts.get)])
    for name, network in _NETWORKS.items():
        compute, feed = _cluster(network, "400 Gb/s", 1).compute, network.batch / network.chain
        print(f"\n{name}: a step of {network.batch} computes {_ms(compute)} ms; {_CORES} cores ")
        print(f"make such a batch in {_ms(feed / _CORES)} ms")
    _table(*rows)


def _ms(seconds):
    return f"{1e3 * seconds:.1f}"


def _tell_stragglers():
    network = _NETWORKS["chroma, 128 px"]
    cases = {
        "none varies": {},
        "spread of 3 %": {"spread": 0.03},
        "spread of 10 %": {"spread": 0.1},
        "1 step in 1,000 takes 3 times as long": {"hiccup": 0.001},
        "1 step in 100 does": {"hiccup": 0.01},
        "input from 14 cores an accelerator": {"feed": network.batch / network.chain / _CORES},
        "a checkpoint of 5 s every 1,000 steps": {"checkpoint": 5.0},
    }
    rows = [["chroma, 400 Gb/s: step by model / simulated, ms", *map(str, _SIZES)]]
    for name, changes in cases.items():
        # The checkpoints begin behind the steps that do not count.
        steps = 1010 if "checkpoint" in changes else _STEPS.value
        row = [name]
        for n in _SIZES:
            cluster = _cluster(network, "400 Gb/s", n, **{"hiccup": 0, "spread": 0} | changes)
            row.append(f"{_ms(sum(modeled(cluster).values()))} / {_ms(simulated(cluster, steps))}")
        rows.append(row)
    _table(*rows)


if __name__ == "__main__":
    app.run(main)
