"""Shows what is in a set of pictures, before a model is trained on it.

`colorization audit --data=folder:PHOTOS [--val_data=folder:OTHERS] [--output=FOLDER]`

Reads every picture once and reports sizes and colors; damaged, gray and toned (sepia) pictures;
identical and similar copies, even mirrored ones; and pictures of --val_data that --data holds too.
With --output it writes report.html, audit.json and exclude.txt, the list of what training should
leave out: pass it to `colorization train` as --exclude.
"""

import json
import os
import sys

from pipelines import console

FILENAMES = ("report.html", "audit.json", "exclude.txt")


def define_flags():
    """Defines the flags of the command."""
    from absl import flags

    flags.DEFINE_string(
        "data",
        "",
        "Pictures to train on, as for colorization.train: folder:PATH (recursive) or another "
        "source. Several, separated by commas, are joined.",
    )
    flags.DEFINE_string(
        "val_data", "", "Pictures to validate on, as --data; copies of them in --data are leaks."
    )
    flags.DEFINE_string("output", "", "Folder for the report and lists; made if it is missing.")


def main(arguments):
    """Audits what the flags name."""
    from absl import flags

    from colorization.config import ConfigError

    options = flags.FLAGS
    if arguments or not options.data:
        raise ConfigError("audit takes --data=SOURCE and other flags only. See --help.")
    folder = options.output
    if folder and os.path.exists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise ConfigError(
            f"--output must be a new or an empty folder. Received: {folder}, which exists. "
            "Choose another."
        )
    console.import_quietly()
    from colorization.auditing import findings
    from pipelines.sources import opener

    with console.doing("Opening the pictures"):
        opened = [
            opener.open_source(options[flag].value, f"--{flag}")
            for flag in ("data", "val_data")
            if options[flag].value
        ]
    total = sum(len(source.names) for source in opened)
    with console.progress("Reading", total, "picture") as bar:
        found = findings.audit(*opened, on_progress=bar.update)
    if folder:
        # First: whoever reads the tables may close the pipe.
        with console.doing("Writing the report"):
            write(found, folder)
    _print_tables(found)
    if folder:
        print(f"Wrote {', '.join(FILENAMES)} to {folder}")
        listed = os.path.join(folder, FILENAMES[-1])
        print(f"To leave these pictures out: colorization train --exclude={listed} ...")


def write(found, folder):
    """Writes the report and the lists of an `Audit` to a folder, each atomically."""
    from colorization.auditing import audit_report
    from pipelines.files import atomic_write
    from pipelines.sources import listings

    source = found.sets[0].source
    lines = [
        f"# What training on {listings.quote(source.name)} should leave out: name, tab, reason.\n"
    ]
    for name, reason in found.exclusions():
        lines.append(listings.format_line(listings.full_name(source, name), reason))
    texts = (
        audit_report.page(found),
        json.dumps(audit_report.as_json(found), indent=1) + "\n",
        "".join(lines),
    )
    os.makedirs(folder, exist_ok=True)
    for name, text in zip(FILENAMES, texts, strict=True):
        # A name that is no text must not cost the file.
        path, errors = os.path.join(folder, name), "backslashreplace"
        with atomic_write(path, "w", encoding="utf-8", errors=errors) as file:
            file.write(text)


def _print_tables(found):
    from colorization.auditing import audit_report

    names = ["--data", "--val_data"][: len(found.sets)]
    rows = [(name, *(f"{value:,}" for value in row)) for name, *row in audit_report.findings(found)]
    _print_table(["", *names], rows)
    for name, part in zip(names, found.sets, strict=True):
        rows = [
            (row, *audit_report.as_texts(values))
            for row, values in audit_report.distributions(part.measures).items()
        ]
        print()
        _print_table([name, *audit_report.COLUMNS], rows)


def _print_table(head, rows):
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    for first, *others in (head, *rows):
        cells = (text.rjust(width) for text, width in zip(others, widths[1:], strict=True))
        print("  ".join([first.ljust(widths[0]), *cells]))
    sys.stdout.flush()


if __name__ == "__main__":
    console.run_command(main, define_flags)
