"""All commands under one name: `colorization train --recipe=chroma ...`.

`python -m colorization.train` does the same as `colorization train`.
"""

import difflib
import runpy
import sys

import colorization
from pipelines import console
from pipelines.errors import UserError

# Name: the module that `python -m` would take, and what it does.
COMMANDS = {
    "colorize": ("colorization.colorize", "color photos; also the command `colorize`"),
    "serve": ("colorization.serve", "a web page and an API that color photos"),
    "batch": ("colorization.batch", "color millions of photos with Apache Beam"),
    "demo": ("colorization.demo", "color four sample photos"),
    "audit": ("colorization.audit", "look at pictures before training on them"),
    "train": ("colorization.train", "train a colorizer"),
    "export": ("colorization.export", "write a run as a model for coloring, servers or phones"),
    "evaluate": ("colorization.evaluate", "measure models on photos in color"),
    "compare": ("colorization.compare", "set runs or results side by side"),
    "prefer": ("colorization.prefer", "ask people which coloring looks better"),
    "shard": ("pipelines.shard", "write pictures into a few large files"),
    "data_service": ("pipelines.data_service", "prepare batches on other machines"),
}


def main():
    """Runs the command that the first word names; returns the exit status."""
    return console.exit_status(_run)


def _run():
    _, *words = sys.argv
    if not words or words[0] in ("-h", "--help", "help"):
        print("Usage: colorization COMMAND [flags], or COMMAND --help\n")
        for name, (_, about) in COMMANDS.items():
            print(f"  {name:14}{about}")
        return 0
    if words[0] == "--version":
        print(f"colorization {colorization.__version__}")
        return 0
    name, *others = words
    if name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, 1)
        raise UserError(
            f"Expected one of {', '.join(COMMANDS)}. Received: {name}."
            + (f" Did you mean {near[0]}?" if near else "")
        )
    sys.argv = [f"colorization {name}", *others]
    runpy.run_module(COMMANDS[name][0], run_name="__main__", alter_sys=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
