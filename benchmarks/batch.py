"""Whether a batch that is killed ends with what `colorize` makes, and how fast both are.

`python benchmarks/batch.py --input=FOLDER [--number=1000] [--damaged=20]`

Copies photos of the folder, cuts some short, and colors them by `colorize`; by `batch` in peace;
and by `batch`, killed by SIGKILL when half is there and started again. Prints seconds, photos per
second and what came of it; the exit status is 1 if anything is missing, doubled or unlike.
"""

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import time

from absl import app, flags

_INPUT = flags.DEFINE_string("input", None, "Folder of JPEG files.", required=True)
_NUMBER = flags.DEFINE_integer("number", 1000, "Photos, the damaged among them.")
_DAMAGED = flags.DEFINE_integer("damaged", 20, "Photos cut short.")
_BEAM_OPTIONS = flags.DEFINE_string("beam_options", "", "As of the command.")


def main(_):
    """Prints a line for each run; the exit status is 1 if any law does not hold."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        _copy()
        seconds = _run(_colorize("colorize"))
        print(f"colorize: {_told('colorize', seconds)}")
        seconds = _run(_batch("peace"))
        print(f"batch: {_told('peace', seconds)}")
        process = _start(_batch("killed"))
        whole = _NUMBER.value - _DAMAGED.value
        while process.poll() is None and len(_pictures("killed")) < whole / 2:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        first = _settled("killed")
        seconds = _run(_batch("killed"))
        print(f"batch, killed with {len(first)} photos there, then: {_told('killed', seconds)}")
        again = _pictures("killed")
        twice = sum(again[name] != changed for name, changed in first.items())
        letters = pathlib.Path("killed/dead_letters.jsonl").read_text().splitlines()
        unlike = _unlike("killed") + _unlike("peace")
        print(
            f"{len(again)} outputs, {len(letters)} dead letters, {twice} made twice, "
            f"{unlike} unlike colorize's"
        )
        reasons = {json.loads(letter)["reason"] for letter in letters}
        is_told = reasons == _reasons("colorize") and len(letters) == _DAMAGED.value
        print(f"the reasons are{' ' if is_told else ' not '}those of colorize")
    sys.exit(0 if is_told and not twice and not unlike and len(again) == whole else 1)


def _copy():
    names = sorted(pathlib.Path(_INPUT.value).rglob("*.jpg"))[: _NUMBER.value]
    if len(names) < _NUMBER.value:
        sys.exit(f"--input={_INPUT.value}: {_NUMBER.value} photos wanted, {len(names)} there.")
    for index, name in enumerate(names):
        data = name.read_bytes()
        # One in every so many, anywhere in the album.
        if index * _DAMAGED.value // _NUMBER.value != (index + 1) * _DAMAGED.value // _NUMBER.value:
            data = data[: len(data) // 2]
        path = pathlib.Path(f"album/{index % 10}/{index:06d}.jpg")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def _colorize(output):
    return ["colorize", "album", f"--output={output}"]


def _batch(output):
    beam_options = f"--beam_options={_BEAM_OPTIONS.value}"
    return ["batch", "--input=album/**", f"--output={output}", beam_options]


def _start(command):
    root = pathlib.Path(__file__).resolve().parents[1]
    return subprocess.Popen(
        [sys.executable, "-m", f"colorization.{command[0]}", *command[1:]],
        env=os.environ | {"PYTHONPATH": str(root)},
        stdout=open(f"{command[0]}.txt", "w"),
        stderr=subprocess.STDOUT,
    )


def _run(command):
    start = time.monotonic()
    _start(command).wait()
    return time.monotonic() - start


def _told(output, seconds):
    text = pathlib.Path("colorize.txt" if output == "colorize" else "batch.txt").read_text()
    (line,) = re.findall(r"^Colored .*$", text, re.MULTILINE)
    return f"{seconds:.0f} s, {line.replace(f', in {output}', '')}"


def _pictures(folder):
    found = pathlib.Path(folder).rglob("[0-9]*.jpg")
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in found}


def _settled(folder):
    """What is there once the killed run's workers are gone."""
    found = None
    while found != (found := _pictures(folder)):
        time.sleep(2)
    return found


def _unlike(folder):
    expected = _pictures("colorize")
    unlike = expected.keys() ^ _pictures(folder).keys()
    for name in expected.keys() - unlike:
        if pathlib.Path(folder, name).read_bytes() != pathlib.Path("colorize", name).read_bytes():
            unlike.add(name)
    return len(unlike)


def _reasons(folder):
    records = pathlib.Path(folder, "colorization.jsonl").read_text().splitlines()
    return {json.loads(record)["message"] for record in records} - {""}


if __name__ == "__main__":
    app.run(main)
