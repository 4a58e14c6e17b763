"""How the web server bears a crowd: 200 uploads at once, slow clients and aborted uploads beside.

`python benchmarks/web_load.py [--uploads=200] [--side=1024] [--model=DIR] [--max_queue=16]`

Starts `colorization.serve` on loopback and sends it JPEGs from many connections at once. Whoever
gets 429 or 503 comes again after Retry-After, until it has its picture. Meanwhile slow clients
trickle bytes, and others abort in the middle. Prints answers by status, latency percentiles of the
single answers and of the whole wait, throughput, and the server's memory at rest and at its peak.
The exit status is 1 if a photo was lost or the server is not well afterwards.
"""

import collections
import concurrent.futures
import contextlib
import http.client
import io
import json
import random
import re
import socket
import subprocess
import sys
import threading
import time

import cv2
import numpy as np
import psutil
import skimage.data
from absl import app, flags

_UPLOADS = flags.DEFINE_integer("uploads", 200, "Photos sent at once.")
_SIDE = flags.DEFINE_integer("side", 1024, "Width and height of the largest, in pixels.")
_MODEL = flags.DEFINE_string("model", None, "Model; default the released one.")
_QUEUE = flags.DEFINE_integer("max_queue", 16, "--max_queue of the server.")
_SLOW = flags.DEFINE_integer("slow", 100, "Clients that trickle bytes meanwhile.")
_ABORTED = flags.DEFINE_integer("aborted", 100, "Uploads that are aborted meanwhile.")


def main(_):
    """Prints the figures."""
    # Of many sizes, since what is kept for each would add up.
    data = [_photo(_SIDE.value - number) for number in range(min(50, _SIDE.value))]
    with _server() as (process, address):
        for _ in range(4):
            _upload(address, data[0], collections.Counter(), [])
        memory = _Memory(process.pid)
        rest, statuses, answers, waits = memory.now(), collections.Counter(), [], []
        start = time.monotonic()
        with _slow_clients(address), memory:
            with concurrent.futures.ThreadPoolExecutor(_UPLOADS.value + _ABORTED.value) as pool:
                jobs = [
                    pool.submit(_upload, address, data[number % len(data)], statuses, answers)
                    for number in range(_UPLOADS.value)
                ]
                for _ in range(_ABORTED.value):
                    pool.submit(_abort, address, data[0])
                failures = 0
                for job in concurrent.futures.as_completed(jobs):
                    if job.exception() is not None:
                        failures += 1
                        print(f"lost: {job.exception()!r}")
                    else:
                        waits.append(job.result())
        seconds = time.monotonic() - start
        well = _get(address, "/healthz")[0] == 200
        refused = [
            line
            for line in _get(address, "/metrics")[1].decode().splitlines()
            if line.startswith("colorization_failures_total")
        ]
    print(f"uploads              {_UPLOADS.value} at once, of {_SIDE.value} px and less a side")
    print(f"lost                 {failures}")
    print(f"answers by status    {dict(sorted(statuses.items()))}")
    print(f"throughput           {len(waits) / seconds:.2f} photos/s, {seconds:.1f} s in all")
    for name, values in (("latency of a 200", answers), ("wait, tries included", waits)):
        print(f"{name:21}" + _percentiles(values))
    print(f"memory               {rest / 2**20:.0f} MiB at rest, {memory.peak / 2**20:.0f} at peak")
    print(f"server afterwards    {'well' if well else 'not well'}; {'; '.join(refused)}")
    return int(bool(failures) or not well)


def _photo(side):
    pixels = cv2.resize(skimage.data.astronaut(), (side, side))
    _, data = cv2.imencode(".jpg", cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY))
    return data.tobytes()


def _percentiles(values):
    cuts = (50, 90, 99, 100)
    found = zip(cuts, np.percentile(values, cuts), strict=True)
    return ", ".join(f"p{cut} {value:.2f} s" for cut, value in found)


@contextlib.contextmanager
def _server():
    command = [sys.executable, "-m", "colorization.serve", "--port=0"]
    command.append(f"--max_queue={_QUEUE.value}")
    if _MODEL.value:
        command.append(f"--model={_MODEL.value}")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            found = re.search(r"http://([\d.]+):(\d+)", process.stdout.readline())
            yield process, (found[1], int(found[2]))
        finally:
            process.terminate()


class _Memory:
    """Follows the resident memory of a process; its largest is `peak`, in bytes."""

    def __init__(self, pid):
        self._process, self._over, self.peak = psutil.Process(pid), threading.Event(), 0
        self._thread = threading.Thread(target=self._follow)

    def now(self):
        return self._process.memory_info().rss

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._over.set()
        self._thread.join()

    def _follow(self):
        while not self._over.wait(0.02):
            self.peak = max(self.peak, self.now())


def _get(address, path):
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read()


def _upload(address, data, statuses, answers):
    """Sends a photo until it comes back; returns the seconds that took."""
    begin = time.monotonic()
    while True:
        start = time.monotonic()
        connection = http.client.HTTPConnection(*address, timeout=300)
        connection.request("POST", "/api/colorize?name=a.jpg", body=data)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        statuses[answer.status] += 1
        if answer.status == 200:
            sent, got = (
                cv2.imdecode(np.frombuffer(file, np.uint8), cv2.IMREAD_COLOR)
                for file in (data, body)
            )
            if got is None or got.shape != sent.shape:
                raise ValueError("the answer is not the photo")
            answers.append(time.monotonic() - start)
            return time.monotonic() - begin
        if answer.status not in (429, 503):
            raise ValueError(f"{answer.status}: {json.load(io.BytesIO(body))}")
        time.sleep(int(answer.headers["Retry-After"]) * random.uniform(1, 1.5))


def _abort(address, data):
    with socket.create_connection(address) as connection:
        head = f"POST /api/colorize HTTP/1.1\r\nHost: x\r\nContent-Length: {len(data)}\r\n\r\n"
        connection.sendall(head.encode() + data[: random.randrange(len(data))])


@contextlib.contextmanager
def _slow_clients(address):
    """Keeps connections open on which a byte comes now and then, until the context ends."""
    over = threading.Event()
    line = b"POST /api/colorize HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n"

    def trickle():
        connections = [socket.create_connection(address) for _ in range(_SLOW.value)]
        position = 0
        while not over.wait(1):
            for connection in connections:
                with contextlib.suppress(OSError):
                    connection.sendall(line[position : position + 1] or b"x")
            position += 1
        for connection in connections:
            connection.close()

    thread = threading.Thread(target=trickle)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    app.run(main)
