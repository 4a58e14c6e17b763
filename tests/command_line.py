"""Commands, run as by `python -m` but in this process: importing TensorFlow takes seconds."""

import contextlib
import io
import logging
import pathlib
import runpy
import sys
import warnings
from unittest import mock

from absl import app, flags

ROOT = pathlib.Path(__file__).parents[1]


def call(module, *arguments, cwd=ROOT):
    """Runs a command.

    Args:
        module: What `python -m` would take.
        *arguments: Words of the command line.
        cwd: Folder to run in.

    Returns:
        The exit status, what was printed, and what was printed to standard error.
    """
    output, errors = io.StringIO(), io.StringIO()
    with (
        _own_flags(),
        contextlib.chdir(cwd),
        mock.patch.object(sys, "argv", [module, *map(str, arguments)]),
        contextlib.redirect_stdout(output),
        contextlib.redirect_stderr(errors),
        warnings.catch_warnings(),
    ):
        # Other tests have imported it under its own name.
        warnings.filterwarnings("ignore", ".* found in sys.modules after import of package")
        try:
            runpy.run_module(module, run_name="__main__", alter_sys=True)
            status = 0
        except SystemExit as end:
            status = end.code or 0
    return status, output.getvalue(), errors.getvalue()


@contextlib.contextmanager
def _own_flags():
    """Takes away, at the end, the flags and the log handlers that a command adds to its process."""
    app.define_help_flags()
    flags_before, handlers = set(flags.FLAGS), list(logging.root.handlers)
    try:
        yield
    finally:
        for name in set(flags.FLAGS) - flags_before:
            delattr(flags.FLAGS, name)
        flags.FLAGS.unparse_flags()
        for name in flags_before:
            flags.FLAGS[name].unparse()
        logging.root.handlers[:] = handlers
