"""A worker process of Apache Beam on this machine, which ends when the one that it works for ends.

`python -m pipelines.shards.beam_worker`, started by `beam_runner.run` with what Beam's own
worker is told.
"""

import contextlib
import logging
import os
import signal
import tempfile
import threading
import time

_LIFELINE = "PIPELINES_BEAM_LIFELINE"
# Seconds between looks.
_PATIENCE = 0.1


@contextlib.contextmanager
def lifeline():
    """Lets worker processes that are started in this context live no longer than it lasts."""
    with tempfile.TemporaryDirectory(prefix="beam-") as folder:
        os.environ[_LIFELINE] = folder
        try:
            yield
        except BaseException:
            os.rmdir(folder)
            # They would tell of lost connections otherwise.
            time.sleep(3 * _PATIENCE)
            raise
        finally:
            del os.environ[_LIFELINE]


def main():
    """Does what Beam's own worker does."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent, os.environ[_LIFELINE]), daemon=True).start()
    # On Ctrl-C the terminal tells all of the group; who started this one ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Else all that is logged here is logged once more there.
    os.environ.pop("LOGGING_API_SERVICE_DESCRIPTOR", None)
    handler = logging.StreamHandler()
    # Beam logs each of its steps, and an error once here and once where the pipeline ends.
    handler.addFilter(lambda record: record.name.startswith(("colorization", "pipelines")))
    logging.basicConfig(format="%(message)s", handlers=[handler])
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main([])


def _watch(parent, folder):
    # A process whose parent was killed gets another; the folder goes when the run is given up.
    while os.getppid() == parent and os.path.isdir(folder):
        time.sleep(_PATIENCE)
    os._exit(0)


if __name__ == "__main__":
    main()
