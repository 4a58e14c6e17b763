"""How commands run on Apache Beam: the flags, the engine on this machine, and its ends.

Beam's own runner on this machine waits for ever for a worker process that was killed, and leaves
worker processes behind when it is killed itself. `run` ends in both cases: see `beam_worker`.

Beam is an extra, so that nothing here imports it before it is used.
"""

import contextlib
import io
import logging
import os
import re
import shlex
import sys
import threading

from absl import flags

from pipelines.errors import UserError
from pipelines.shards import beam_worker

# Beam's own names for what runs on this machine. It would rather start another runner, a program
# that it downloads.
_LOCAL = ("directrunner", "fnapirunner", "direct")
_OWN_ERROR = re.compile(r"^(?:colorization|pipelines)[\w.]*: (.*?)(?: \[while running .*)?$")


# They are the flags of the command that calls `define_flags`.
flags.disclaim_key_flags()


def define_flags(values):
    """Defines `--runner` and `--beam_options`.

    Args:
        values: `absl.flags.FlagValues` that takes them.
    """
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

    Raises:
        UserError: If it is not installed.
    """
    with _quiet_root():
        try:
            import apache_beam
        except ModuleNotFoundError as error:
            if error.name != "apache_beam":
                raise
            raise UserError(
                "Apache Beam, which this command runs on, is not installed. Install it by: "
                "pip install '.[scale]'"
            ) from None
    return apache_beam


def prepare(runner="DirectRunner", beam_options=""):
    """Checks the flags, and sets up Beam's file systems by them: `FileSystems` may be used then.

    Args:
        runner: As `--runner`.
        beam_options: As `--beam_options`.

    Returns:
        `apache_beam.options.pipeline_options.PipelineOptions`.

    Raises:
        UserError: If Beam is missing, or the runner or an option is none.
    """
    import_beam()
    from apache_beam.io.filesystems import FileSystems

    options = _options(runner, beam_options)
    if runner.lower() not in _LOCAL:
        _engine(runner)
    FileSystems.set_options(options)
    return options


def check_path(path):
    """Checks that Beam knows a path's file system; `prepare` comes first.

    Args:
        path: Path, URL or pattern.

    Raises:
        UserError: If it does not, or lacks a package for it.
    """
    from apache_beam.io.filesystems import FileSystems

    try:
        FileSystems.get_filesystem(path)
    except ValueError as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def run(build, runner="DirectRunner", beam_options=""):
    """Builds a pipeline, runs it to its end, and tells what its counters counted.

    Args:
        build: Function of an `apache_beam.Pipeline` that adds the steps.
        runner: As `--runner`.
        beam_options: As `--beam_options`.

    Returns:
        Dict of the pipeline's counters, by name; those of one name are added up.

    Raises:
        UserError: If Beam is missing, the runner or an option is none, a step raised an error of
            this project, a worker process ended, or the runner says that the pipeline failed.
        RuntimeError: If a step raised another error: a mistake in this program.
    """
    options = prepare(runner, beam_options)
    beam = import_beam()
    is_local = runner.lower() in _LOCAL
    engine = _local_engine(options) if is_local else _engine(runner)
    pipeline = beam.Pipeline(runner=engine, options=options)
    build(pipeline)
    try:
        if is_local:
            with beam_worker.lifeline():
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
        raise UserError(f"The pipeline ended as {result.state}. What the runner logged says why.")
    return _counters(result)


def _options(runner, beam_options):
    from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions

    is_local = runner.lower() in _LOCAL
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
    if is_local and (unknown.said or any(not word.startswith("--") for word in words)):
        raise UserError(
            f"--beam_options={beam_options}: expected options that Apache Beam knows, such as "
            "'--direct_num_workers=2'. Received others."
        )
    direct = options.view_as(DirectOptions)
    if is_local and not any("direct_running_mode" in word for word in words):
        direct.direct_running_mode = "multi_processing"
    if is_local and not any("direct_num_workers" in word for word in words):
        direct.direct_num_workers = _num_processors()
    return options


class _Unknown(logging.Handler):
    said = False

    def emit(self, record):
        self.said = True


def _num_processors():
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


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
        command = f"exec {shlex.quote(sys.executable)} -m {beam_worker.__name__}"
        environment = environments.SubprocessSDKEnvironment.from_command_string(command)
        # It warns of several workers in that mode.
        logging.getLogger(fn_runner.__name__).setLevel(logging.ERROR)
    return fn_runner.FnApiRunner(
        environment, provision_info=fn_runner.ExtendedProvisionInfo(provision)
    )


def _engine(runner):
    from apache_beam.runners.runner import create_runner

    try:
        return create_runner(runner)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"--runner={runner}: {' '.join(str(error).split())}") from error


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
        # Not without end: a signal that comes right before such a wait is not heard.
        while not ended.wait(0.5):
            pass
    except KeyboardInterrupt:
        # What the threads say of being left alone is no news.
        logging.disable()
        raise
    if not outcome and not errors:
        # The threads go on failing for a while, and `notice` on keeping them quiet.
        raise UserError(
            "A worker process was killed, perhaps for want of memory. Start the command again; "
            "--beam_options=--direct_num_workers=1 takes less."
        )
    threading.excepthook = kept
    if errors:
        raise errors[0]
    return outcome[0]


@contextlib.contextmanager
def _quiet_root():
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)


def _counters(result):
    counts = {}
    for found in result.metrics().query()["counters"]:
        # Committed counts leave out what was done twice; not every runner has them.
        value = found.committed if found.committed is not None else found.attempted
        counts[found.key.metric.name] = counts.get(found.key.metric.name, 0) + value
    return counts
