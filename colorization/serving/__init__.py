"""Serving: trained models as files that run without this code."""

from pipelines.errors import UserError


class ExportError(UserError):
    """A model that can't be exported. The message says how to fix it."""
