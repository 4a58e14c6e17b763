r"""Evaluates a model and baselines: `colorization evaluate --data=folder:PHOTOS`.

Every photo is made gray, colored at its own size as by `colorize`, and compared with itself in
color. Prints the figures with 95 % intervals, as a Markdown table for each set. Damaged photos are
named and left out, and the exit status is 1 if there were any; photos without colors and tiny ones
are left out and counted.

  colorization evaluate --model=runs/mine --data=folder:PHOTOS --baseline=gray,mean,truth
  colorization evaluate --data=folder:A,folder:B --features=squeezenet:WEIGHTS.h5 \
      --output=released.jsonl
  colorization compare released.jsonl mine.jsonl
  colorization evaluate --films=FOLDER --baseline=truth --limit=48

Films in color are shown in gray and colored as films and frame by frame: a table for each film.
"""

import contextlib
import os
import sys

from colorization.evaluation import REPORT, EvaluationError
from pipelines import console


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "model",
        "",
        "Folder of an exported model or of a run; default released, the one that is included.",
    )
    flags.DEFINE_string(
        "data",
        "",
        "Photos in color: folder:PATH (recursive), tfds:NAME[:SPLIT] or samples. Several, "
        "separated by commas, are evaluated one by one.",
    )
    flags.DEFINE_list(
        "films", [], "Films in color, and folders of such, to evaluate in place of --data."
    )
    flags.DEFINE_list(
        "baseline",
        [],
        "What else to evaluate: gray; mean, the mean color of the model's training pictures; "
        "truth, which must come out perfect; released; folders of other models or runs.",
    )
    flags.DEFINE_string(
        "features",
        "",
        "Networks by which sets of pictures are compared: squeezenet:FILE, inception[:FILE] and, "
        "with pip install 'colorization[perceptual]', torch-fidelity[:FILE] (the standard FID) and "
        "lpips[:FILE]. Without FILE, weights are downloaded.",
    )
    flags.DEFINE_integer(
        "num_variants",
        1,
        "Colorings of each photo, to measure how much the variants differ; 1 to 25.",
        lower_bound=1,
        upper_bound=25,
    )
    flags.DEFINE_integer(
        "limit",
        0,
        "Largest number of photos of each set, taken evenly over it, or of frames of each film, "
        "from the first on; 0: all.",
        lower_bound=0,
    )
    flags.DEFINE_string(
        "exclude", "", "List of photos to leave out, as colorization.audit writes it."
    )
    flags.DEFINE_string("output", "", "File of JSON lines to write, for colorization.compare.")
    flags.DEFINE_string(
        "report",
        "",
        "Folder for report.html, a page with figures, pictures and colors, and report.png, the "
        "pictures alone; made if it is missing.",
    )
    flags.DEFINE_bool("overwrite", False, "Replace --output and --report if they exist.")


def main(arguments):
    """Evaluates as the flags say; returns the exit status."""
    from absl import flags

    options = flags.FLAGS
    if arguments:
        raise EvaluationError(f"evaluate takes flags only. Received: {' '.join(arguments)}.")
    if not options.data and not options.films:
        raise EvaluationError("--data=folder:PHOTOS is needed. Received: nothing. See --help.")
    of_photos = ("data", "features", "exclude", "report", "num_variants")
    others = [name for name in of_photos if options[name].value != options[name].default]
    if options.films and others:
        raise EvaluationError(f"--{others[0]} goes with photos. Received: --films. Leave one out.")
    if options.output:
        folder = os.path.dirname(options.output) or "."
        _check("output", [options.output], folder, folder, options.overwrite)
    if options.report:
        # It is made, in the first folder that exists.
        folder = os.path.abspath(options.report)
        while not os.path.lexists(folder):
            folder = os.path.dirname(folder)
        paths = [os.path.join(options.report, name) for name in REPORT]
        _check("report", paths, options.report, folder, options.overwrite)
    console.import_quietly("keras")
    names = ("model", "baseline", "limit", "output")
    if options.films:
        return evaluate_films(options.films, **{name: options[name].value for name in names})
    names += of_photos
    return evaluate(**{name: options[name].value for name in names})


