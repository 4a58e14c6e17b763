"""From a request to a colored photo, in turn, and from what went wrong to what the client is told.

Work waits in a bounded queue: a client that finds it full is told when to try again. `preview`,
`colorize` and `suggest` are what is done with an upload, in a thread of the queue.
"""

import base64
import concurrent.futures
import dataclasses
import logging
import math
import pathlib
import tempfile
import threading
import time

import cv2
import flask
import numpy as np
import prometheus_client as prometheus
import werkzeug.exceptions

from colorization import pages
from colorization.inference.album import CannotGoOn, is_disk_full
from colorization.serving.web import uploads
from colorization.serving.web.uploads import Problem
from pipelines.color import gray
from pipelines.errors import UserError
from pipelines.photos import photo_files

PREVIEW_SIDE = 1600
_JPEG_QUALITY, _WEBP_QUALITY = 88, 90
_LOGGER = logging.getLogger(__name__)
_RETRY_AFTER_TIMEOUT = 10
_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


def preview(colorizer, upload, options):
    """Colors a small copy of an `Upload`'s first page in several ways: a dict, as the API says."""
    photo = photo_files.read_photo(upload.path)
    page = photo[0]
    before = _small(page.rgb)
    colored = colorizer.variants(page.rgb, options.num_variants, options, onto=before)
    height, width = page.rgb.shape[:2]
    alpha = None if page.alpha is None else _small(page.alpha)
    return {
        "name": upload.name,
        "kind": upload.kind.name,
        "width": width,
        "height": height,
        "num_pages": len(photo),
        "has_colors": gray.has_colors(page.rgb),
        "seed": options.seed,
        "saturation": options.saturation,
        "before": _data_url(before, alpha),
        "variants": [_data_url(rgb, alpha) for rgb in colored],
    }


def colorize(colorizer, upload, options):
    """Colors a photo, all pages, at its own size and depth, with its metadata.

    The colored file is returned opened, since the `Upload`'s folder is deleted.
    """
    destination = upload.path.with_name(f"colored{pathlib.Path(upload.name).suffix.lower()}")
    if options.variant in (None, 1):
        # The likeliest needs no draw of the others.
        options = dataclasses.replace(options, num_variants=1, variant=1)
    if not colorizer.colorize_file(upload.path, destination, options):
        raise Problem(
            "no-such-variant",
            "The model sees fewer colorings of this photo than were asked for. "
            f"Received: variant={options.variant}. Take a lower one, or another seed.",
        )
    return open(destination, "rb")


def suggest(colorizer, upload, options, x, y):
    """Tells which colors are likely at a place of a photo's first page: a dict, as the API says."""
    found = colorizer.suggest(upload.path, x, y, options)
    return {"suggestions": [dataclasses.asdict(suggestion) for suggestion in found]}


def _small(pixels):
    """A picture in eight bits with no side longer than `PREVIEW_SIDE`."""
    if pixels.dtype == np.uint16:
        pixels = (pixels >> 8).astype(np.uint8)
    return pages.fit(pixels, PREVIEW_SIDE, PREVIEW_SIDE)


def _data_url(rgb, alpha):
    if alpha is None:
        kind, data = "jpeg", pages.jpeg(rgb, _JPEG_QUALITY)
    else:
        pixels = cv2.cvtColor(np.dstack([rgb, alpha]), cv2.COLOR_RGBA2BGRA)
        kind = "webp"
        data = cv2.imencode(".webp", pixels, [cv2.IMWRITE_WEBP_QUALITY, _WEBP_QUALITY])[1]
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


class WorkQueue:
    """Does work, `num_workers` pieces at once, while its callers wait.

    It takes on `max_waiting` more; whoever waits is let go after `timeout` seconds. `num_running`
    pieces are being done, `num_waiting` were taken on and are not begun; once `closed` it takes
    none.
    """

    def __init__(self, num_workers, max_waiting, timeout):
        self._pool = concurrent.futures.ThreadPoolExecutor(num_workers, "coloring")
        self._num_workers, self._max_waiting, self._timeout = num_workers, max_waiting, timeout
        self._lock = threading.Lock()
        self._num_taken = self.num_running = 0
        # A first guess.
        self._mean_seconds = 1.0
        self.closed = False

    @property
    def num_waiting(self):
        """How much was taken on and is not begun."""
        return self._num_taken - self.num_running

    def run(self, work):
        """Does work when its turn comes, and returns or raises what it does.

        Raises `Problem` if the queue is full or closed, or the timeout is over, waiting included.
        Work that was begun then continues, since a thread cannot be stopped, and its result is
        dropped; work that was not begun never is.
        """
        with self._lock:
            if self.closed:
                raise stopping()
            if self._num_taken >= self._num_workers + self._max_waiting:
                seconds = self._mean_seconds * self._num_taken / self._num_workers
                seconds = min(max(math.ceil(seconds), 1), 60)
                line = f"The server is busy. The same request may succeed in {seconds} s."
                raise Problem("busy", line, seconds)
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
            raise Problem(
                "waited-too-long",
                "The server is busy, and the photo's turn did not come in time. The same request "
                f"may succeed in {_RETRY_AFTER_TIMEOUT} s.",
                _RETRY_AFTER_TIMEOUT,
            ) from error

    def close(self, wait=False):
        """Takes no more work; what was taken on is done, and with `wait` waited for."""
        with self._lock:
            self.closed = True
        self._pool.shutdown(wait)

    def _do(self, work):
        with self._lock:
            self.num_running += 1
        start = time.monotonic()
        try:
            return work()
        finally:
            seconds = time.monotonic() - start
            with self._lock:
                self.num_running -= 1
                self._mean_seconds += (seconds - self._mean_seconds) / 10

    def _leave(self, _):
        with self._lock:
            self._num_taken -= 1


