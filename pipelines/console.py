"""What all commands of both packages share: quiet start, one line for a mistake, a status."""

import contextlib
import os
import sys


def run_command(main, define_flags):
    """Parses flags and runs a command.

    Args:
        main: Function of the positional arguments; returns an exit status or None.
        define_flags: Function that defines the command's flags.
    """
    from absl import app, flags, logging

    define_flags()

    def guarded(argv):
        # Here, since absl sets it to INFO after parsing, and marks it as the user's wish.
        if not flags.FLAGS["verbosity"].present:
            logging.set_verbosity(logging.WARNING)
        try:
            sys.exit(main(argv[1:]))
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            sys.exit(130)
        except (ValueError, RuntimeError, OSError) as error:
            # The project's own errors say all that a user needs, and the system's name the file;
            # others are bugs, and keep their traceback.
            is_own = type(error).__module__.startswith(("colorization", "pipelines"))
            if not is_own and not isinstance(error, OSError):
                raise
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            sys.exit(1)

    app.run(guarded)


def import_quietly():
    """Imports TensorFlow without its notes about the machine, which no setting of its own stops."""
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.stderr.flush()
    with open(os.devnull, "wb") as nowhere, contextlib.ExitStack() as stack:
        kept = os.dup(2)
        stack.callback(os.close, kept)
        stack.callback(os.dup2, kept, 2)
        os.dup2(nowhere.fileno(), 2)
        import tensorflow  # noqa: F401
