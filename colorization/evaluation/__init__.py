"""How good a coloring is: what is shown to whom, measured how, and told with its protocol."""

# What a report consists of.
REPORT = ("report.html", "report.png")


class EvaluationError(ValueError):
    """An evaluation that can't be made as asked. The message says how to mend it."""
