"""From a request to a colored photo, in turn, and from what went wrong to what the client is told.

Work waits in a bounded queue: a client that finds it full is told when to try again. `preview`,
`colorize` and `suggest` are what is done with an upload, in a thread of the queue.
"""

import base64
import concurrent.futures
import dataclasses
import errno
import logging
import math
import tempfile
import threading
import time

import cv2
import flask
import numpy as np
import prometheus_client as prometheus
import werkzeug.exceptions

from colorization.inference.album import CannotGoOn
from colorization.serving.web import uploads
from colorization.serving.web.uploads import Problem
from pipelines.color import gray
from pipelines.errors import UserError
from pipelines.photos import photo_files

PREVIEW_SIDE = 1600
_JPEG_QUALITY, _WEBP_QUALITY = 88, 90
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


def preview(colorizer, upload, options):
    """Colors a small copy of an `Upload`'s first page in several ways: a dict, as the API says.

    Raises `Problem` if the photo is damaged, or hints don't suit it.
    """
    try:
        pages = photo_files.read_photo(upload.path)
        page = pages[0]
        before = _small(page.rgb)
        colored = colorizer.variants(page.rgb, options.num_variants, options, onto=before)
    except UserError as error:
        raise _problem(error, upload) from error
    height, width = page.rgb.shape[:2]
    alpha = None if page.alpha is None else _small(page.alpha)
    return {
        "name": upload.name,
        "kind": upload.kind.name,
        "width": width,
        "height": height,
        "num_pages": len(pages),
        "has_colors": gray.has_colors(page.rgb),
        "seed": options.seed,
        "saturation": options.saturation,
        "before": _data_url(before, alpha),
        "variants": [_data_url(rgb, alpha) for rgb in colored],
    }


def colorize(colorizer, upload, options):
    """Colors a photo, all pages, at its own size and depth, with its metadata.

    It goes to the `Upload`'s folder; the colored file is returned opened: it may be unlinked.
    Raises `Problem` if the photo is damaged, hints don't suit it, or the model sees no such
    variant.
    """
    destination = upload.path.with_name(f"colored{upload.suffix}")
    if options.variant in (None, 1):
        # The likeliest needs no draw of the others.
        options = dataclasses.replace(options, num_variants=1, variant=1)
    try:
        written = colorizer.colorize_file(upload.path, destination, options)
    except UserError as error:
        raise _problem(error, upload) from error
    if not written:
        raise Problem(
            "no-such-variant",
            "The model sees fewer colorings of this photo than were asked for. "
            f"Received: variant={options.variant}. Take a lower one, or another seed.",
        )
    return open(destination, "rb")


def suggest(colorizer, upload, options, x, y):
    """Tells which colors are likely at a place of a photo's first page: a dict, as the API says.

    `x` and `y` are column and row in the photo's own pixels. Raises `Problem` if the photo is
    damaged, there is no such place, or the model suggests no colors.
    """
    try:
        found = colorizer.suggest(upload.path, x, y, options)
    except UserError as error:
        raise _problem(error, upload) from error
    return {"suggestions": [dataclasses.asdict(suggestion) for suggestion in found]}


def _problem(error, upload):
    # The client must not learn, nor care, where its photo lay.
    line = str(error)
    for path in sorted(upload.path.parent.glob("*"), reverse=True):
        line = line.replace(f"{path}: ", "")
    is_picture = isinstance(error, photo_files.PictureError)
    return Problem("unusable-picture" if is_picture else "unusable-hints", uploads.sentence(line))


def _small(pixels):
    """A picture in eight bits with no side longer than `PREVIEW_SIDE`."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    height, width = pixels.shape[:2]
    scale = min(1.0, PREVIEW_SIDE / max(height, width))
    size = max(1, math.floor(width * scale)), max(1, math.floor(height * scale))
    return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)


def _data_url(rgb, alpha):
    if alpha is None:
        kind, pixels = "jpeg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY]
    else:
        kind, pixels = "webp", cv2.cvtColor(np.dstack([rgb, alpha]), cv2.COLOR_RGBA2BGRA)
        options = [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY]
    _, data = cv2.imencode(f".{kind}", pixels, options)
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


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
        return _of_status(error.code, error.description or error.name)
    _LOGGER.error("A request failed.", exc_info=error)
    if isinstance(error, CannotGoOn):
        return Problem("no-model-server", "The server that holds the model cannot be reached.")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or isinstance(error, MemoryError):
        return Problem("no-space", "The server has no room left for this photo now.")
    return Problem("internal", "Something went wrong on the server. Its log says more.")


def _of_status(status, detail):
    """Makes a `Problem` of a status of 400 and above that the web framework chose.

    Its reason is the first of that status; a bad request for others below 500, else an internal
    error.
    """
    fallback = "bad-request" if status < 500 else "internal"
    reasons = (key for key, (code, _) in uploads.REASONS.items() if code == status)
    return Problem(next(reasons, fallback), detail)


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
