"""How pipelines run on Apache Beam: the engine on this machine, and its ends.

Beam's own runner on this machine waits for ever for a worker process that was killed, and leaves
worker processes behind when it is killed itself. `run` ends in both cases: see `beam_worker`.

Beam is an extra, so that nothing here imports it before it is used.
"""

import logging
import re
import shlex
import sys
import threading

from pipelines.errors import UserError
from pipelines.shards import beam_setup, beam_worker

_OWN_ERROR = re.compile(r"^(?:colorization|pipelines)[\w.]*: (.*?)(?: \[while running .*)?$")


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
    options = beam_setup.prepare(runner, beam_options)
    beam = beam_setup.import_beam()
    local = beam_setup.is_local(runner)
    engine = _local_engine(options) if local else beam_setup.engine(runner)
    pipeline = beam.Pipeline(runner=engine, options=options)
    build(pipeline)
    try:
        if local:
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
        # The threads would report lost connections.
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


def _counters(result):
    counts = {}
    for found in result.metrics().query()["counters"]:
        # Committed counts leave out what was done twice; not every runner has them.
        value = found.committed if found.committed is not None else found.attempted
        counts[found.key.metric.name] = counts.get(found.key.metric.name, 0) + value
    return counts
