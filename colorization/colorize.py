"""Colors black-and-white photos, one or whole folders of them.

Usage:
  python -m colorization.colorize PHOTO_OR_FOLDER... --output=FILE_OR_FOLDER [flags]

Examples:
  python -m colorization.colorize grandmother.jpg --output=grandmother_color.jpg
  python -m colorization.colorize album/ street.png --output=colored/ --report
  python -m colorization.colorize album/ --output=colored/ --skip_existing    (goes on with a run)
  python -m colorization.colorize album/ --output=colored/ --include='193?/*' --exclude='*_back.*'
  python -m colorization.colorize portrait.tif --output=portraits/ --num_variants=5 --seed=1
  python -m colorization.colorize album/ --output=colored/ --server=grpc://host:8500

Photos keep their size, their lightness, their names and their formats; what cannot be written in
its own format becomes .png. A folder is colored with all folders in it. Damaged files are named and
passed over, and the exit status is 1 if there were any. Ctrl-C ends a run after the photos in
progress; files are written whole or not at all. Beside several variants of a photo comes a sheet
that shows them all: NAME_sheet.jpg, and of other formats NAME_sheet_tif.jpg and so on.

A run over a folder writes colorization.jsonl into the output folder: what became of each photo.
"""

import contextlib
import sys
import textwrap
import time

from absl import flags

from colorization import option_flags
from colorization.inference import manifest, plan, threads
from colorization.inference.options import OptionError
from pipelines import console


class _Mistake(Exception):
    """A request that cannot be carried out; the message is one line."""


def main(argv=None):
    """Runs the command.

    Args:
        argv: Command line, program name first; default that of the process.

    Returns:
        Exit status: 0 if no photo failed, 1 if one did or the request was wrong, 130 and 143 if
        stopped by Ctrl-C and SIGTERM, 141 if nobody reads the output any more.
    """
    try:
        return _run(sys.argv if argv is None else argv)
    except (_Mistake, plan.PlanError, OptionError) as error:
        return _fail(error)
    except KeyboardInterrupt:
        return _fail("Interrupted before the first photo.", 130)
    except BrokenPipeError:
        return console.end_unread()


def define_flags(values):
    """Defines the command's flags, in the order of `--help`.

    Args:
        values: `absl.flags.FlagValues` that takes them.
    """

    def switch(name, text, **options):
        flags.DEFINE_bool(name, False, text, flag_values=values, **options)

    def string(name, text):
        flags.DEFINE_string(name, None, text, flag_values=values)

    def strings(name, text):
        flags.DEFINE_multi_string(name, [], text, flag_values=values)

    string("output", "File or folder to write; a folder is made if it is missing.")
    string(
        "model",
        "Folder of an exported model; default the released one. With --server, the model's name "
        "there.",
    )
    string(
        "server",
        "TF Serving that runs the model: grpc://HOST:8500 or http://HOST:8501; grpcs:// and "
        "https:// go by TLS. Photos stay here: only small pictures of their lightness are sent.",
    )
    switch("overwrite", "Replace files that are there already.")
    switch(
        "skip_existing",
        "Pass over photos whose colored files are there already, and those that an earlier run "
        "kept; try those again that failed. With --overwrite, color again what was made of another "
        "file, by another model or with other options.",
    )
    strings(
        "include",
        "Of a folder, take only photos that match this pattern, such as 'scan_*'. A pattern with a "
        "slash in it is held against the path below the folder, where * matches slashes too; any "
        "other against the name. Case does not matter. May be repeated.",
    )
    strings("exclude", "Of a folder, leave out photos and folders that match. May be repeated.")
    switch(
        "report",
        "Write report.html into the output folder: photos before and after, and what failed. "
        "Replaces that of an earlier run.",
    )
    option_flags.define_flags(values)
    switch("help", "Show this text.", short_name="h")


def _run(argv):
    values, inputs = _parse(argv)
    if values.help:
        print(f"{__doc__}\nFlags:")
        for name in values:
            if name != values[name].short_name:
                # To flags that may be repeated absl adds a line of its own.
                text, *_ = values[name].help.split(";\n")
                print(textwrap.fill(f"--{name}: {text}", 80, subsequent_indent=" " * 6))
        return 0
    asked = option_flags.options(values)
    options = asked.load_mask()
    planned = plan.plan(
        inputs,
        values.output,
        num_variants=options.num_variants,
        include=values.include,
        exclude=values.exclude,
    )
    if values.report and planned.folder is None:
        raise _Mistake("--report goes with a folder or several photos. Received: one photo.")
    try:
        earlier = manifest.Manifest(planned.folder)
    except OSError as error:
        raise _Mistake(f"{error.filename}: cannot be read: {error.strerror or error}.") from error
    with contextlib.closing(earlier) as records:
        return _color(values, options, asked.record(), planned, records)


