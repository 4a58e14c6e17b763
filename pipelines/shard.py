"""Writes pictures into TFRecord shards, for file systems that are slow with many small files.

`colorization shard --data=folder:PHOTOS --output=SHARDS [--exclude=audit/exclude.txt]`

Files are kept as they are, and --data=records:SHARDS reads them back. Damaged ones are counted,
named and left out. The command can be stopped at any time: run it again, and it checks the shards
that are there by SHA-256, keeps the whole ones and makes the others. It runs on Apache Beam
(pip install 'colorization[scale]'), on this machine or, with --runner, on others.
"""

from pipelines import console
from pipelines.errors import UserError


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    from pipelines.shards import beam_runner

    flags.DEFINE_string(
        "data",
        "",
        "Pictures, as --data of colorization.train: folder:PATH (recursive) or another source. "
        "Several, separated by commas, are joined.",
    )
    flags.DEFINE_string(
        "output",
        "",
        "Folder for the shards, on any file system that Beam knows: new, empty, or one of the same "
        "pictures, to resume.",
    )
    flags.DEFINE_string(
        "exclude",
        "",
        "File that names pictures to leave out, one a line, as colorization.audit writes it. "
        "Empty: none.",
    )
    flags.DEFINE_integer(
        "num_shards", 0, "How many to make; 0: as --shard_megabytes says.", lower_bound=0
    )
    flags.DEFINE_integer("shard_megabytes", 100, "About what a shard holds.", lower_bound=1)
    beam_runner.define_flags(flags.FLAGS)


def main(arguments):
    """Shards what the flags name."""
    from absl import flags

    from pipelines.shards import beam_runner

    options = flags.FLAGS
    if arguments or not options.data or not options.output:
        raise UserError("shard takes --data=SOURCE and --output=FOLDER. See --help.")
    beam_runner.import_beam()
    console.import_quietly()
    from pipelines.shards import beam_pipeline

    planned = beam_pipeline.plan(
        options.data, options.exclude, options.num_shards, options.shard_megabytes
    )
    index, num_made = beam_pipeline.shard(
        planned, options.output, options.runner, options.beam_options
    )
    print(
        f"{options.output}: {len(index.shards)} shards ({num_made} made now), "
        f"{index.num_pictures:,} pictures ({len(index.damaged)} damaged and {len(index.excluded)} "
        f"excluded left out), {index.bytes / 1e6:,.1f} MB"
    )


if __name__ == "__main__":
    console.run_command(main, define_flags)
