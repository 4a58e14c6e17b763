"""From a request to a colored photo, in turn, and from what went wrong to what the client is told.

Work waits in a bounded queue: a client that finds it full is told when to try again.
"""

import concurrent.futures
import dataclasses
import errno
import logging
import math
import tempfile
import threading
import time

import flask
import prometheus_client as prometheus
import werkzeug.exceptions

from colorization.inference.album import CannotGoOn
from colorization.serving.web import problems, uploads
from colorization.serving.web.problems import Problem
from pipelines.photos import photo_files

_FIRST_GUESS = 1.0
_LONGEST_RETRY = 60
_LOGGER = logging.getLogger(__name__)
_BUSY = "The server is busy. The same request may succeed in {} s."
_RETRY_AFTER_TIMEOUT = 10
_WAITED = (
    "The server is busy, and the photo's turn did not come in time. The same request may succeed "
    f"in {_RETRY_AFTER_TIMEOUT} s."
)
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class WorkQueue:
    """Does work, `num_workers` pieces at once, while its callers wait.

    It takes on `max_waiting` more; whoever waits is let go after `timeout` seconds.
    """

    def __init__(self, num_workers, max_waiting, timeout):
        self._pool = concurrent.futures.ThreadPoolExecutor(num_workers, "coloring")
        self._num_workers = num_workers
        self._max_waiting = max_waiting
        self._timeout = timeout
        self._lock = threading.Lock()
        self._num_taken = self._num_running = 0
        self._mean_seconds = _FIRST_GUESS
        self._closed = False

    @property
    def closed(self):
        """Whether it takes no more work."""
        return self._closed

    @property
    def num_running(self):
        """How much is being done."""
        return self._num_running

    @property
    def num_waiting(self):
        """How much was taken on and is not begun."""
        return self._num_taken - self._num_running

    def run(self, work):
        """Does work when its turn comes, and returns or raises what it does.

        Raises `Problem` if the queue is full or closed, or the timeout is over, waiting included.
        Work that was begun then continues, since a thread cannot be stopped, and its result is
        dropped; work that was not begun never is.
        """
        with self._lock:
            if self._closed:
                raise stopping()
            if self._num_taken >= self._num_workers + self._max_waiting:
                seconds = self._retry_after()
                raise Problem("busy", _BUSY.format(seconds), seconds)
            self._num_taken += 1
        future = self._pool.submit(self._do, work)
        future.add_done_callback(self._leave)
        try:
            return future.result(self._timeout)
        except concurrent.futures.TimeoutError as error:
            # What `work` itself raised may be of this sort.
            if future.done() and not future.cancelled():
                raise
            if not future.cancel():
                raise Problem(
                    "worked-too-long", "Coloring this photo takes longer than this server allows."
                ) from error
            raise Problem("waited-too-long", _WAITED, _RETRY_AFTER_TIMEOUT) from error

    def close(self, wait=False):
        """Takes no more work; what was taken on is done, and with `wait` waited for."""
        with self._lock:
            self._closed = True
        self._pool.shutdown(wait)

    def _do(self, work):
        with self._lock:
            self._num_running += 1
        start = time.monotonic()
        try:
            return work()
        finally:
            seconds = time.monotonic() - start
            with self._lock:
                self._num_running -= 1
                self._mean_seconds += (seconds - self._mean_seconds) / 10

    def _leave(self, _):
        with self._lock:
            self._num_taken -= 1

    def _retry_after(self):
        seconds = self._mean_seconds * self._num_taken / self._num_workers
        return min(max(math.ceil(seconds), 1), _LONGEST_RETRY)


