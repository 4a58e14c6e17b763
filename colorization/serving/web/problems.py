"""What goes wrong, as problem documents that programs and people can read.

Source: RFC 9457 (Problem Details for HTTP APIs); RFC 6585 and RFC 9110 (Retry-After).
"""

import http
import json

# Reason, which programs may act upon and by which failures are counted: status and meaning.
REASONS = {
    "bad-request": (
        400,
        "A parameter is unknown or out of range, or there is not one photo in the request.",
    ),
    "aborted": (400, "The client went away before its turn came."),
    "cross-site": (403, "A page of another site sent it."),
    "not-found": (404, "There is no such path."),
    "method-not-allowed": (405, "The path takes other methods."),
    "too-many-bytes": (413, "The file is larger than `max_bytes`."),
    "no-picture": (415, "The file is no picture of a known kind."),
    "encoded-body": (415, "The body is compressed."),
    "too-many-pixels": (422, "The photo has more than `max_pixels` pixels."),
    "too-many-pages": (422, "The photo has more than 100 pages."),
    "unusable-picture": (422, "The photo is damaged."),
    "unusable-hints": (
        422,
        "The hints are no such JSON or don't suit the photo, the reference has no colors, or the "
        "model takes or suggests none.",
    ),
    "no-such-variant": (422, "The model sees fewer colorings of the photo."),
    "busy": (429, "The queue is full."),
    "internal": (500, "An error of the server, which its log explains."),
    "no-model-server": (502, "The server that holds the model cannot be reached."),
    "waited-too-long": (503, "The photo's turn did not come in time."),
    "stopping": (503, "The server is being stopped."),
    "worked-too-long": (504, "Coloring this photo takes longer than this server allows."),
    "no-space": (507, "The server has no room for the photo now."),
}
# Statuses that no photo sent to the right path gets, and those that say when to come again.
OF_OTHER_REQUESTS, RETRIED = {404, 405}, {429, 503}
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """A request that is not fulfilled.

    Args:
        reason: One of `REASONS`.
        detail: One line for people: what was expected, what was received, what to do.
        retry_after: Seconds after which the same request may succeed, or None.
    """

    def __init__(self, reason, detail, retry_after=None):
        super().__init__(detail)
        self.reason = reason
        self.status, _ = REASONS[reason]
        self.retry_after = retry_after

    def document(self):
        """The problem document, as UTF-8 bytes of JSON."""
        members = {
            "title": http.HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": str(self),
            "reason": self.reason,
        }
        return json.dumps(members, ensure_ascii=False).encode()


def of_status(status, detail):
    """Makes a `Problem` of a status of 400 and above that the web framework chose.

    Its reason is the first of that status; a bad request for others below 500, else an internal
    error.
    """
    fallback = "bad-request" if status < 500 else "internal"
    return Problem(
        next((key for key, (code, _) in REASONS.items() if code == status), fallback), detail
    )
