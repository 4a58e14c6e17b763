"""Command lines: what shells and editors do to them before a command reads them."""

import os
import pathlib
import subprocess
import sys

import pytest
from absl import flags

from pipelines.console import read_command_line
from pipelines.errors import UserError

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def values():
    found = flags.FlagValues()
    flags.DEFINE_multi_string("data", [], "Data.", flag_values=found)
    flags.DEFINE_string("flagfile", "", "As absl defines it.", flag_values=found)
    return found


def read(values, *words):
    program, *words = read_command_line(values, ["command", *map(str, words)])
    assert program == "command"
    return words


@pytest.mark.parametrize(
    ("word", "expanded"),
    [
        ("--output=~/colored", "--output=HOME/colored"),
        ("--output=~", "--output=HOME"),
        ("~/album/**", "HOME/album/**"),
        ("--data=folder:~/a,folder:~/b c", "--data=folder:HOME/a,folder:HOME/b c"),
        ("--data=pairs:color=~/c,gray=~/g", "--data=pairs:color=HOME/c,gray=HOME/g"),
        # A shell leaves these as they are, too.
        ("--output=./~/colored", "--output=./~/colored"),
        ("--exclude=~*", "--exclude=~*"),
        ("draft~", "draft~"),
    ],
)
def test_the_home_folder_is_expanded_where_a_path_starts(word, expanded, values, monkeypatch):
    home = r"/home/\1 me"
    monkeypatch.setenv("HOME", home)
    assert read(values, word) == [expanded.replace("HOME", home)]


def test_paths_in_flagfiles_are_expanded(values, tmp_path):
    (tmp_path / "recipe").write_text("# Comment\n--data=folder:~/a\n")
    expected = ["x", f"--data=folder:{os.path.expanduser('~')}/a", "--data=b"]
    assert read(values, "x", f"--flagfile={tmp_path}/recipe", "--data=b") == expected


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("text", ["# caf\xe9\n--data=a\n", "--data=caf\xe9\n"])
def test_a_flagfile_in_another_encoding_is_one_clear_line(encoding, text, values, tmp_path):
    path = tmp_path / "recipe.txt"
    path.write_bytes(text.encode(encoding))
    with pytest.raises(UserError, match=f"UTF-8 .* Received: --flagfile={path}.* Save it as"):
        read(values, f"--flagfile={path}")


def test_a_missing_flagfile_is_named(values):
    with pytest.raises(UserError, match="Unable to open flagfile: .*nowhere"):
        read(values, "--flagfile=nowhere")


@pytest.mark.parametrize("command", ["colorization.colorize", "pipelines.shard"])
def test_commands_start_in_a_folder_with_files_named_as_modules_of_python(command, tmp_path):
    for name in ("queue", "random", "logging", "dataclasses"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('shadowed')")
    for package in ("colorization", "pipelines"):
        (tmp_path / package).symlink_to(ROOT / package)
    done = subprocess.run(
        [sys.executable, "-m", command, "--help"], cwd=tmp_path, capture_output=True, text=True
    )
    assert "--output" in done.stdout and "shadowed" not in done.stderr