def _check(flag, paths, folder, existing, overwrite):
    """Raises `EvaluationError` if files are in the way, or can't be written."""
    for path in paths:
        if os.path.isdir(path) or (os.path.lexists(path) and not overwrite):
            raise EvaluationError(
                f"--{flag}: {path} exists. Choose another place, or set --overwrite."
            )
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK):
        raise EvaluationError(
            f"--{flag} needs a folder that can be written to. Received: {folder}. Make it, or "
            "choose another."
        )


def evaluate(
    data,
    model="",
    baseline=(),
    features="",
    num_variants=1,
    limit=0,
    exclude="",
    output="",
    report="",
):
    """Evaluates a model and baselines; prints tables, writes records.

    The arguments are those of the flags of these names. Files in the way are replaced. Returns the
    exit status: 1 if photos were damaged, 130 and 143 if stopped by a signal. Raises `UserError` if
    a request can't be met.
    """
    from colorization import export
    from colorization.evaluation import features as backends
    from colorization.evaluation import measure, protocol
    from colorization.evaluation.report import Report
    from colorization.inference import threads

    with console.doing("Opening the photos"):
        sets = measure.open_data(data, limit, exclude)
        networks = backends.open_features(features)
    stop, lines, num_damaged = threads.Stop(), [], 0
    page = Report(report, model if export.is_run(model) else None) if report else None
    with _systems(model, baseline, num_variants, stop) as systems:
        for one in sets:
            watched = page.watching(systems) if page else systems
            with console.progress(one.label, len(one.positions), "photo") as bar:
                found = measure.measure_set(one, watched, networks, num_variants, stop, bar.update)
            if stop.requested:
                return _stopped(one.label, stop)
            num_damaged += _report_left_out(one, found)
            rows = protocol.records(systems, one.label, found, limit, networks, num_variants)
            _tell(rows, lines, output)
            if page:
                page.add(one, found, systems[0], rows)
                page.write()
    if page:
        print(f"Pictures and figures: {os.path.join(report, REPORT[0])}")
    if output:
        print(f"Compare it with others: colorization compare {output} OTHER.jsonl")
    return 1 if num_damaged else 0


def evaluate_films(films, model="", baseline=(), limit=0, output=""):
    """Evaluates a model and baselines on films; prints tables, writes records.

    Arguments, exit status and errors are as for `evaluate`; no frame is damaged.
    """
    from colorization.evaluation import films as measuring
    from colorization.inference import threads

    found, stop, lines = measuring.find(films), threads.Stop(), []
    with _systems(model, baseline, 1, stop) as systems:
        for path in found:
            rows = measuring.records(path, systems, limit, stop)
            if stop.requested:
                return _stopped(path.name, stop)
            _tell(rows, lines, output)
    return 0


@contextlib.contextmanager
def _systems(model, baseline, num_variants, stop):
    """Opens systems, and lets signals request a stop while they are used."""
    from colorization import export
    from colorization.evaluation.systems import open_systems
    from colorization.inference import threads

    with contextlib.ExitStack() as stack:
        systems = open_systems(
            model, baseline, num_variants, lambda path: stack.enter_context(export.exported(path))
        )
        stack.enter_context(threads.stopped_by_signals(stop, "Stopping. Repeat to stop at once."))
        yield systems


def _tell(rows, lines, output):
    """Prints the records of a set, and writes them to `output` after the `lines` so far."""
    from colorization.evaluation import figures, protocol
    from pipelines.files import write_text

    print(figures.section(rows, [row["system"]["label"] for row in rows]), flush=True)
    lines += rows
    if output:
        # After every set: what took an hour is not lost to the next one's trouble.
        write_text(output, protocol.to_lines(lines))


def _report_left_out(data, found):
    """Says what was left out of a set; returns how many photos were damaged."""
    damaged = found.left_out["damaged"]
    if len(found.digests) < 2:
        counts = ", ".join(f"{len(names)} {reason}" for reason, names in found.left_out.items())
        raise EvaluationError(
            f"{data.source.name}: evaluation needs at least 2 photos in color. Received: "
            f"{len(found.digests)} of {len(data.positions)} ({counts})."
        )
    for line in damaged:
        _say(line)
    for reason in ("gray", "small"):
        lines = found.left_out[reason]
        if lines:
            _say(f"Left out {len(lines):,}, {reason}; the first is {lines[0]}")
    return len(damaged)


def _stopped(label, stop):
    _say(f"Stopped: {label} was not finished, so nothing is reported of it.")
    return 128 + stop.signal


def _say(line):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    console.run_command(main, define_flags)
