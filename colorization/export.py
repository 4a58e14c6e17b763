"""Exports a run as SavedModel: `python -m colorization.export --model_dir=RUN`.

The SavedModel lies in TF Serving's layout, DIRECTORY/VERSION/, and needs none of this code. Its
signature `arrays`, also the default, takes a uint8 RGB batch of shape (batch, height, width, 3), of
any one size, and returns the colored batch in the same shape. Only the lightness of what comes in
is used, and it is kept.
"""

import dataclasses
import os


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string("model_dir", "", "Directory of the run to export.")
    flags.DEFINE_string(
        "output", "", "Directory of the model, named as it; the default is RUN/saved_model."
    )
    flags.DEFINE_integer("version", 0, "Version to write; 0: the next free one.", lower_bound=0)
    flags.DEFINE_integer(
        "working_size",
        0,
        "Short side of what the network sees, in pixels; larger photos are seen smaller, and "
        "colored at their own size. 0: the size of the training crops.",
        lower_bound=0,
    )
    flags.DEFINE_float(
        "temperature",
        0.0,
        "Of the annealed mean, for models of quantized chroma; 0: the recipe's.",
        lower_bound=0,
        upper_bound=1,
    )
    flags.DEFINE_float(
        "rarity",
        1.0,
        "How much of the class weights of training a model of quantized chroma keeps: 1 gives "
        "rare, vivid colors their chance, 0 as much of it as they have in the training pictures.",
        lower_bound=0,
        upper_bound=1,
    )


def main(arguments):
    """Exports the run that the flags name."""
    from absl import flags

    from colorization import commands
    from colorization.config import ConfigError

    options = flags.FLAGS
    if arguments or not options.model_dir:
        raise ConfigError("export takes --model_dir=RUN and other flags only. See --help.")
    commands.import_quietly()
    path = export(
        options.model_dir,
        options.output or os.path.join(options.model_dir, "saved_model"),
        options.version,
        options.working_size,
        options.temperature,
        options.rarity,
    )
    print(f"Exported {options.model_dir} to {path}")


def export(model_dir, output, version=0, working_size=0, temperature=0.0, rarity=1.0):
    """Writes the latest checkpoint of a run, with averaged weights, as SavedModel.

    Args:
        model_dir: Directory of the run.
        output: Directory of the model; its versions lie in it.
        version: Version to write; 0 takes the next free one.
        working_size: Short side of what the network sees, in pixels; 0 takes the training size.
        temperature: Of the annealed mean; 0 takes the recipe's.
        rarity: Share of the class weights of training that is kept, in `[0, 1]`.

    Returns:
        The path of the version.

    Raises:
        ConfigError: If `model_dir` is no run, or the sizes do not fit its network.
        TrainingError: If the run has no checkpoint yet, or a damaged one.
        ExportError: If the version exists or can't be written.
    """
    from colorization import build, flags
    from colorization.config import ConfigError
    from colorization.inference.graph import ColorizationGraph
    from colorization.serving import saved_model

    config = flags.parse_flagfile(build.recipe_path(model_dir))
    if temperature:
        config = dataclasses.replace(config, temperature=temperature)
    size = working_size or config.image_size
    if size % config.size_multiple:
        raise ConfigError(
            f"--working_size is a multiple of {config.size_multiple} for `{config.generator}`. "
            f"Received: {working_size}."
        )
    network, epoch = build.trained_generator(config, model_dir, rarity)
    codec = build.build_codec(config)
    graph = ColorizationGraph(network, codec, size, config.size_multiple)
    description = {
        "codec": config.codec,
        "epochs": epoch,
        "working_size": size,
        "temperature": config.temperature if config.is_quantized else None,
        "rarity": rarity if config.is_quantized else None,
        # Not where its maker's pictures lie: a model travels.
        "recipe": [
            line
            for line in flags.format_flags(config).splitlines()
            if not line.startswith(("--data=", "--val_data=", "--model_dir=", "--cache="))
        ],
        "prior": build.kept_prior(config, model_dir),
    }
    version = version or saved_model.next_version(output)
    return saved_model.save(graph, output, version, description)


if __name__ == "__main__":
    from colorization.commands import run_command

    run_command(main, define_flags)
