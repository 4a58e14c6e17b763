"""How fast pictures come out of shards and out of a tf.data service, beside a folder of files.

`python benchmarks/records.py --data=folder:PHOTOS [--number=5000]`

Copies the pictures into a temporary folder and shards them by the command. Then measures by turns,
in pictures per second, files against records: reading alone, from a disk whose cache was emptied of
them and from memory; the survey, which decodes each whole; the training chain. At last the training
chain in this process against a tf.data service of two more processes. Prints medians of the rates
and of this process' processor time, which other work on the machine changes less, and the medians
of both ratios within a turn.
"""

import contextlib
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import types

from absl import app, flags

_DATA = flags.DEFINE_string("data", None, "Pictures, as --data of the training.", required=True)
_NUMBER = flags.DEFINE_integer("number", 5000, "Pictures to take.")
_ROUNDS = flags.DEFINE_integer("rounds", 5, "Times that all are measured by turns.")
_SIZE = flags.DEFINE_integer("size", 128, "Height and width of the crops.")

_BATCH = 32


def main(_):
    """Prints disk space, rates and ratios."""
    with tempfile.TemporaryDirectory() as folder:
        places = {"files": f"{folder}/files", "records": f"{folder}/records"}
        number = _copy(places["files"])
        start = time.perf_counter()
        command = [sys.executable, "-m", "pipelines.shard", f"--data=folder:{places['files']}"]
        command += [f"--output={places['records']}", "--shard_megabytes=10"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.perf_counter() - start
        print(f"{number} pictures; sharded in {seconds:.1f} s, {number / seconds:.0f} pictures/s")
        for name, place in places.items():
            _print_space(name, place)
        _compare_sources(places, number)
        _compare_service(places["records"], number)


def _copy(folder):
    from pipelines.sources import opener

    os.makedirs(folder)
    names = opener.open_source(_DATA.value).names[: _NUMBER.value]
    for name in names:
        shutil.copy(name, folder)
    return len(names)


def _print_space(name, place):
    sizes = [os.stat(entry.path) for entry in os.scandir(place)]
    print(
        f"{name:8} {len(sizes):6} files, {sum(s.st_size for s in sizes) / 1e6:8.1f} MB, "
        f"{sum(s.st_blocks for s in sizes) * 512 / 1e6:8.1f} MB of disk"
    )


def _compare_sources(places, number):
    from pipelines.batches import survey
    from pipelines.sources import opener

    kinds = {"files": f"folder:{places['files']}", "records": f"records:{places['records']}"}
    work = {}
    for name, specification in kinds.items():
        source = opener.open_source(specification)
        found = survey.survey(source)
        chain = iter(_chain(source, found))
        work |= {
            ("reading, cold", name): lambda source=source: _read(source),
            ("reading, warm", name): lambda source=source: _read(source),
            ("survey", name): lambda source=source: survey.survey(source),
            ("training chain", name): lambda chain=chain: _step(chain, number),
        }
    turns = {key: [] for key in work}
    for turn in range(_ROUNDS.value + 1):
        for (what, name), run in work.items():
            if what == "reading, cold":
                _forget(places[name])
            elif what == "training chain":
                _drain(run.__defaults__[0])
            took = _timed(run)
            if turn:
                turns[what, name].append(took)
    for what in dict.fromkeys(what for what, _ in work):
        _print_rates(what, number, {name: turns[what, name] for name in kinds})


def _timed(run):
    """Pair of the seconds that went by and of those that this process computed."""
    start, used = time.perf_counter(), time.process_time()
    run()
    return time.perf_counter() - start, time.process_time() - used


def _print_rates(what, number, turns):
    cells = []
    for name, pairs in turns.items():
        seconds, computed = (statistics.median(column) for column in zip(*pairs, strict=True))
        cells.append(f"{name} {number / seconds:6.0f}/s, {1e6 * computed / number:5.0f} us")
    pairs = list(zip(*turns.values(), strict=True))
    ratios = [statistics.median(a[i] / b[i] for a, b in pairs) for i in range(2)]
    print(f"{what:14} {'; '.join(cells)}; ratios {ratios[0]:.2f}, {ratios[1]:.2f}", flush=True)


def _chain(source, found, service=None):
    from pipelines.batches import input_chain
    from pipelines.color import codecs

    options = types.SimpleNamespace(
        image_size=_SIZE.value, crop_area=0.5, flip=True, lightness_jitter=0.0, cache="none",
        aging=0.0, shuffle_buffer=50_000, batch_size=_BATCH, seed=0,
    )  # fmt: skip
    codec = codecs.CODECS["lab"]
    return input_chain.training_batches(source, found, codec, options, service=service)


def _read(source):
    from pipelines.batches import survey

    pictures = source.elements.map(source.read, survey.PARALLEL).batch(_BATCH)
    return sum(1 for _ in pictures)


def _step(chain, number):
    for _ in range(number // _BATCH):
        next(chain)


def _drain(chain):
    # It is endless, and went on while others ran: what it has in store is no work.
    for _ in range(8):
        next(chain)


def _forget(folder):
    os.sync()
    for entry in os.scandir(folder):
        with open(entry.path, "rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _compare_service(place, number):
    from pipelines.batches import distributed, survey
    from pipelines.sources import opener

    source = opener.open_source(f"records:{place}")
    found = survey.survey(source)
    with _service() as address:
        chains = {
            "alone": iter(_chain(source, found)),
            "served": iter(_chain(source, found, distributed.connect(address))),
        }
        turns = {name: [] for name in chains}
        for turn in range(_ROUNDS.value + 1):
            for name, chain in chains.items():
                _drain(chain)
                took = _timed(lambda chain=chain: _step(chain, number))
                if turn:
                    turns[name].append(took)
    _print_rates("data service", number, turns)


@contextlib.contextmanager
def _service():
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(3)]
        for each in sockets:
            each.bind(("localhost", 0))
        ports = [each.getsockname()[1] for each in sockets]
    dispatcher, *workers = (f"localhost:{port}" for port in ports)
    parts = [["--role=dispatcher", f"--port={ports[0]}", f"--workers={','.join(workers)}"]]
    parts += [["--role=worker", f"--dispatcher={dispatcher}", f"--address={w}"] for w in workers]
    command = [sys.executable, "-m", "pipelines.data_service"]
    processes = [
        subprocess.Popen(command + part, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        for part in parts
    ]
    try:
        for process in processes:
            process.stdout.readline()
        yield dispatcher
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    app.run(main)
