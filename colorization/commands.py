"""What all commands share: quiet start, one line for a user's mistake, an exit status."""

import os
import sys


def run_command(main, define_flags):
    """Parses flags and runs a command.

    Args:
        main: Function of the positional arguments; returns an exit status or None.
        define_flags: Function that defines the command's flags.
    """
    # Before TensorFlow starts: its notes on devices and instruction sets are not the user's.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from absl import app, logging

    logging.set_verbosity(logging.WARNING)
    define_flags()

    def guarded(argv):
        try:
            sys.exit(main(argv[1:]))
        except KeyboardInterrupt:
            print("Stopped.", file=sys.stderr)
            sys.exit(130)
        except (ValueError, RuntimeError, OSError) as error:
            # The project's own errors say all that a user needs; others are bugs, and keep their
            # traceback.
            if not type(error).__module__.startswith(("colorization", "pipelines")):
                raise
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            sys.exit(1)

    app.run(guarded)
