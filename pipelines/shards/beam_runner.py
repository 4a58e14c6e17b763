"""Apache Beam: the flags of commands that run on it, its setup, its worker processes, and its ends.

Beam's own runner on this machine waits forever for a worker process that was killed, and leaves
worker processes behind when it is killed itself. `run` ends in both cases. A worker process is
`python -m pipelines.shards.beam_runner`, with the arguments of Beam's own worker; it ends when the
process that it works for ends.

Beam is an extra, so that nothing here imports it before it is used.
"""

import contextlib
import io
import logging
import os
import re
import shlex
import signal
import sys
import tempfile
import threading
import time

from absl import flags

from pipelines import console
from pipelines.errors import UserError

# Beam's own names for what runs on this machine. It would rather start another runner, a program
# that it downloads.
_LOCAL = ("directrunner", "fnapirunner", "direct")
_OWN_ERROR = re.compile(r"^(?:colorization|pipelines)[\w.]*: (.*?)(?: \[while running .*)?$")
_LIFELINE = "PIPELINES_BEAM_LIFELINE"
# Seconds between looks.
_POLL_SECONDS = 0.1

# They are the flags of the command that calls `define_flags`.
flags.disclaim_key_flags()


def _is_local(runner):
    """Whether a runner, by the name that the flag has, runs on this machine."""
    return runner.lower() in _LOCAL


def define_flags(values):
    """Defines `--runner` and `--beam_options`."""
    flags.DEFINE_string(
        "runner",
        "DirectRunner",
        "Engine that runs the pipeline, by Apache Beam's name: DirectRunner is this machine, with "
        "a process for each processor; FlinkRunner, SparkRunner and DataflowRunner are others.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "beam_options",
        "",
        "Further options of Apache Beam and of the runner, as one string, such as "
        "'--flink_master=HOST:8081 --parallelism=64', or '--direct_num_workers=1'.",
        flag_values=values,
    )


def import_beam():
    """Imports Apache Beam, without its notes about clouds that are not set up.

    Raises `UserError` if it is not installed.
    """
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        import apache_beam
    except ModuleNotFoundError as error:
        if error.name != "apache_beam":
            raise
        raise UserError(
            "Apache Beam, which this command runs on, is not installed. Install it: "
            "pip install 'colorization[scale]'."
        ) from None
    finally:
        root.setLevel(level)
    return apache_beam


def prepare(runner="DirectRunner", beam_options=""):
    """Checks the flags, and sets up Beam's file systems by them: `FileSystems` may be used then.

    Returns `PipelineOptions`. Raises `UserError` if Beam is missing, or the runner or an option is
    invalid.
    """
    import_beam()
    from apache_beam.io.filesystems import FileSystems

    options = _options(runner, beam_options)
    if not _is_local(runner):
        _remote_engine(runner)
    FileSystems.set_options(options)
    return options


def check_path(path):
    """Raises `UserError` if Beam, once prepared, lacks a path's file system or a package for it."""
    from apache_beam.io.filesystems import FileSystems

    try:
        FileSystems.get_filesystem(path)
    except ValueError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def _options(runner, beam_options):
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

    local = _is_local(runner)
    try:
        words = shlex.split(beam_options)
    except ValueError as error:
        raise UserError(f"--beam_options={beam_options}: {error}.") from error
    said, unknown = io.StringIO(), _Unknown()
    logger = logging.getLogger("apache_beam.options.pipeline_options")
    logger.addHandler(unknown)
    try:
        with contextlib.redirect_stderr(said):
            options = PipelineOptions(words)
            options.get_all_options()
    except SystemExit:
        reason = said.getvalue().strip().rpartition("error: ")[2]
        raise UserError(f"--beam_options={beam_options}: {reason}.") from None
    finally:
        logger.removeHandler(unknown)
    # Of other runners' options some are known to their servers alone.
    if local and (unknown.said or any(not word.startswith("--") for word in words)):
        raise UserError(
            f"--beam_options={beam_options}: expected options that Apache Beam knows, such as "
            "'--direct_num_workers=2'. Received others."
        )
    direct = options.view_as(DirectOptions)
    if local and not any("direct_running_mode" in word for word in words):
        direct.direct_running_mode = "multi_processing"
    if local and not any("direct_num_workers" in word for word in words):
        direct.direct_num_workers = console.num_processors()
    return options


class _Unknown(logging.Handler):
    said = False

    def emit(self, record):
        self.said = True


def _remote_engine(runner):
    """Makes Beam's runner of a name, of those that run elsewhere."""
    from apache_beam.runners.runner import create_runner

    try:
        return create_runner(runner)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"--runner={runner}: {' '.join(str(error).split())}") from error