class Service:
    """Colors the photos of requests, each in its turn."""

    def __init__(self, colorizer, limits, work, metrics):
        self._colorizer = colorizer
        self._limits = limits
        self._work = work
        self._metrics = metrics

    def color(self, job, known):
        """Receives the photo of the current request and has it colored.

        The photo and its results lie in a folder that is deleted when this returns or, after a
        timeout, when the work ends. `job` is a function of a colorizer, an `uploads.Upload`,
        `Options`, and what of `uploads.PLACE` is `known`. Returns the upload, and what the job
        returned; what it raises is for `as_problem`.
        """
        request, limits = flask.request, self._limits
        has_form = request.mimetype == "multipart/form-data"
        values = request.values if has_form else request.args
        options, place = uploads.read_options(values, known)
        is_gone = request.environ.get("waitress.client_disconnected", lambda: False)
        folder = tempfile.TemporaryDirectory(prefix="colorization-")

        def work():
            with folder:
                if is_gone():
                    raise Problem("aborted", "The client went away before its turn came.")
                return job(self._colorizer, upload, _with_pictures(options, upload), **place)

        try:
            upload = uploads.receive(
                request,
                folder.name,
                values.get(uploads.NAME, ""),
                limits.max_bytes,
                limits.max_pixels,
            )
            result = self._work.run(work)
        except BaseException as error:
            # Work that takes too long continues, in its folder.
            if getattr(error, "reason", "") != "worked-too-long":
                folder.cleanup()
            raise
        self._metrics.pixels.inc(upload.num_pixels)
        return upload, result


def _with_pictures(options, upload):
    try:
        found = {
            name: photo_files.decode_picture(name, path.read_bytes())
            for name, path in upload.pictures.items()
        }
    except photo_files.PictureError as error:
        raise Problem("unusable-picture", uploads.sentence(error)) from error
    return dataclasses.replace(options, **found)


def as_problem(error):
    """Makes a `Problem`, what the client is told, of any exception of handling a request.

    What no client can have caused is logged, and its cause not told.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, werkzeug.exceptions.RequestEntityTooLarge):
        return Problem("too-many-bytes", "The photo, or what was sent with it, is too large here.")
    if isinstance(error, werkzeug.exceptions.HTTPException) and error.code:
        return problems.of_status(error.code, error.description or error.name)
    _LOGGER.error("A request failed.", exc_info=error)
    if isinstance(error, CannotGoOn):
        return Problem("no-model-server", "The server that holds the model cannot be reached.")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or isinstance(error, MemoryError):
        return Problem("no-space", "The server has no room left for this photo now.")
    return Problem("internal", "Something went wrong on the server. Its log says more.")


def stopping():
    """The `Problem` of a server that takes no more work."""
    return Problem("stopping", "The server is being stopped.", _RETRY_AFTER_TIMEOUT)


class Metrics:
    """Counters of one application."""

    media_type = prometheus.CONTENT_TYPE_LATEST

    def __init__(self, work_queue):
        self._registry = prometheus.CollectorRegistry()
        self.requests = prometheus.Counter(
            "colorization_requests",
            "Requests answered.",
            ["endpoint", "status"],
            registry=self._registry,
        )
        self.seconds = prometheus.Histogram(
            "colorization_request_seconds",
            "Seconds from a request's receipt to its answer, waiting included.",
            ["endpoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self.failures = prometheus.Counter(
            "colorization_failures",
            "Requests that were not fulfilled.",
            ["reason"],
            registry=self._registry,
        )
        self.pixels = prometheus.Counter(
            "colorization_pixels", "Pixels of the photos colored.", registry=self._registry
        )
        for name, text, value in (
            ("waiting", "Photos that wait for their turn.", lambda: work_queue.num_waiting),
            ("running", "Photos that are being colored.", lambda: work_queue.num_running),
        ):
            gauge = prometheus.Gauge(f"colorization_queue_{name}", text, registry=self._registry)
            gauge.set_function(value)
        # Memory, processor time and open files.
        prometheus.ProcessCollector(registry=self._registry)

    def text(self):
        """All of them, in the text format of Prometheus."""
        return prometheus.generate_latest(self._registry)
