"""How good a coloring is: figures of models and baselines, with the protocol behind them."""

from pipelines.errors import UserError

# What a report consists of.
REPORT = ("report.html", "report.png")


class EvaluationError(UserError):
    """An evaluation that can't be made. The message says how to fix it."""
