r"""Colors photos by the million: `colorization batch --input=GLOB --output=FOLDER`.

  colorization batch --input='album/**' --output=colored
  colorization batch --input='scans/19*/**.tif' --output=colored --num_variants=3
  colorization batch --input='gs://bucket/album/**' --output=gs://bucket/colored \
      --runner=DataflowRunner --beam_options='--project=NAME --region=NAME ...'

Every photo becomes, byte for byte, what `colorize` makes of it. The work is a pipeline
of Apache Beam (pip install 'colorization[scale]'): on this machine with a process for each
processor, or on Flink, Spark or Dataflow, over any file system that Beam knows. In a pattern *
stands for any part of a name, ** for any part of a path: 'album/**' is all that lies below album.
Folders below the pattern's fixed part are mirrored. See docs/batch.md.

Run the same command again after any interruption: writes are atomic, and photos that are done are
skipped. OUTPUT/dead_letters.jsonl names the photos that could not be colored, and why; the exit
status is 1 if there are any.
"""

import collections
import dataclasses
import hashlib
import sys
import time

from pipelines import console


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    from colorization.flags import define_option_flags
    from pipelines.shards import beam_runner

    flags.DEFINE_multi_string(
        "input", [], "Pattern of photos, in quotes; may be repeated. Hidden files are left out."
    )
    flags.DEFINE_string("output", "", "Folder to write; it is made if it is missing.")
    flags.DEFINE_string(
        "model",
        None,
        "Folder of an exported model, where every worker finds it, or of a run on this machine; "
        "default released, the one that is included.",
    )
    flags.DEFINE_bool(
        "overwrite",
        False,
        "Color again what was made of another file, by another model or with other options. "
        "Without it such files stay.",
    )
    define_option_flags(flags.FLAGS)
    beam_runner.define_flags(flags.FLAGS)


def main(arguments):
    """Colors as the flags say; returns the exit status."""
    from absl import flags

    from colorization import export
    from colorization.flags import options_from_flags
    from colorization.inference.plan import PlanError

    values = flags.FLAGS
    if arguments:
        raise PlanError(
            f"batch takes flags only. Received: {' '.join(arguments)}. Patterns go to --input."
        )
    for name in ("input", "output"):
        if not values[name].value:
            raise PlanError(f"--{name} is needed. Received: none. See --help.")
    with export.exported(values.model) as model:
        return color(
            values.input,
            values.output,
            model=model,
            options=options_from_flags(values),
            overwrite=values.overwrite,
            runner=values.runner,
            beam_options=values.beam_options,
        )


def color(patterns, output, *, model, options, overwrite, runner="DirectRunner", beam_options=""):
    """Colors what matches patterns of Apache Beam's, and reports on all.

    `model` is None for the released one; the mask of `options` may lie on any file system. Returns
    the exit status: 1 if photos failed or were not reached. A wrong request is a `ValueError`, one
    line.
    """
    from colorization.beam import places
    from pipelines.shards import beam_runner

    globs, output = places.settle(patterns, output)
    with console.doing("Loading Apache Beam"):
        beam_runner.prepare(runner, beam_options)
        from colorization.beam import steps

    for path in (*(glob.pattern for glob in globs), output):
        beam_runner.check_path(path)
    options, made_with = _check(globs, model, options)
    since = places.state(output, made_with)
    batch = steps.Batch(globs, output, model, options, since, overwrite)
    start = time.monotonic()
    with console.doing("Coloring"):
        counts = beam_runner.run(lambda p: steps.build(p, batch), runner, beam_options)
    return _tell(collections.Counter(counts), output, time.monotonic() - start)


def _check(globs, model, options):
    """Checks what would make every photo fail.

    Returns the options with their mask read, and what the outputs' statement says.
    """
    from colorization.beam import places
    from colorization.inference.colorizer import Colorizer
    from colorization.inference.plan import PlanError
    from pipelines.photos.photo_files import decode_picture
    from pipelines.shards import beam_files

    for glob in globs:
        if not any(beam_files.find(glob.pattern, 1)):
            raise PlanError(
                f"--input={glob.pattern}: expected a pattern of photos. Received: one that matches "
                "no file. A folder with all folders in it is 'FOLDER/**'."
            )
    for name in ("hints", "reference"):
        if getattr(options, name) is not None:
            raise PlanError(
                f"batch takes no {name}. Received: --{name}={getattr(options, name)}. Color these "
                "photos by colorization.colorize."
            )
    hashed = {}
    if options.mask is not None:
        data = places.read(options.mask)
        options = dataclasses.replace(options, mask=decode_picture("--mask", data))
        hashed["mask"] = hashlib.sha256(data).hexdigest()
    # Loaded, to know that it can be; the workers load it themselves.
    loaded = Colorizer(model)
    loaded.check(options)
    made_with = {name: loaded.description[name] for name in ("name", "version")}
    return options, made_with | options.record() | hashed


def _tell(counts, output, seconds):
    """Prints what became of all photos; returns the exit status."""
    from colorization.beam import steps

    statuses = ("colored", "kept", "skipped", "failed", "not reached")
    total = sum(counts[status] for status in statuses)
    if not total:
        print("There are no photos among the files that match.", file=sys.stderr)
        return 1
    notes = [f"{counts['colored'] / seconds:.1f} photos/s"] if counts["colored"] else []
    notes += [f"{counts[status]} {status}" for status in statuses[1:] if counts[status]]
    notes = f" ({', '.join(notes)})" if notes else ""
    print(f"Colored {counts['colored']} of {total} photos, in {output}{notes}.")
    if counts["outdated"]:
        print(
            f"Of those skipped, {counts['outdated']} were made of another file, by another model "
            "or with other options. Add --overwrite to color them again."
        )
    if counts["failed"]:
        print(f"What failed, and why: {output}/{steps.DEAD_LETTERS}")
    return 1 if counts["failed"] or counts["not reached"] else 0


if __name__ == "__main__":
    console.run_command(main, define_flags)
