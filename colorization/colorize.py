"""Colors black-and-white photos, one or whole folders of them.

Usage:
  python -m colorization.colorize PHOTO_OR_FOLDER... --output=FILE_OR_FOLDER [flags]

Examples:
  python -m colorization.colorize grandmother.jpg --output=grandmother_color.jpg
  python -m colorization.colorize album/ street.png --output=colored/

Photos keep their size, their lightness and their names; what is no JPEG or PNG becomes .png. A
folder is colored with all folders in it. Damaged files are named and passed over, and the exit
status is 1 if there were any.
"""

import sys
import time

from absl import flags

from colorization import commands
from colorization.inference import plan


def main(argv=None):
    """Runs the command.

    Args:
        argv: Command line, program name first; default that of the process.

    Returns:
        Exit status: 0 if every photo was colored, 1 if not, 130 if interrupted.
    """
    try:
        return _run(sys.argv if argv is None else argv)
    except KeyboardInterrupt:
        print("\nInterrupted. The photos written so far are whole.", file=sys.stderr)
        return 130


def define_flags(values):
    """Defines the command's flags.

    Args:
        values: `absl.flags.FlagValues` that takes them.
    """
    flags.DEFINE_string(
        "output",
        None,
        "File or folder to write; a folder is made if it is missing.",
        flag_values=values,
    )
    flags.DEFINE_string(
        "model",
        None,
        "Folder of an exported model; default the released one.",
        flag_values=values,
    )
    flags.DEFINE_bool(
        "overwrite", False, "Replace files that are there already.", flag_values=values
    )
    flags.DEFINE_bool("help", False, "Show this text.", short_name="h", flag_values=values)


def _run(argv):
    values = flags.FlagValues()
    define_flags(values)
    try:
        _, *inputs = values(argv)
    except flags.Error as error:
        return _fail(f"{error} (see --help)")
    if values.help:
        print(f"{__doc__}\nFlags:")
        for name in ("output", "model", "overwrite", "help"):
            print(f"  --{name}: {values[name].help}")
        return 0
    if not inputs:
        return _fail("Expected a photo or a folder. Received: none. See --help.")
    if not values.output:
        return _fail("Expected --output=FILE_OR_FOLDER. Received: none. See --help.")
    try:
        jobs = plan.plan(inputs, values.output, values.overwrite)
    except plan.PlanError as error:
        return _fail(error)
    todo = [job for job in jobs if not job.problem]
    for job in jobs:
        if job.problem:
            _fail(f"{job.source}: {job.problem}")
    num_colored = 0
    if todo:
        commands.import_quietly()
        from colorization.inference import colorizer

        try:
            model = colorizer.Colorizer(values.model)
        except colorizer.ModelError as error:
            return _fail(error)
        num_colored = _color(todo, model, values)
    if len(jobs) > 1:
        print(f"Colored {num_colored} of {len(jobs)} photos, in {values.output}.")
    elif num_colored:
        print(f"Colored {jobs[0].source}: {jobs[0].destination}")
    return 0 if num_colored == len(jobs) else 1


def _color(jobs, colorizer, values):
    from pipelines import decode

    show = sys.stderr.isatty() and len(jobs) > 1
    num_colored, start = 0, time.monotonic()
    for done, job in enumerate(jobs, start=1):
        problem = ""
        try:
            colored = colorizer.colorize(job.source)
            job.destination.parent.mkdir(parents=True, exist_ok=True)
            decode.write_picture(job.destination, colored, values.overwrite)
            num_colored += 1
        except decode.PictureError as error:
            problem = str(error)
        except OSError as error:
            problem = f"{job.destination.parent}: cannot be made: {error.strerror or error}."
        except MemoryError:
            problem = f"{job.source}: does not fit into memory. Make it smaller."
        if problem:
            # The line of progress gives way first.
            _fail(f"\r\x1b[K{problem}" if show else problem)
        if show:
            rate = done / (time.monotonic() - start)
            print(f"\r\x1b[K{done} of {len(jobs)} photos, {rate:.1f}/s", end="", file=sys.stderr)
    if show:
        print(file=sys.stderr)
    return num_colored


def _fail(message):
    print(message, file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
