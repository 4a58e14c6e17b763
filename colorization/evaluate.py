r"""Evaluates a model and baselines: `python -m colorization.evaluate --data=folder:PHOTOS`.

Every photo is shown in gray, colored at its own size by the code of `colorize`, and held against
itself in color. The figures come with 95 % intervals, as a Markdown table for each set. Damaged
photos are named and left out, and the exit status is 1 if there were any; photos without colors and
tiny ones are left out and counted.

  python -m colorization.evaluate --model=runs/mine --data=folder:PHOTOS --baseline=gray,mean,truth
  python -m colorization.evaluate --data=folder:A,folder:B --features=squeezenet:WEIGHTS.h5 \
      --output=released.jsonl
  python -m colorization.compare released.jsonl mine.jsonl
"""

import contextlib
import os
import sys
import tempfile


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "model", "", "Folder of an exported model or of a run; default the released model."
    )
    flags.DEFINE_string(
        "data",
        "",
        "Photos in color: folder:PATH (recursive), tfds:NAME[:SPLIT] or samples. Of several, "
        "separated by commas, each is told about by itself.",
    )
    flags.DEFINE_list(
        "baseline",
        [],
        "What else is evaluated: gray; mean, the mean color of the model's training pictures; "
        "truth, which must come out perfect; folders of other models or runs.",
    )
    flags.DEFINE_string(
        "features",
        "",
        "Networks to compare sets of pictures by: squeezenet:FILE, inception[:FILE] and, with "
        "pip install .[perceptual], torch-fidelity[:FILE] (the standard FID) and lpips[:FILE]. "
        "Without FILE weights are downloaded.",
    )
    flags.DEFINE_integer(
        "num_variants",
        1,
        "Colorings of each photo, to tell what choice the models give; 1 to 25.",
        lower_bound=1,
        upper_bound=25,
    )
    flags.DEFINE_integer(
        "limit", 0, "Most photos taken of each set, evenly over it; 0: all.", lower_bound=0
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
    flags.DEFINE_bool("overwrite", False, "Replace --output and --report if they are there.")


def main(arguments):
    """Evaluates as the flags say; returns the exit status."""
    from absl import flags

    from colorization.evaluation import EvaluationError
    from pipelines import console

    options = flags.FLAGS
    if arguments:
        raise EvaluationError(f"evaluate takes flags only. Received: {' '.join(arguments)}.")
    if not options.data:
        raise EvaluationError("--data=folder:PHOTOS is needed. Received: nothing. See --help.")
    _check_output(options.output, options.overwrite)
    _check_report(options.report, options.overwrite)
    console.import_quietly()
    return evaluate(
        options.data,
        options.model,
        options.baseline,
        features=options.features,
        num_variants=options.num_variants,
        limit=options.limit,
        exclude=options.exclude,
        output=options.output,
        report=options.report,
    )


def evaluate(
    data,
    model="",
    baselines=(),
    features="",
    num_variants=1,
    limit=0,
    exclude="",
    output="",
    report="",
):
    """Evaluates a model and baselines; prints tables, writes records.

    Args:
        data: Text of `--data`.
        model: Folder of an exported model or of a run; empty for the released model.
        baselines: Names of `systems.BASELINES`, and folders as `model`.
        features: Text of `--features`.
        num_variants: Colorings of each photo.
        limit: Most photos taken of each set; 0 for all.
        exclude: List of photos to leave out; empty for none.
        output: File to write; empty for none.
        report: Folder to write a page to; empty for none.

    Returns:
        The exit status: 1 if photos were damaged, 130 and 143 if stopped by a signal.

    Raises:
        EvaluationError: If a request can't be met.
        UserError: If `data` names nothing usable.
        ModelError: If a model can't be used.
    """
    from colorization.evaluation import data as photos
    from colorization.evaluation import features as backends
    from colorization.evaluation import page, photo_loop, protocol, results, summary, tables
    from colorization.inference import threads
    from pipelines.files import write_text

    sets = photos.open_data(data, limit, exclude)
    networks = backends.open_features(features)
    stop, lines, num_damaged = threads.Stop(), [], 0
    pages = page.Report(report, model if _is_run(model) else None) if report else None
    with contextlib.ExitStack() as stack:
        opened = _open_systems(model, baselines, num_variants, stack)
        stack.enter_context(threads.stopped_by_signals(stop, "Stopping. Again: at once."))
        for one in sets:
            watched = pages.watching(opened) if pages else opened
            with _progress(one.label, len(one.positions)) as bar:
                found = photo_loop.evaluate(one, watched, networks, num_variants, stop, bar.update)
            if stop.requested:
                _say(f"Stopped: nothing is told or written of {one.label}, which was begun.")
                return 128 + stop.signal
            _check(one, found)
            _tell_left_out(found)
            num_damaged += len(found.left_out["damaged"])
            told = protocol.protocol(found, limit, networks, num_variants)
            notes = summary.warnings(networks, len(found.digests))
            rows = [
                protocol.record(
                    system,
                    one.label,
                    found,
                    summary.summarize(found.measured[system.name], found.true_vectors, networks),
                    told,
                    notes,
                )
                for system in opened
            ]
            columns = {row["system"]["label"]: row["figures"] for row in rows}
            heading = f"{one.label}: {len(found.digests):,} photos"
            print(tables.section(heading, columns, notes), flush=True)
            lines += rows
            if output:
                # After every set: what took an hour is not lost to the next one's trouble.
                write_text(output, results.to_lines(lines))
            if pages:
                pages.add(one, found, opened[0], rows, notes)
                pages.write()
    return 1 if num_damaged else 0


def _check_output(path, overwrite):
    from colorization.evaluation import EvaluationError

    if not path:
        return
    folder = os.path.dirname(os.path.abspath(path))
    if not os.path.isdir(folder) or not os.access(folder, os.W_OK):
        raise EvaluationError(
            f"--output={path} needs a folder that can be written to. Received: {folder}. Make it."
        )
    if os.path.isdir(path) or (os.path.exists(path) and not overwrite):
        raise EvaluationError(
            f"--output={path} is there already. Choose another name, or set --overwrite."
        )


def _check_report(folder, overwrite):
    from colorization.evaluation import REPORT, EvaluationError

    if not folder:
        return
    existing = os.path.abspath(folder)
    while not os.path.lexists(existing):
        existing = os.path.dirname(existing)
    if not os.path.isdir(existing) or not os.access(existing, os.W_OK):
        raise EvaluationError(
            f"--report={folder} is a folder that can be written to, or made. Received: {existing}, "
            "which can't. Choose another."
        )
    for name in REPORT:
        if os.path.lexists(os.path.join(folder, name)) and not overwrite:
            raise EvaluationError(
                f"--report={folder} has a {name} already. Choose another folder, or set "
                "--overwrite."
            )


def _open_systems(model, baselines, num_variants, stack):
    """Opens the model first, then the baselines; runs are exported to a folder of `stack`."""
    from colorization.evaluation import EvaluationError, systems

    first, description = _open_model(model, num_variants, stack)
    opened = [first]
    for name in baselines:
        if name == "mean":
            opened.append(systems.mean(description))
        elif name in systems.BASELINES:
            opened.append({"gray": systems.gray, "truth": systems.truth}[name]())
        else:
            opened.append(_open_model(name, num_variants, stack)[0])
    names = [system.name for system in opened]
    if len(set(names)) < len(names):
        raise EvaluationError(
            f"--model and --baseline name systems of different names. Received: {', '.join(names)}."
            " Leave one out, or rename its folder."
        )
    return opened


def _open_model(folder, num_variants, stack):
    from colorization import export
    from colorization.evaluation import systems

    told = {}
    if _is_run(folder):
        # Exported as it would be, so that what is measured is what users would get.
        name = os.path.basename(os.path.abspath(folder))
        exported = stack.enter_context(tempfile.TemporaryDirectory())
        folder = export.export(folder, os.path.join(exported, name))
        told = {"run": name}
    return systems.model(folder or None, num_variants, **told)


def _is_run(folder):
    from colorization.training import run_directory

    return bool(folder) and os.path.isfile(os.path.join(folder, run_directory.RECIPE))


def _check(data, found):
    from colorization.evaluation import EvaluationError

    if len(found.digests) < 2:
        counts = ", ".join(f"{len(names)} {reason}" for reason, names in found.left_out.items())
        raise EvaluationError(
            f"{data.source.name}: evaluation needs at least 2 photos in color. Received: "
            f"{len(found.digests)} of {len(data.positions)} ({counts})."
        )


def _tell_left_out(found):
    for line in found.left_out["damaged"]:
        _say(line)
    for reason in ("gray", "small"):
        lines = found.left_out[reason]
        if lines:
            _say(f"{len(lines):,} left out, {reason}; the first is {lines[0]}")


def _progress(what, total):
    from tqdm import tqdm

    # None: only on a terminal.
    return tqdm(desc=what, total=total, unit="photo", disable=None, leave=False)


def _say(line):
    # Names need not be text.
    encoded = line.encode(sys.stderr.encoding or "utf-8", "backslashreplace")
    print(encoded.decode(sys.stderr.encoding or "utf-8"), file=sys.stderr, flush=True)


if __name__ == "__main__":
    from pipelines.console import run_command

    run_command(main, define_flags)