def run(build, runner="DirectRunner", beam_options=""):
    """Builds a pipeline, runs it to its end, and returns a dict of its counters, added up by name.

    `build` adds the steps to an `apache_beam.Pipeline`; the others are as the flags. Raises
    `UserError` if Beam is missing, the runner or an option is invalid, a step raised an error of
    this project, a worker process ended, or the runner says that the pipeline failed. Another error
    of a step, a mistake in this program, is a `RuntimeError`.
    """
    options = prepare(runner, beam_options)
    beam = import_beam()
    local = _is_local(runner)
    engine = _local_engine(options) if local else _remote_engine(runner)
    pipeline = beam.Pipeline(runner=engine, options=options)
    build(pipeline)
    try:
        if local:
            with lifeline():
                result = _watched(pipeline.run)
        else:
            result = pipeline.run()
            result.wait_until_finish()
    except RuntimeError as error:
        own = _OWN_ERROR.match((str(error).strip().splitlines() or [""])[-1])
        if own is None:
            raise
        raise UserError(own[1]) from error
    if result.state != "DONE":
        raise UserError(f"The pipeline ended as {result.state}. See the log of the runner.")
    counts = {}
    for found in result.metrics().query()["counters"]:
        # Committed counts leave out what was done twice; not every runner has them.
        value = found.committed if found.committed is not None else found.attempted
        counts[found.key.metric.name] = counts.get(found.key.metric.name, 0) + value
    return counts


def _local_engine(options):
    from apache_beam.options.pipeline_options import DirectOptions
    from apache_beam.portability.api import beam_provision_api_pb2
    from apache_beam.runners.portability.fn_api_runner import fn_runner
    from apache_beam.runners.portability.portable_runner import JobServiceHandle
    from apache_beam.transforms import environments

    # Worker processes ask for the options here.
    encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
    provision = beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded)
    direct, environment = options.view_as(DirectOptions), None
    if direct.direct_running_mode == "multi_processing":
        # In this mode the runner would take a command of its own.
        direct.direct_running_mode = "in_memory"
        command = f"exec {shlex.quote(sys.executable)} -m {__name__}"
        environment = environments.SubprocessSDKEnvironment.from_command_string(command)
        # It warns of several workers in that mode.
        logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)
    return fn_runner.FnApiRunner(
        environment, provision_info=fn_runner.ExtendedProvisionInfo(provision)
    )


def _watched(work):
    """Does work in a thread, and gives up when a worker process ends before it does."""
    ended, outcome, errors = threading.Event(), [], []

    def attempt():
        try:
            outcome.append(work())
        except BaseException as error:
            errors.append(error)
        ended.set()

    def notice(arguments):
        # Beam's thread that waits for the process; those that it talks by fail as well.
        if arguments.thread is not None and arguments.thread.name == "run_worker":
            ended.set()
        elif not arguments.exc_type.__module__.startswith("grpc"):
            kept(arguments)

    kept, threading.excepthook = threading.excepthook, notice
    threading.Thread(target=attempt, name="pipeline", daemon=True).start()
    try:
        # With a timeout: a signal that comes right before such a wait is lost.
        while not ended.wait(0.5):
            pass
    except KeyboardInterrupt:
        # The threads would report lost connections.
        logging.disable()
        raise
    if not outcome and not errors:
        # The threads go on failing for a while, and `notice` on keeping them quiet.
        raise UserError(
            "A worker process was killed, perhaps for lack of memory. Start the command again; "
            "--beam_options=--direct_num_workers=1 takes less."
        )
    threading.excepthook = kept
    if errors:
        raise errors[0]
    return outcome[0]


@contextlib.contextmanager
def lifeline():
    """Lets worker processes that are started in this context live no longer than it lasts."""
    with tempfile.TemporaryDirectory(prefix="beam-") as folder:
        os.environ[_LIFELINE] = folder
        try:
            yield
        except BaseException:
            os.rmdir(folder)
            # Otherwise they would report lost connections.
            time.sleep(3 * _POLL_SECONDS)
            raise
        finally:
            del os.environ[_LIFELINE]


def main():
    """Does what Beam's own worker does."""
    parent = os.getppid()
    threading.Thread(target=_watch, args=(parent, os.environ[_LIFELINE]), daemon=True).start()
    # On Ctrl-C the terminal signals the whole group; the parent ends this process.
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
        time.sleep(_POLL_SECONDS)
    os._exit(0)


if __name__ == "__main__":
    main()
