"""Serving: trained models as files that run without this code."""

from pipelines.errors import UserError


class ExportError(UserError):
    """A model that can't be exported where or as asked. The message says how to mend it."""
