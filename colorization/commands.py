"""What all commands share; commands of `pipelines` do too, so that it lives there."""

from pipelines.commands import import_quietly, run_command

__all__ = ["import_quietly", "run_command"]