def color(job, known, colorizer, limits, work):
    """Receives the photo of the current request and has it colored in its turn.

    The photo and its results lie in a folder that is deleted when this returns or, after a timeout,
    when the work ends. `job` is a function of a colorizer, an `uploads.Upload`, `Options`, and what
    of `uploads.PLACE` is among the `known` parameters. Returns the upload, and what the job
    returned; what it raises is for `as_problem`.
    """
    request = flask.request
    has_form = request.mimetype == "multipart/form-data"
    values = request.values if has_form else request.args
    options, place = uploads.read_options(values, known)
    is_gone = request.environ.get("waitress.client_disconnected", lambda: False)
    folder = tempfile.TemporaryDirectory(prefix="colorization-")

    def do():
        with folder:
            if is_gone():
                raise Problem("aborted", "The client went away before its turn came.")
            try:
                pictures = {
                    name: photo_files.decode_picture(name, path.read_bytes())
                    for name, path in upload.pictures.items()
                }
                return job(colorizer, upload, dataclasses.replace(options, **pictures), **place)
            except UserError as error:
                raise _problem(error, upload) from error

    try:
        name = values.get(uploads.NAME, "")
        upload = uploads.receive(request, folder.name, name, limits.max_bytes, limits.max_pixels)
        return upload, work.run(do)
    except BaseException as error:
        # Work that takes too long continues, in its folder.
        if getattr(error, "reason", "") != "worked-too-long":
            folder.cleanup()
        raise


def _problem(error, upload):
    # The client must not learn, nor care, where its photo lay.
    line = str(error)
    for path in sorted(upload.path.parent.glob("*"), reverse=True):
        line = line.replace(f"{path}: ", "")
    is_picture = isinstance(error, photo_files.PictureError)
    return Problem("unusable-picture" if is_picture else "unusable-hints", uploads.sentence(line))


def as_problem(error):
    """Makes a `Problem`, what the client is told, of any exception of handling a request.

    What no client can have caused is logged, and its cause not told.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, werkzeug.exceptions.RequestEntityTooLarge):
        return Problem("too-many-bytes", "The photo, or what was sent with it, is too large here.")
    if isinstance(error, werkzeug.exceptions.HTTPException) and error.code:
        # The first reason of that status.
        reasons = (key for key, (code, _) in uploads.REASONS.items() if code == error.code)
        fallback = "bad-request" if error.code < 500 else "internal"
        return Problem(next(reasons, fallback), error.description or error.name)
    _LOGGER.error("A request failed.", exc_info=error)
    if isinstance(error, CannotGoOn):
        return Problem("no-model-server", "The server that holds the model cannot be reached.")
    if is_disk_full(error) or isinstance(error, MemoryError):
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

        def make(kind, name, text, labels=(), **options):
            return kind(f"colorization_{name}", text, labels, registry=self._registry, **options)

        self.requests = make(
            prometheus.Counter, "requests", "Requests answered.", ["endpoint", "status"]
        )
        self.seconds = make(
            prometheus.Histogram,
            "request_seconds",
            "Seconds from a request's receipt to its answer, waiting included.",
            ["endpoint"],
            buckets=_BUCKETS,
        )
        self.failures = make(
            prometheus.Counter, "failures", "Requests that were not fulfilled.", ["reason"]
        )
        self.pixels = make(prometheus.Counter, "pixels", "Pixels of the photos colored.")
        waiting = make(prometheus.Gauge, "queue_waiting", "Photos that wait for their turn.")
        waiting.set_function(lambda: work_queue.num_waiting)
        running = make(prometheus.Gauge, "queue_running", "Photos that are being colored.")
        running.set_function(lambda: work_queue.num_running)
        # Memory, processor time and open files.
        prometheus.ProcessCollector(registry=self._registry)

    def text(self):
        """All of them, in the text format of Prometheus."""
        return prometheus.generate_latest(self._registry)
