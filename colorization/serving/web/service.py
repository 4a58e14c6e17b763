"""From a request to a colored photo, and from what went wrong to what the client is told."""

import dataclasses
import errno
import logging
import tempfile

import flask
import werkzeug.exceptions

from colorization.inference.album import CannotGoOn
from colorization.serving.web import problems, uploads, work_queue
from colorization.serving.web.problems import Problem
from pipelines.photos import photo_files

_LOGGER = logging.getLogger(__name__)
_BUSY = "The server is busy. The same request may succeed in {} s."
_RETRY_AFTER_TIMEOUT = 10


class Service:
    """Colors the photos of requests, each in its turn.

    Args:
        colorizer: As for `app.create_app`.
        limits: `app.Limits`.
        work: `work_queue.WorkQueue`.
        metrics: `metrics.Metrics`.
    """

    def __init__(self, colorizer, limits, work, metrics):
        self._colorizer = colorizer
        self._limits = limits
        self._work = work
        self._metrics = metrics

    def color(self, job, known):
        """Receives the photo of the current request and has it colored.

        The photo and whatever is made of it lie in a folder that is gone when this returns, or
        when the work ends that it was given up for.

        Args:
            job: Function of a colorizer, an `uploads.Upload` and `Options`, and of what of
                `uploads.PLACE` is known.
            known: As for `uploads.read_options`.

        Returns:
            The upload, and what the job returned.

        Raises:
            Exception: One that `as_problem` turns into what the client is told.
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
                return job(self._colorizer, upload, _with_mask(options, upload), **place)

        try:
            upload = uploads.receive(
                request,
                folder.name,
                values.get(uploads.NAME, ""),
                limits.max_bytes,
                limits.max_pixels,
            )
            result = self._work.run(work)
        except work_queue.Overdue as error:
            if not error.started:
                folder.cleanup()
            raise
        except BaseException:
            folder.cleanup()
            raise
        self._metrics.count_pixels(upload.num_pixels)
        return upload, result


def _with_mask(options, upload):
    if upload.mask is None:
        return options
    try:
        mask = photo_files.decode_picture(uploads.MASK, upload.mask.read_bytes())
    except photo_files.PictureError as error:
        raise Problem("unusable-picture", uploads.sentence(error)) from error
    return dataclasses.replace(options, mask=mask)


def as_problem(error):
    """Says what the client is told of an exception.

    Args:
        error: Any exception of handling a request.

    Returns:
        `Problem`. What no client can have caused is logged, and its cause not told.
    """
    if isinstance(error, Problem):
        return error
    if isinstance(error, work_queue.Busy):
        return Problem("busy", _BUSY.format(error.retry_after), error.retry_after)
    if isinstance(error, work_queue.Closed):
        return Problem("stopping", "The server is being stopped.", _RETRY_AFTER_TIMEOUT)
    if isinstance(error, work_queue.Overdue):
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
