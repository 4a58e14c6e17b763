"""How good a coloring is: what is shown to whom, measured how, and told with its protocol."""

from pipelines.errors import UserError

# What a report consists of.
REPORT = ("report.html", "report.png")


class EvaluationError(UserError):
    """An evaluation that can't be made as asked. The message says how to mend it."""