def _parse(argv):
    values = flags.FlagValues()
    define_flags(values)
    try:
        _, *inputs = values(argv)
    except flags.Error as error:
        raise _Mistake(f"{error} (see --help)") from error
    if values.help:
        return values, inputs
    if not inputs:
        raise _Mistake("Expected a photo or a folder. Received: none. See --help.")
    if not values.output:
        raise _Mistake("Expected --output=FILE_OR_FOLDER. Received: none. See --help.")
    return values, inputs


def _color(values, options, made_with, planned, records):
    """Colors what is to be colored and tells what became of all; returns the exit status."""
    # Not before the request is known to be sound: these take a part of a second.
    from colorization.inference import album, photo_pages

    wish = {"overwrite": values.overwrite, "skip_existing": values.skip_existing}
    chosen, color_one = album.choose(planned.jobs, records, None, **wish), None
    # With nothing to do, and no records to compare, no model is loaded.
    if chosen.todo or (values.skip_existing and records.records):
        model = _load(values)
        model.check(options)
        made_with = {name: model.description.get(name) for name in ("name", "version")} | made_with
        chosen = album.choose(planned.jobs, records, made_with, **wish)

        def color_one(job):
            return model.colorize_file(
                job.source, job.destination, options, overwrite=values.overwrite
            )

    for line in chosen.lines():
        _fail(line)
    pages = photo_pages.Report(planned.folder) if values.report else None
    if pages is not None:
        color_one = pages.following(color_one)
    counts, start, stop = chosen.counts(), time.monotonic(), threads.Stop()
    with threads.stopped_by_signals(stop, "Stopping after the photos in progress. Again: at once."):
        with _progress("Coloring", len(chosen.todo)) as bar:
            # Of those that wait for a server, another may use the processor.
            num_threads = threads.num_processors() * (2 if values.server else 1)
            colored = album.color(chosen.todo, color_one, records, made_with, stop, num_threads)
            for record in colored:
                counts[record.status] += 1
                if record.message:
                    bar.write(record.message, file=sys.stderr)
                bar.update()
        seconds = time.monotonic() - start
        if pages is not None and not stop.requested:
            _write_report(pages, planned.jobs, records.records, stop)
    _summarize(planned, records, counts, seconds)
    if pages is not None and not stop.requested:
        _say(f"Before and after: {pages.path}")
    if stop.requested:
        _fail(stop.reason or "Stopped.")
        if planned.folder is not None:
            _fail("The same command with --skip_existing goes on.")
    if stop.signal:
        return 128 + stop.signal
    return 1 if stop.requested or counts["failed"] else 0


def _load(values):
    """Loads the model."""
    console.import_quietly()
    from colorization.inference import colorizer

    try:
        if values.server is None:
            return colorizer.Colorizer(values.model)
        from colorization.serving import client

        return client.RemoteColorizer(values.server, values.model)
    except colorizer.ModelError as error:
        raise _Mistake(str(error)) from error


def _progress(what, total):
    from tqdm import tqdm

    # None: only on a terminal.
    return tqdm(
        desc=what, total=total, unit="photo", disable=None if total > 1 else True, leave=False
    )


def _write_report(pages, jobs, records, stop):
    with _progress("Report", len(jobs)) as bar:
        for _ in pages.prepare(jobs, records, stop):
            bar.update()
    if stop.requested:
        return
    try:
        pages.write(jobs, records)
    except OSError as error:
        stop.reason = f"{pages.path}: cannot be written: {error.strerror or error}."


def _summarize(planned, records, counts, seconds):
    if planned.folder is None:
        _summarize_one(planned.jobs[0], records, counts["skipped"])
        return
    counts["not reached"] = len(planned.jobs) - counts.total()
    colored, notes = counts.pop("colored", 0), []
    if colored:
        notes.append(f"{colored / seconds:.1f} photos/s")
    for status in ("kept", "skipped", "failed", "not reached"):
        if counts[status]:
            notes.append(f"{counts[status]} {status}")
    notes = f" ({', '.join(notes)})" if notes else ""
    _say(f"Colored {colored} of {len(planned.jobs)} photos, in {planned.folder}{notes}.")
    if records.path.exists():
        _say(f"What became of each: {records.path}")


def _summarize_one(job, records, skipped):
    record = records.records.get(job.name)
    if record is None:
        if skipped:
            _say(f"Skipped {job.source}: {job.existing} is there already.")
    elif record.status == "colored":
        _say(f"Colored {job.source}: {', '.join(record.outputs)}")
    elif record.status == "kept":
        _say(f"Kept {job.source}: it has colors already.")


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
