r"""Sets figures of evaluations or of runs side by side.

  colorization compare released.jsonl mine.jsonl
  colorization compare runs/dcgan runs/wgan_gp --pairs=dcgan:wgan_gp \
      --features=squeezenet:WEIGHTS.h5 --output=results.md

Files are those that `colorization evaluate --output=FILE.jsonl` wrote. Figures of one set share a
table if they were measured in the same way; otherwise the fields that differ are named, and the
exit status is 1.

Directories are runs of `colorization train`. Each run's network colors the pictures of its own
--val_data at the size of its crops; if it predicts lightness, that is kept.
--pairs adds tables of two runs with 95 % intervals of their differences, and --output writes a
sheet of pictures for each run beside the tables.
"""

import difflib
import os
import pathlib
import sys

from colorization.evaluation import EvaluationError
from pipelines import console


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "output",
        "",
        "Markdown file to write instead of printing; sheets of runs go into a folder of its name "
        "beside it.",
    )
    flags.DEFINE_list(
        "pairs",
        [],
        "Pairs of runs to compare, A:B, by the names of their folders. Seeds of one run are joined "
        "by a plus and averaged: A+A-1:B+B-1.",
    )
    flags.DEFINE_string(
        "features",
        "",
        "Networks to compare runs by, as for colorization.evaluate, such as squeezenet:FILE.",
    )
    flags.DEFINE_integer(
        "num_variants",
        5,
        "Colorings of each picture by runs with noise, to measure their diversity; 2 to 25.",
        lower_bound=2,
        upper_bound=25,
    )
    flags.DEFINE_bool("overwrite", False, "Replace --output if it exists.")


def main(arguments):
    """Compares what the arguments name; prints tables or writes them."""
    from absl import flags

    options = flags.FLAGS
    if not arguments:
        raise EvaluationError(
            "compare takes files that colorization.evaluate --output wrote, or directories of "
            "runs. Received: none. See --help."
        )
    output = options.output
    if output and not output.endswith(".md"):
        raise EvaluationError(f"--output must be a Markdown file (.md). Received: {output}.")
    if output and os.path.exists(output) and not options.overwrite:
        raise EvaluationError(f"--output={output} exists. Choose another, or set --overwrite.")
    runs = [os.path.isdir(path) for path in arguments]
    if all(runs):
        folders = {pathlib.Path(path).name: path for path in arguments}
        if len(folders) < len(arguments):
            raise EvaluationError(
                "compare identifies runs by the names of their folders. Received: "
                f"{' '.join(arguments)}. Rename one."
            )
        pairs = _parse_pairs(options.pairs, folders)
        console.import_quietly("keras")
        text, sheets = compare_runs(
            folders, pairs, options.features, options.num_variants, pathlib.Path(output).stem
        )
    elif any(runs) or options.pairs or options.features:
        raise EvaluationError(
            "compare takes files, or else directories of runs, which alone --pairs and --features "
            f"are for. Received: {' '.join(arguments)}."
        )
    else:
        text, sheets = compare_records(arguments), {}
    if output:
        _write(output, text, sheets)
    else:
        print(text, flush=True)


def _write(output, text, sheets):
    from pipelines.files import write_text
    from pipelines.photos.photo_files import write_picture

    for name, sheet in sheets.items():
        folder = pathlib.Path(output).with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        write_picture(folder / f"{name}.jpg", sheet, overwrite=True)
    write_text(output, text)


def compare_records(paths):
    """Sets the figures of files of records side by side, as Markdown: a table for each set."""
    from colorization.evaluation import figures, protocol

    sections = []
    for group in protocol.by_set({path: protocol.read(path) for path in paths}):
        files, records = zip(*group, strict=True)
        names = [record["system"]["label"] for record in records]
        unique = [
            name if names.count(name) == 1 else f"{name} ({path})"
            for path, name in zip(files, names, strict=True)
        ]
        sections.append(figures.section(records, unique))
    return "\n".join(sections)


