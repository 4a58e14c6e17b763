"""What goes wrong, as problem documents that programs and people can read.

Source: RFC 9457 (Problem Details for HTTP APIs); RFC 6585 and RFC 9110 (Retry-After).
"""

import http
import json

# Reason, which programs may act upon and which failures are counted by: status.
REASONS = {
    "bad-request": 400,
    "aborted": 400,
    "cross-site": 403,
    "not-found": 404,
    "method-not-allowed": 405,
    "too-many-bytes": 413,
    "no-picture": 415,
    "encoded-body": 415,
    "too-many-pixels": 422,
    "too-many-pages": 422,
    "unusable-picture": 422,
    "no-such-variant": 422,
    "busy": 429,
    "header-too-large": 431,
    "internal": 500,
    "not-implemented": 501,
    "no-model-server": 502,
    "waited-too-long": 503,
    "stopping": 503,
    "worked-too-long": 504,
    "no-space": 507,
}
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
        self.status = REASONS[reason]
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
    """Makes a `Problem` of a status that the web framework or the server chose.

    Args:
        status: HTTP status of 400 and above.
        detail: One line for people.

    Returns:
        `Problem` of the first reason with that status; a bad request for other statuses below 500,
        an internal error for the others.
    """
    fallback = "bad-request" if status < 500 else "internal"
    return Problem(next((key for key, code in REASONS.items() if code == status), fallback), detail)
