"""Finds out what is in a set of pictures, before training on it.

`python -m colorization.audit --data=folder:PHOTOS [--val_data=folder:OTHERS] [--output=FOLDER]`

Every picture is read once. Told are sizes and colors, what is damaged, gray or in one tint (sepia),
copies byte for byte or by their look, mirrored ones too, and pictures of --val_data that --data
holds as well. With --output the folder gets report.html, audit.json and exclude.txt, which names
what training should leave out: give it to `colorization.train` as --exclude.
"""

import json
import os
import sys

from pipelines.files import atomic_write

FILENAMES = ("report.html", "audit.json", "exclude.txt")


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "data",
        "",
        "Pictures to train on, as of colorization.train: folder:PATH (recursive) or another "
        "source. Several, separated by commas, are joined.",
    )
    flags.DEFINE_string(
        "val_data", "", "Pictures to validate on, as --data; their copies in it are leaks."
    )
    flags.DEFINE_string("output", "", "Folder for the report and lists; made if it is missing.")


def main(arguments):
    """Audits what the flags name."""
    from absl import flags

    from colorization.config import ConfigError
    from pipelines import console

    options = flags.FLAGS
    if arguments or not options.data:
        raise ConfigError("audit takes --data=SOURCE and other flags only. See --help.")
    if options.output:
        _check_output(options.output)
    console.import_quietly()
    from colorization.audit import findings
    from pipelines.sources import opener

    opened = [opener.open_source(text) for text in (options.data, options.val_data) if text]
    with _progress(sum(len(source.names) for source in opened)) as bar:
        found = findings.audit(*opened, on_progress=bar.update)
    if options.output:
        # First: whoever reads the tables may close the pipe.
        write(found, options.output)
    _print_tables(found)
    if options.output:
        print(f"Wrote {', '.join(FILENAMES)} to {options.output}")


def write(found, folder):
    """Writes the report and the lists of an audit, each whole or not at all.

    Args:
        found: A `colorization.audit.findings.Audit`.
        folder: Path; made if it is missing.

    Raises:
        OSError: If a file can't be written.
    """
    from colorization.audit import findings_page, statistics
    from pipelines.sources import exclusions

    def write_json(file):
        json.dump(statistics.as_json(found), file, indent=1)
        file.write("\n")

    def write_list(file):
        source = found.sets[0].source
        file.write(
            f"# What training on {exclusions.quote(source.name)} should leave out: "
            "name, tab, reason.\n"
        )
        for name, reason in found.exclusions():
            file.write(exclusions.format_line(exclusions.full_name(source, name), reason))

    os.makedirs(folder, exist_ok=True)
    writers = (lambda file: findings_page.write_page(file, found), write_json, write_list)
    for name, writer in zip(FILENAMES, writers, strict=True):
        # A name that is no text, which no page can show, must not cost the page.
        path, errors = os.path.join(folder, name), "backslashreplace"
        with atomic_write(path, "w", encoding="utf-8", errors=errors) as file:
            writer(file)


def _check_output(folder):
    from colorization.config import ConfigError

    if os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise ConfigError(
            f"--output is a new or an empty folder. Received: {folder}, which is there already. "
            "Choose another."
        )


def _progress(total):
    from tqdm import tqdm

    # None: only on a terminal.
    return tqdm(desc="Reading", total=total, unit="picture", disable=None, leave=False)


def _print_tables(found):
    from colorization.audit import statistics

    names = ["--data", "--val_data"][: len(found.sets)]
    rows = [(name, *(f"{value:,}" for value in row)) for name, *row in statistics.findings(found)]
    _print_table(["", *names], rows)
    for name, part in zip(names, found.sets, strict=True):
        rows = [
            (row, *statistics.as_texts(values))
            for row, values in statistics.distributions(part.measures).items()
        ]
        print()
        _print_table([name, *statistics.COLUMNS], rows)


def _print_table(head, rows):
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for first, *others in (head, *rows):
        cells = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]))
    sys.stdout.flush()


if __name__ == "__main__":
    from pipelines.console import run_command

    run_command(main, define_flags)
