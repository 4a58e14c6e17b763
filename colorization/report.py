r"""Tells what runs came to, side by side: `python -m colorization.report RUN... --output=FILE.md`.

Every run's network colors the pictures of its own --val_data at the size of its crops; a network
that predicts lightness too is taken at its word. Writes a Markdown table of the runs with a sheet
of pictures for each, and figures of the runs that --compare names beside one another, with 95 %
intervals of their differences.

  python -m colorization.report runs/dcgan runs/wgan_gp --compare=dcgan:wgan_gp \
      --features=squeezenet:WEIGHTS.h5 --output=results.md
"""

import dataclasses
import difflib
import os
import pathlib
import sys

_RECIPES = pathlib.Path(__file__).parent / "recipes"
# Where things lie, and what leaves the outcome as it is.
_LOCAL = ("model_dir", "data", "val_data", "exclude", "encoder_weights", "feature_weights")
_LOCAL += ("cache", "keep_checkpoints", "dry_run", "monitor_every", "monitor_pictures")


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "output", "", "Markdown file to write; sheets go into a folder of its name beside it."
    )
    flags.DEFINE_list(
        "compare",
        [],
        "Pairs of runs, A:B, by the names of their folders. Seeds of one run are joined by a plus "
        "and averaged: A+A-1:B+B-1.",
    )
    flags.DEFINE_string(
        "features",
        "",
        "Networks to compare sets of pictures by, as of colorization.evaluate, such as "
        "squeezenet:FILE.",
    )
    flags.DEFINE_integer(
        "num_variants",
        5,
        "Colorings of each picture by runs with noise, to tell their distance; 2 to 25.",
        lower_bound=2,
        upper_bound=25,
    )
    flags.DEFINE_bool("overwrite", False, "Replace --output if it is there.")


def main(arguments):
    """Measures the runs and writes the report."""
    from absl import flags

    from colorization.evaluation import EvaluationError
    from pipelines import console

    options = flags.FLAGS
    if not arguments:
        raise EvaluationError("report takes directories of runs. Received: none. See --help.")
    if not options.output.endswith(".md"):
        raise EvaluationError(
            f"--output is a Markdown file (.md). Received: {options.output or 'nothing'}."
        )
    if os.path.exists(options.output) and not options.overwrite:
        raise EvaluationError(f"--output={options.output} is there already. Set --overwrite.")
    folders = _by_name(arguments)
    pairs = _parse_pairs(options.compare, folders)
    console.import_quietly()
    report(folders, pairs, options.features, options.num_variants, options.output)


def report(folders, pairs, features, num_variants, output):
    """Measures runs and writes a report.

    Args:
        folders: Dict of directories of runs, by name.
        pairs: List of pairs of lists of names.
        features: Text of `--features`.
        num_variants: Colorings of each picture by runs with noise.
        output: Markdown file to write.

    Raises:
        ConfigError: If a directory holds no run, or one of another version.
        TrainingError: If a run has no checkpoint.
        EvaluationError: If a pair has different pictures, or a network can't be had.
    """
    from colorization import build, flags
    from colorization.evaluation import features as backends
    from colorization.evaluation import run_tables, runs
    from pipelines.files import write_text
    from pipelines.photos.photo_files import write_picture

    networks = backends.open_features(features)
    # All are opened before the first is measured: a mistake in the last is told at once.
    configs = {
        name: flags.parse_flagfile(build.recipe_path(folder)) for name, folder in folders.items()
    }
    outcomes, facts = {}, {}
    for name, folder in folders.items():
        config = configs[name]
        network, epoch = build.trained_generator(config, folder)
        pictures, digest = _validation(config, folder)
        codec = build.build_codec(config)
        outcomes[name] = runs.measure_run(network, codec, pictures, digest, networks, num_variants)
        facts[name] = _facts(config, folder, epoch)
        print(f"{name}: {len(pictures)} pictures measured.", file=sys.stderr, flush=True)
    differences = {
        pair: runs.difference(*([outcomes[name] for name in side] for side in pair))
        for pair in pairs
    }
    text = run_tables.page(facts, outcomes, differences, networks, pathlib.Path(output).stem)
    sheets = pathlib.Path(output).with_suffix("")
    sheets.mkdir(parents=True, exist_ok=True)
    for name, outcome in outcomes.items():
        write_picture(sheets / f"{name}.jpg", outcome.sheet, overwrite=True)
    write_text(output, text)


def _validation(config, folder):
    """A run's validation pictures, cut to the size of its crops, and a digest of them."""
    from colorization import build
    from colorization.evaluation import EvaluationError
    from pipelines.batches import input_chain

    if not config.val_data:
        raise EvaluationError(f"report measures runs with --val_data. Received: {folder}.")
    source, found = build.open_pictures(
        config.val_data, folder, "val_survey", config.white_background
    )
    if found.num_usable < 2:
        raise EvaluationError(f"report measures at least 2 pictures. Received: {source.name}.")
    cut = input_chain.center_batches(source, found, config.image_size, found.num_usable)
    return next(cut.as_numpy_iterator()), f"{found.fingerprint} {config.image_size}"


def _facts(config, folder, epoch):
    """What the report tells of a run beside its figures."""
    from colorization.evaluation import data
    from colorization.training import run_directory
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
        "data": ", ".join(map(data.label, opener.split_specifications(config.data))),
        "steps": epoch * steps,
        "seconds": run_directory.seconds(folder, epoch),
    }


def nearest_recipe(config):
    """Tells which recipe a run was made of: the one that it differs least from.

    Args:
        config: The run's `Config`.

    Returns:
        Pair of the recipe's name and a dict, by name, of the flags that the run differs in.
    """
    from colorization import flags

    recipes = {path.stem: flags.parse_flagfile(str(path)) for path in sorted(_RECIPES.iterdir())}
    lines = {name: _lines(recipe) for name, recipe in recipes.items()}
    own = _lines(config)
    found = {
        name: {field: text for field, text in own.items() if text != others[field]}
        for name, others in lines.items()
    }

    def distance(name):
        # Of two that differ in as many flags, the one whose flags look alike.
        texts = [(text, lines[name][field]) for field, text in found[name].items()]
        return len(texts), -sum(difflib.SequenceMatcher(None, *pair).ratio() for pair in texts)

    name = min(found, key=distance)
    return name, found[name]


def _lines(config):
    """The flags of a run by their names, without what does not change its result."""
    from colorization import flags

    names = [field.name for field in dataclasses.fields(config)]
    lines = zip(names, flags.format_flags(config).splitlines(), strict=True)
    return {name: line for name, line in lines if name not in _LOCAL}


def _by_name(arguments):
    from colorization.evaluation import EvaluationError

    folders = {pathlib.Path(path).name: path for path in arguments}
    if len(folders) < len(arguments):
        raise EvaluationError(
            "report tells runs apart by the names of their folders. Received: "
            f"{' '.join(arguments)}. Rename one."
        )
    return folders


def _parse_pairs(texts, folders):
    from colorization.evaluation import EvaluationError

    pairs = []
    for text in texts:
        pair = tuple(tuple(side.split("+")) for side in text.split(":"))
        if len(pair) != 2 or not {name for side in pair for name in side} <= folders.keys():
            raise EvaluationError(
                f"--compare takes A:B, by names of runs given: {', '.join(folders)}. "
                f"Received: {text}."
            )
        pairs.append(pair)
    return pairs


if __name__ == "__main__":
    from pipelines.console import run_command

    run_command(main, define_flags)