def compare_runs(folders, pairs, features="", num_variants=5, sheets_folder=""):
    """Measures runs, directories by name, and sets them side by side, as `runs.page` has them.

    Returns a text of Markdown and a dict of uint8 sheets, by the name of the run.
    """
    from colorization.evaluation import features as networks
    from colorization.evaluation import runs
    from colorization.training import restore
    from colorization.training.networks import build_codec

    opened = networks.open_features(features)
    # All are opened before the first is measured, so that a mistake in the last is found first.
    configs = {name: restore.read_recipe(folder) for name, folder in folders.items()}
    outcomes, facts = {}, {}
    for name, folder in folders.items():
        config = configs[name]
        network, epoch = restore.trained_generator(config, folder)
        pictures, digest = _validation(config, folder)
        codec = build_codec(config)
        outcomes[name] = runs.measure_run(network, codec, pictures, digest, opened, num_variants)
        facts[name] = _facts(config, folder, epoch)
        print(f"{name}: {len(pictures)} pictures measured.", file=sys.stderr, flush=True)
    differences = {
        pair: runs.difference(*([outcomes[name] for name in side] for side in pair))
        for pair in pairs
    }
    text = runs.page(facts, outcomes, differences, opened, sheets_folder)
    return text, {name: outcome.sheet for name, outcome in outcomes.items()}


def _validation(config, folder):
    """A run's validation pictures, cut to the size of its crops, and a digest of them."""
    from colorization.training import state
    from pipelines.batches import input_chain
    from pipelines.sources import opener

    if not config.val_data:
        raise EvaluationError(f"compare measures runs that have --val_data. Received: {folder}.")
    source = opener.open_source(config.val_data, "--val_data")
    found = state.Run(folder).survey(source, "val_survey", config.white_background)
    if found.num_usable < 2:
        raise EvaluationError(f"compare needs at least 2 pictures. Received: {source.name}.")
    cut = input_chain.cut_centers(source, found, config.image_size, found.num_usable)
    return cut, f"{found.fingerprint} {config.image_size}"


def _facts(config, folder, epoch):
    """What stands beside a run's figures."""
    from colorization.evaluation import measure
    from colorization.training import state
    from pipelines.batches import survey
    from pipelines.sources import opener

    steps = config.steps_per_epoch
    if not steps:
        found = survey.load_survey(os.path.join(folder, "survey.json"))
        steps = max(1, found.num_usable // config.batch_size)
    recipe, differing = nearest_recipe(config)
    return {
        "recipe": recipe,
        "flags": differing,
        "data": ", ".join(map(measure.data_label, opener.split_specifications(config.data))),
        "steps": epoch * steps,
        "seconds": state.total_seconds(folder, epoch),
    }


def nearest_recipe(config):
    """Finds the recipe that a `Config` differs least from: its name, and the flags that differ."""
    from colorization import flags
    from colorization.config import knobs

    # Where things lie, and what leaves the outcome as it is.
    neutral = {*knobs(local=True), *knobs(free=True), "monitor_every", "monitor_pictures"}

    def lines(config):
        texts = zip(vars(config), flags.format_flags(config).splitlines(), strict=True)
        return {name: text for name, text in texts if name not in neutral}

    def distance(found):
        # Of two that differ in as many flags, the one whose flags look alike.
        alike = (difflib.SequenceMatcher(None, *pair).ratio() for pair in found[1].values())
        return len(found[1]), -sum(alike)

    own, differing = lines(config), []
    for path in sorted(flags.RECIPES.iterdir()):
        recipe = lines(flags.parse_flagfile(str(path)))
        pairs = {name: (text, recipe[name]) for name, text in own.items() if text != recipe[name]}
        differing.append((path.stem, pairs))
    name, pairs = min(differing, key=distance)
    return name, {field: text for field, (text, _) in pairs.items()}


def _parse_pairs(texts, folders):
    pairs = []
    for text in texts:
        pair = tuple(tuple(side.split("+")) for side in text.split(":"))
        if len(pair) != 2 or not {name for side in pair for name in side} <= folders.keys():
            raise EvaluationError(
                f"--pairs takes A:B, by names of runs given: {', '.join(folders)}. "
                f"Received: {text}."
            )
        pairs.append(pair)
    return pairs


if __name__ == "__main__":
    console.run_command(main, define_flags)
