"""Commands: one line for a user's mistake, a traceback for a bug, and an exit status."""

import os
import pathlib
import pty
import re
import subprocess
import sys

import pytest

from pipelines import console
from tests import command_line

ROOT = pathlib.Path(__file__).parents[2]


def call(*arguments):
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout, done.stderr


def run(body, *arguments):
    """Runs a command whose main has this body."""
    program = (
        "import logging, absl.logging\n"
        "from colorization import config\n"
        "from pipelines import console\n"
        f"def main(words):\n    {body}\n"
        "console.run_command(main, lambda: None)\n"
    )
    return call("-c", program, *arguments)


def test_a_mistake_of_the_user_is_one_line():
    error = "raise config.ConfigError('--depth is at least 2. Received: 1.')"
    assert run(error) == (1, "", "Error: --depth is at least 2. Received: 1.\n")


def test_an_error_of_the_system_is_one_line():
    status, _, errors = run("open('/nowhere/at/all')")
    assert (status, len(errors.splitlines())) == (1, 1)
    assert errors == "Error: /nowhere/at/all: No such file or directory.\n"


@pytest.mark.parametrize(
    "bug, last",
    [
        ("int('two')", "ValueError: invalid literal for int()"),
        ("{}['key']", "KeyError: 'key'"),
    ],
)
def test_a_bug_keeps_its_traceback(bug, last):
    status, _, errors = run(bug)
    assert status == 1 and "Traceback (most recent call last)" in errors
    assert errors.strip().splitlines()[-1].startswith(last)


@pytest.mark.parametrize(
    "body, status", [("pass", 0), ("return None", 0), ("return 0", 0), ("return 3", 3)]
)
def test_status_is_what_main_returns(body, status):
    assert run(body) == (status, "", "")


def test_interruption():
    assert run("raise KeyboardInterrupt") == (130, "", "Stopped.\n")


COMMANDS = [
    *("colorize train evaluate compare prefer audit export serve batch demo".split()),
    *("pipelines.shard pipelines.data_service".split()),
]


def close_early(*arguments):
    """Runs a command whose output nobody reads; returns its status and errors."""
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write) as unread:
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=unread,
            stderr=subprocess.PIPE,
            text=True,
        )
    return done.returncode, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_ends_quietly_where_nobody_reads(command):
    module = command if "." in command else f"colorization.{command}"
    assert close_early("-m", module, "--help") == (141, "")


@pytest.mark.parametrize(
    "body",
    ["print(1)", "[print(n, flush=True) for n in range(9)]", "raise config.ConfigError('no')"],
)
def test_a_closed_pipe_ends_a_command_quietly(body):
    program = (
        "from colorization import config\n"
        "from pipelines import console\n"
        f"def main(words):\n    print('before')\n    {body}\n"
        "console.run_command(main, lambda: None)\n"
    )
    status, errors = close_early("-c", program)
    assert (status, "Traceback" in errors, "ignored" in errors) == (141, False, False)


def test_a_broken_socket_is_no_closed_pipe():
    body = "raise BrokenPipeError(32, 'Broken pipe')"
    assert run(body) == (1, "", "Error: [Errno 32] Broken pipe\n")


def test_main_gets_the_words_that_are_no_flags():
    assert run("print(words)", "a", "--verbosity=-1", "b") == (0, "['a', 'b']\n", "")


def test_warnings_are_told_and_notes_are_not():
    body = "logging.info('note'); absl.logging.info('note'); logging.warning('mind')"
    status, _, errors = run(body)
    assert status == 0 and errors.endswith("mind\n") and "note" not in errors
    assert run(body, "--verbosity=0")[2].count("note") == 2


def train(*arguments):
    return command_line.call("colorization.train", *arguments)


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--nonsense"], "FATAL Flags parsing error: Unknown command line flag 'nonsense'"),
        (["--codec=cubist"], "FATAL .*--codec=cubist: value should be one of <lab|"),
        (["--epochs=many"], "FATAL .*--epochs=many: invalid literal"),
    ],
)
def test_flags_that_do_not_parse(arguments, message):
    status, output, errors = train(*arguments)
    assert (status, output) == (1, "") and "Traceback" not in errors
    assert re.match(message, errors) and "--helpshort" in errors


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "--data is needed. Received: nothing. See --help."),
        (["--data=samples"], "--model_dir is needed. Received: nothing. See --help."),
        (["--dry_run"], "--data is needed. Received: nothing. See --help."),
        (["samples"], "train takes flags only. Received: samples."),
        (["--flagfile=nowhere"], "Unable to open flagfile: [Errno 2] No such file"),
        (["--learning_rate=nan"], "--learning_rate is a finite number. Received: nan."),
        (["--schedule=plateau", "--warmup_steps=1"], "--schedule=plateau starts at the full"),
    ],
)
def test_runs_that_can_not_be(arguments, message):
    status, output, errors = train(*arguments)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(f"Error: {message}")


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags, message",
    [
        (["--data=folder:{folder}/none"], "--data: folder:{folder}/none needs a folder"),
        (["--data=samples", "--val_data=folder:{folder}/none"], "--val_data: folder:{folder}/none"),
        (["--data=samples", "--cache={folder}/none"], "--cache is none, memory or a folder that"),
    ],
)
def test_wrong_pictures_are_one_line_and_leave_nothing(flags, message, tmp_path):
    flags = [flag.replace("{folder}", str(tmp_path)) for flag in flags]
    status, output, errors = train(*flags, f"--model_dir={tmp_path}/run")
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith("Error: " + message.replace("{folder}", str(tmp_path)))
    assert not list(tmp_path.iterdir())


def test_tensorflow_is_imported_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "tensorflow", object())
    monkeypatch.setattr(os, "dup", lambda _: pytest.fail("not needed"))
    console.import_quietly()


def test_what_is_being_done_is_said_on_a_terminal_and_gone_at_the_end():
    master, terminal = pty.openpty()
    program = (
        "from pipelines import console\n"
        "with console.doing('Counting'), console.silence_stderr():\n    print(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, stderr=terminal, stdout=subprocess.PIPE
    )
    os.close(terminal)
    said = os.read(master, 1000).decode()
    os.close(master)
    assert (done.returncode, done.stdout) == (0, b"1\n")
    # The line is cleared before and after.
    assert re.fullmatch(r"\r\x1b\[KCounting: \d+ s\r\x1b\[K", said)


def test_nothing_is_said_of_it_where_no_terminal_is():
    program = "from pipelines import console\nwith console.doing('Counting'):\n    pass\n"
    assert call("-c", program) == (0, "", "")
