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
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Busy(Exception):
    """The queue is full; after `retry_after` whole seconds there may be room."""

    def __init__(self, retry_after):
        super().__init__(f"full for about {retry_after} s")
        self.retry_after = retry_after


class Overdue(Exception):
    """The answer did not come in time.

    If the work was `started`, it continues, since a thread cannot be stopped, and its result is
    dropped. Work that was not begun never is.
    """

    def __init__(self, started):
        super().__init__("begun" if started else "not begun")
        self.started = started


class Closed(Exception):
    """The queue takes no more work."""


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

        Raises `Busy` if the queue is full, `Closed` if it is closed, and `Overdue` if it takes
        longer than the queue's timeout, waiting included.
        """
        with self._lock:
            if self._closed:
                raise Closed
            if self._num_taken >= self._num_workers + self._max_waiting:
                raise Busy(self._retry_after())
            self._num_taken += 1
        future = self._pool.submit(self._do, work)
        future.add_done_callback(self._leave)
        try:
            return future.result(self._timeout)
        except concurrent.futures.TimeoutError as error:
            # What `work` itself raised may be of this sort.
            if future.done() and not future.cancelled():
                raise
            raise Overdue(started=not future.cancel()) from error

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
        except Overdue as error:
            if not error.started:
                folder.cleanup()
            raise
        except BaseException:
            folder.cleanup()
            raise
        self._metrics.count_pixels(upload.num_pixels)
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
    if isinstance(error, Busy):
        return Problem("busy", _BUSY.format(error.retry_after), error.retry_after)
    if isinstance(error, Closed):
        return Problem("stopping", "The server is being stopped.", _RETRY_AFTER_TIMEOUT)
    if isinstance(error, Overdue):
        return _overdue(error)
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


def _overdue(error):
    if error.started:
        return Problem(
            "worked-too-long", "Coloring this photo takes longer than this server allows."
        )
    return Problem(
        "waited-too-long",
        f"The server is busy, and the photo's turn did not come in time. The same request may "
        f"succeed in {_RETRY_AFTER_TIMEOUT} s.",
        _RETRY_AFTER_TIMEOUT,
    )


class Metrics:
    """Counters of one application."""

    media_type = prometheus.CONTENT_TYPE_LATEST

    def __init__(self, work_queue):
        self._registry = prometheus.CollectorRegistry()
        self._requests = prometheus.Counter(
            "colorization_requests",
            "Requests answered.",
            ["endpoint", "status"],
            registry=self._registry,
        )
        self._seconds = prometheus.Histogram(
            "colorization_request_seconds",
            "Seconds from a request's receipt to its answer, waiting included.",
            ["endpoint"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._failures = prometheus.Counter(
            "colorization_failures",
            "Requests that were not fulfilled.",
            ["reason"],
            registry=self._registry,
        )
        self._pixels = prometheus.Counter(
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

    def count_request(self, endpoint, status, seconds):
        """Counts an answer."""
        self._requests.labels(endpoint, status).inc()
        self._seconds.labels(endpoint).observe(seconds)

    def count_failure(self, reason):
        """Counts a `problems.Problem` by its reason."""
        self._failures.labels(reason).inc()

    def count_pixels(self, num_pixels):
        """Counts the pixels of a photo that was colored."""
        self._pixels.inc(num_pixels)

    def text(self):
        """All of them, in the text format of Prometheus."""
        return prometheus.generate_latest(self._registry)
