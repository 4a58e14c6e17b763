"""Colors black-and-white photos and films, one or whole folders of them.

Usage:
  colorize PHOTO_FILM_OR_FOLDER... --output=FILE_OR_FOLDER [flags]

Examples:
  colorize grandmother.jpg    (writes grandmother_color.jpg)
  colorize grandmother.jpg --output=colored.png
  colorize album/ street.png --output=colored/ --report
  colorize album/ --output=colored/ --skip_existing    (resumes a run)
  colorize album/ --output=colored/ --include='193?/*' --exclude='*_back.*'
  colorize portrait.tif --output=portraits/ --num_variants=5 --seed=1
  colorize album/ --output=colored/ --server=grpc://host:8500
  colorize street.png --output=street_color.png --hints=street.json
  colorize harvest.mp4    (writes harvest_color.mp4)
  colorize harvest.mp4 --output=preview.jpg --preview

Photos keep their size, lightness, name and format; formats that cannot be written become .png.
Folders are searched recursively. Damaged files are reported and skipped, and the exit status is
then 1. Ctrl-C ends a run after the photos in progress; writes are atomic. Several variants of a
photo come with a sheet that shows them all: NAME_sheet.jpg, and for other formats
NAME_sheet_tif.jpg and so on.

Films keep their sound, subtitles, chapters and time stamps, and colors stay steady within a shot. A
film that was interrupted is resumed by the same command, with the same result. --films colors the
films in folders.

A run over a folder of photos writes a record of each to colorization.jsonl in the output folder.
"""

import contextlib
import functools
import sys
import textwrap

from absl import flags

from colorization import __version__, export
from colorization.film import film_command
from colorization.flags import define_option_flags, options_from_flags
from colorization.inference import album, color_hints, model_folder, plan, threads
from pipelines import console
from pipelines.errors import UserError


def main(argv=None):
    """Runs the command of a command line, program name first; default that of the process.

    Returns the exit status: 0 if no photo failed, 1 if one did or the request was wrong, 130 and
    143 if stopped by Ctrl-C and SIGTERM, 141 if nobody reads the output any more.
    """
    try:
        return _run(sys.argv if argv is None else argv)
    except UserError as error:
        return _fail(error)
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            return console.end_unread()
        return _fail(f"{error.filename}: {error.strerror or error}.")
    except KeyboardInterrupt:
        return _fail("Interrupted before the first photo.", 130)


def define_flags(values):
    """Defines the command's flags, in the order of `--help`."""
    _define_model_flags(values)
    _define_file_flags(values)
    define_option_flags(values)
    film_command.define_flags(values)
    flags.DEFINE_bool("version", False, "Show the version.", flag_values=values)
    flags.DEFINE_bool("help", False, "Show this text.", short_name="h", flag_values=values)


def _define_model_flags(values):
    string = functools.partial(flags.DEFINE_string, default=None, flag_values=values)
    string(
        "output",
        help="File or folder to write; a folder is made if it is missing. Default for one photo: "
        "beside it, with _color in its name.",
        short_name="o",
    )
    string(
        "model",
        help="Folder of an exported model or of a run; default released, the one that is included. "
        "With --server, the model's name there.",
    )
    string(
        "server",
        help="TF Serving that runs the model: grpc://HOST:8500 or http://HOST:8501; grpcs:// and "
        "https:// use TLS. Photos stay on this machine: only small lightness images are sent.",
    )
    flags.DEFINE_enum(
        "engine",
        "auto",
        model_folder.ENGINES,
        "What runs the network: litert, which starts sooner, or saved_model, which uses "
        "TensorFlow; auto uses litert where possible. Both give the same colors.",
        flag_values=values,
    )
    flags.DEFINE_integer(
        "workers",
        0,
        "Photos in progress at once; 0: one per processor, or two with --server. Photos of more "
        "than 100 megapixels together take turns, to limit memory.",
        lower_bound=0,
        flag_values=values,
    )


def _define_file_flags(values):
    def switch(name, text):
        flags.DEFINE_bool(name, False, text, flag_values=values)

    def patterns(name, text):
        flags.DEFINE_multi_string(name, [], text, flag_values=values)

    switch("overwrite", "Replace existing files.")
    switch(
        "skip_existing",
        "Skip photos whose colored files exist already, and those that an earlier run kept; retry "
        "those that failed. With --overwrite, color again what was made from another file, by "
        "another model or with other options.",
    )
    patterns(
        "include",
        "Of a folder, take only photos that match this pattern, such as 'scan_*'. A pattern with "
        "a slash is matched against the path below the folder, where * matches slashes too; any "
        "other against the name. Case is ignored. May be repeated.",
    )
    patterns("exclude", "Of a folder, skip photos and folders that match. May be repeated.")
    switch(
        "report",
        "Write report.html to the output folder: photos before and after, and failures. Replaces "
        "the report of an earlier run.",
    )
    switch(
        "keep_times",
        "Give colored files the dates of their photos' files. By default they are dated now, so "
        "that backups notice them. Metadata keep the date a photo was taken either way.",
    )


