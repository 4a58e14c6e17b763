"""The web page and the JSON API: an application, and the server that runs it."""

from pipelines.errors import UserError


class ServeError(UserError):
    """A server that can't be started. The message is one line."""
