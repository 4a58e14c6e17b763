"""The flags of commands that run on Apache Beam, checked, and Beam itself, imported and set up.

Beam is an extra, so that nothing here imports it before it is used.
"""

import contextlib
import io
import logging
import shlex

from absl import flags

from pipelines import console
from pipelines.errors import UserError

# Beam's own names for what runs on this machine. It would rather start another runner, a program
# that it downloads.
_LOCAL = ("directrunner", "fnapirunner", "direct")

# They are the flags of the command that calls `define_flags`.
flags.disclaim_key_flags()


def is_local(runner):
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
    with _quiet_root():
        try:
            import apache_beam
        except ModuleNotFoundError as error:
            if error.name != "apache_beam":
                raise
            raise UserError(
                "Apache Beam, which this command runs on, is not installed. Install it: "
                "pip install 'colorization[scale]'."
            ) from None
    return apache_beam


def prepare(runner="DirectRunner", beam_options=""):
    """Checks the flags, and sets up Beam's file systems by them: `FileSystems` may be used then.

    Returns `PipelineOptions`. Raises `UserError` if Beam is missing, or the runner or an option is
    invalid.
    """
    import_beam()
    from apache_beam.io.filesystems import FileSystems

    options = _options(runner, beam_options)
    if not is_local(runner):
        engine(runner)
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

    local = is_local(runner)
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


def engine(runner):
    """Makes Beam's runner of a name, of those that run elsewhere."""
    from apache_beam.runners.runner import create_runner

    try:
        return create_runner(runner)
    except (ValueError, ImportError, AttributeError) as error:
        raise UserError(f"--runner={runner}: {' '.join(str(error).split())}") from error


@contextlib.contextmanager
def _quiet_root():
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        yield
    finally:
        root.setLevel(level)