def _run(argv):
    values, inputs = _parse(argv)
    if values.help:
        _help(values)
        return 0
    if values.version:
        print(f"colorization {__version__}")
        return 0
    # A run is exported to a folder that lasts as long as its model is used.
    with contextlib.ExitStack() as models:

        @functools.cache
        def open_colorizer():
            from colorization.inference import colorizer

            folder = values.model
            if not values.server:
                folder = models.enter_context(export.exported(folder))
            return colorizer.Colorizer(folder, engine=values.engine, server=values.server)

        if film_command.takes(values, inputs):
            return film_command.run(values, inputs, open_colorizer, _say, _fail)
        film_command.check_no_film(values)
        return _color(values, inputs, open_colorizer)


def _color(values, inputs, open_colorizer):
    asked = options_from_flags(values)
    options = asked.load_files()
    planned = plan.plan(
        inputs,
        values.output,
        num_variants=options.num_variants,
        include=values.include,
        exclude=values.exclude,
    )
    for line in planned.left_out:
        _fail(line)
    if values.report and planned.folder is None:
        raise plan.PlanError("--report goes with a folder or several photos. Received: one photo.")
    _check_hints(asked.hints, planned.jobs)

    def describe():
        if values.server or export.is_run(values.model):
            return open_colorizer().description
        return model_folder.read_description(model_folder.find(values.model))

    # Of those that wait for a server, another may use the processor.
    workers = values.workers or threads.num_processors() * (2 if values.server else 1)
    flags_of_files = (values.overwrite, values.skip_existing, values.keep_times, values.report)
    settings = album.Settings(*flags_of_files, workers)
    with contextlib.closing(album.Manifest(planned.folder)) as records:
        options = options, asked.record()
        outcome = album.run(planned, records, open_colorizer, describe, options, settings, _fail)
    _summarize(planned, records, outcome)
    stop = outcome.stop
    if stop.requested:
        _fail(stop.reason or "Stopped.")
        if planned.folder is not None:
            _fail("Run the same command with --skip_existing to resume.")
    if stop.signal:
        return 128 + stop.signal
    return 1 if stop.requested or outcome.counts["failed"] else 0


def _check_hints(hints, jobs):
    if hints == color_hints.SIDECAR:
        if not any(color_hints.find_beside(job.source) for job in jobs):
            photo = jobs[0].source
            raise color_hints.HintError(
                f"--hints={hints} takes a file beside each photo, such as "
                f"{photo.with_name(photo.stem + color_hints.BESIDE[0])}. Received: none beside any."
            )
    elif hints is not None and len(jobs) > 1:
        raise color_hints.HintError(
            f"--hints=FILE is for one photo. Received: {len(jobs)} photos. Set "
            f"--hints={color_hints.SIDECAR} to take a file beside each photo."
        )


def _parse(argv):
    values = flags.FlagValues()
    define_flags(values)
    try:
        _, *inputs = values(console.read_command_line(values, argv))
    except flags.Error as error:
        raise plan.PlanError(f"{error} (see --help)") from error
    if values.help or values.version:
        return values, inputs
    if not inputs:
        raise plan.PlanError("Expected a photo or a folder. Received: none. See --help.")
    return values, inputs


def _help(values):
    print(f"{__doc__}\nFlags:")
    for name in values:
        if name != values[name].short_name:
            # To flags that may be repeated absl adds a line of its own.
            text, *_ = values[name].help.split(";\n")
            print(textwrap.fill(f"--{name}: {text}", 80, subsequent_indent=" " * 6))


def _summarize(planned, records, outcome):
    counts = outcome.counts
    if planned.folder is None:
        job, record = planned.jobs[0], records.records.get(planned.jobs[0].name)
        if record is None and counts["skipped"]:
            _say(f"Skipped {job.source}: {job.existing} is there already.")
        elif record is not None and record.status == "colored":
            _say(f"Colored {job.source}: {', '.join(record.outputs)}")
        elif record is not None and record.status == "kept":
            _say(f"Kept {job.source}: it has colors already.")
        return
    notes = [f"{counts['colored'] / outcome.seconds:.1f} photos/s"] if counts["colored"] else []
    for status in ("kept", "skipped", "failed", "not reached"):
        if counts[status]:
            notes.append(f"{counts[status]} {status}")
    notes = f" ({', '.join(notes)})" if notes else ""
    _say(f"Colored {counts['colored']} of {len(planned.jobs)} photos, in {planned.folder}{notes}.")
    if records.path.exists():
        _say(f"Record of each photo: {records.path}")
    if outcome.report is not None:
        _say(f"Before and after: {outcome.report}")


def _say(line):
    # Names need not be text.
    encoding = sys.stdout.encoding or "utf-8"
    print(line.encode(encoding, "backslashreplace").decode(encoding), flush=True)


def _fail(message, status=1):
    # Names may hold line ends.
    print(" ".join(str(message).splitlines()), file=sys.stderr, flush=True)
    return status


if __name__ == "__main__":
    sys.exit(main())
