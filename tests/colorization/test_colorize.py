import dataclasses
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from colorization import colorize
from colorization.inference import colorizer, model_folder, plan, threads
from colorization.inference.options import OptionError, Options
from pipelines.photos.photo_files import PictureError, read_picture, write_picture

ROOT = pathlib.Path(__file__).parents[2]


RealColorizer, read_description = colorizer.Colorizer, model_folder.read_description


class Inverter:
    """Stands in for the colorizer; what it does to a photo is easy to tell."""

    calls = []

    def __init__(self, model=None, **_):
        self.description = {"name": "inverter", "version": model, "gives_variants": not model}

    def check(self, options):
        if options.num_variants > 1 and not self.description["gives_variants"]:
            raise OptionError(f"inverter gives one. Received: num_variants={options.num_variants}.")

    def colorize_file(self, source, destination, options, *, overwrite=False):
        self.calls.append((source.name, options))
        picture = read_picture(source)
        if options.keep_colored and "color" in source.name:
            return []
        paths = plan.variant_paths(destination, options.num_variants)[:2]
        for path in paths:
            write_picture(path, 255 - picture, overwrite)
        return paths


def photo(seed=0):
    return np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs the command in a folder with an album; gives status, output lines and error lines."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(colorizer, "Colorizer", Inverter)
    monkeypatch.setattr(model_folder, "read_description", lambda _: Inverter().description)
    monkeypatch.setattr(Inverter, "calls", [])
    pathlib.Path("album/1931").mkdir(parents=True)
    for seed, name in enumerate(("a.png", "b.png", "1931/c.png")):
        write_picture(f"album/{name}", photo(seed))

    def call(*arguments):
        Inverter.calls.clear()
        status = colorize.main(["colorize", *arguments])
        output, errors = capfd.readouterr()
        # How fast it was, no test can know.
        output = re.sub(r"\(\d+\.\d photos/s(, )?", "(", output).replace(" ()", "")
        return status, output.splitlines(), errors.splitlines()

    return call


def tear(name):
    pathlib.Path("album", name).write_bytes(pathlib.Path("album/a.png").read_bytes()[:-30])


LISTED = "Record of each photo: out/colorization.jsonl"


def test_one_photo_says_where_it_lies(run):
    assert run("album/a.png", "--output=out.png") == (0, ["Colored album/a.png: out.png"], [])
    assert run("album/b.png", "-o", "b.jpg") == (0, ["Colored album/b.png: b.jpg"], [])
    beside = "album/a_color.png"
    assert run("album/a.png") == (0, [f"Colored album/a.png: {beside}"], [])
    status, _, (line,) = run("album/a.png")
    assert status == 1 and f"{beside} is there already" in line and "--overwrite" in line
    np.testing.assert_array_equal(read_picture("out.png"), 255 - photo())
    assert run("--output", "deep/er", "album/a.png")[0] == 0
    assert os.listdir("deep/er") == ["a.png"]
    assert run("--output", "deep/er", "album/a.png", "--skip_existing") == (
        0,
        ["Skipped album/a.png: deep/er/a.png is there already."],
        [],
    )


def test_a_folder_is_mirrored_and_its_photos_listed(run):
    assert run("album", "--output=out") == (0, ["Colored 3 of 3 photos, in out.", LISTED], [])
    np.testing.assert_array_equal(read_picture("out/1931/c.png"), 255 - photo(2))
    assert sorted(os.listdir("out")) == ["1931", "a.png", "b.png", "colorization.jsonl"]
    lines = pathlib.Path("out/colorization.jsonl").read_text().splitlines()
    assert {json.loads(line)["source"] for line in lines} == {"a.png", "b.png", "1931/c.png"}


def test_goes_on_past_damaged_files_and_names_each(run):
    tear("torn.png")
    pathlib.Path("album/void.jpg").touch()
    status, output, errors = run("album", "--output=out")
    assert status == 1 and output == ["Colored 3 of 5 photos, in out (2 failed).", LISTED]
    assert sorted(line.partition(":")[0] for line in errors) == ["album/torn.png", "album/void.jpg"]


def test_existing_files_are_kept_unless_told_otherwise(run):
    run("album", "--output=out")
    write_picture("out/a.png", photo(9), overwrite=True)
    status, output, (line,) = run("album", "--output=out")
    assert status == 1 and output == ["Colored 0 of 3 photos, in out (3 failed).", LISTED]
    assert line.startswith("out/a.png and 2 more are there") and "--overwrite" in line
    assert not Inverter.calls
    np.testing.assert_array_equal(read_picture("out/a.png"), photo(9))
    assert run("album", "--output=out", "--overwrite")[0] == 0
    np.testing.assert_array_equal(read_picture("out/a.png"), 255 - photo())


def test_dates_of_files_are_kept_if_told_so(run):
    os.utime("album/a.png", ns=(10**18, 10**18 + 7))
    run("album", "--output=new")
    run("album", "--output=old", "--keep_times")
    assert os.stat("old/a.png").st_mtime_ns == 10**18 + 7
    assert os.stat("new/a.png").st_mtime_ns > 10**18 + 7


def test_the_same_command_goes_on_after_a_crash(run):
    command = ("album", "--output=out", "--skip_existing", "--report")
    tear("torn.png")
    assert run(*command)[0] == 1
    os.unlink("out/b.png")
    write_picture("album/torn.png", photo(5), overwrite=True)
    status, output, errors = run(*command)
    assert (status, errors) == (0, [])
    assert output == [
        "Colored 2 of 4 photos, in out (2 skipped).",
        LISTED,
        "Before and after: out/report.html",
    ]
    assert sorted(name for name, *_ in Inverter.calls) == ["b.png", "torn.png"]
    assert pathlib.Path("out/report.html").read_text().count("<img ") == 8
    assert run(*command)[1][0] == "Colored 0 of 4 photos, in out (4 skipped)."


def test_nothing_to_do_loads_no_model(run, monkeypatch):
    run("album", "--output=out")
    monkeypatch.delattr(colorizer, "Colorizer")
    for option in ("--skip_existing", "--overwrite --skip_existing"):
        done = run("album", "--output=out", *option.split())
        assert done == (0, ["Colored 0 of 3 photos, in out (3 skipped).", LISTED], [])


def test_as_many_photos_are_in_progress_as_asked_for(run, monkeypatch):
    monkeypatch.setattr(threads, "num_processors", lambda: 1)
    meeting = threading.Barrier(3, timeout=60)
    color = Inverter.colorize_file

    def meet(*arguments, **options):
        meeting.wait()
        return color(*arguments, **options)

    monkeypatch.setattr(Inverter, "colorize_file", meet)
    assert run("album", "--output=out", "--workers=3")[0] == 0


def test_files_of_other_options_are_made_anew_if_told_so(run):
    write_picture("mask.png", photo(7))
    run("album", "--output=out", "--include=*.png", "--exclude=1931")
    again = ("album", "--output=out", "--skip_existing", "--mask=mask.png", "--saturation=1.5")
    status, output, (line,) = run(*again)
    assert (status, output[0]) == (0, "Colored 1 of 3 photos, in out (2 skipped).")
    assert line.startswith("out/a.png and 1 more are made from")
    assert run(*again, "--overwrite")[1][0] == "Colored 2 of 3 photos, in out (1 skipped)."


def test_options_reach_the_colorizer(run):
    write_picture("mask.png", photo(7))
    pathlib.Path("album/a.png").rename("album/a_color.png")
    options = ("--num_variants=10", "--seed=3", "--saturation=0.5", "--keep_colored")
    status, output, errors = run("album", "--output=out", "--mask=mask.png", *options)
    assert (status, output[0], errors) == (0, "Colored 2 of 3 photos, in out (1 kept).", [])
    assert sorted(os.listdir("out")) == ["1931", "b_01.png", "b_02.png", "colorization.jsonl"]
    assert len(Inverter.calls) == 3
    for _, given in Inverter.calls:
        np.testing.assert_array_equal(given.mask, photo(7))
        expected = Options(num_variants=10, seed=3, saturation=0.5, keep_colored=True)
        assert dataclasses.replace(given, mask=None) == expected
    assert run("album/a_color.png", "--output=x.png", "--keep_colored") == (
        0,
        ["Kept album/a_color.png: it has colors already."],
        [],
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["album/none.png", "--output=out"], "none.png: .*no such file"),
        (["empty", "--output=out"], "empty: expected a folder with pictures"),
        (["album"], "--output"),
        (["--output=out"], "Expected a photo"),
        (["album", "--output=out", "--outptu=x"], "Unknown .*outptu.*--help"),
        (["album", "--output=out", "--overwrite=maybe"], "overwrite.*--help"),
        (["album", "--output=album", "--overwrite"], "among their originals"),
        (["album/a.png", "--output=album/a.png", "--overwrite"], "itself a photo"),
        (["album/a.png", "--output=album/b.png/c.png"], "album/b.png"),
        (["album/a.png", "--output=album/b.png"], "album/b.png is there already.*--overwrite"),
        (["album", "--output=out", "--num_variants=0"], "num_variants.*25"),
        (["album", "--output=out", "--num_variants=two"], "num_variants"),
        (["album", "--output=out", "--seed=-1"], "seed"),
        (["album", "--output=out", "--saturation=2.1"], r"saturation.*\[0, 2\]"),
        (["album", "--output=out", "--saturation=nan"], "saturation.*nan"),
        (["album", "--output=out", "--mask=none.png"], "mask=none.png: .*no such file"),
        (["album", "--output=out", "--mask=empty"], "mask=empty: expected a.* picture.*a folder"),
        (["album", "--output=out", "--mask=void.png"], "void.png: .*empty file"),
        (["album", "--output=out", "--include=*.tif"], "matching pictures"),
        (["album/a.png", "--output=out", "--exclude=x"], "no folder"),
        (["album/a.png", "--output=out.png", "--report"], "--report goes with a folder"),
    ],
)
def test_mistakes_are_named_in_one_line(run, arguments, message):
    pathlib.Path("empty").mkdir()
    pathlib.Path("void.png").touch()
    before = sorted(pathlib.Path().rglob("*"))
    status, output, errors = run(*arguments)
    assert (status, output) == (1, []) and len(errors) == 1
    assert re.search(message, errors[0])
    assert sorted(pathlib.Path().rglob("*")) == before


def test_a_model_that_is_none(run, monkeypatch):
    monkeypatch.setattr(colorizer, "Colorizer", RealColorizer)
    monkeypatch.setattr(model_folder, "read_description", read_description)
    status, _, (line,) = run("album", "--output=out", "--model=album")
    assert status == 1 and "colorization.json" in line
    assert not os.path.exists("out")


def test_variants_are_refused_at_once_by_a_model_without(run):
    status, _, (line,) = run("album", "--output=out", "--model=plain", "--num_variants=3")
    assert status == 1 and "inverter" in line and "num_variants=3" in line
    assert not os.path.exists("out") and not Inverter.calls


def test_a_full_disk_ends_the_run(run, monkeypatch):
    def full(self, source, destination, *_, **__):
        self.calls.append(source)
        raise PictureError("out/a.png: cannot be written.") from OSError(28, "No space left")

    monkeypatch.setattr(Inverter, "colorize_file", full)
    monkeypatch.setattr(threads, "num_processors", lambda: 1)
    status, output, errors = run("album", "--output=out", "--report")
    assert status == 1 and output == ["Colored 0 of 3 photos, in out (3 not reached)."]
    assert errors[0].startswith("album/a.png: out/a.png: cannot be written")
    assert "--skip_existing" in errors[1] and len(Inverter.calls) == 1


def test_progress_is_shown_on_a_terminal_only(run, monkeypatch):
    pathlib.Path("album/void.jpg").touch()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    status, _, errors = run("album", "--output=out")
    assert status == 1
    assert any(re.search(r"Coloring: .* 0/4 \[.*photo", line) for line in errors)
    assert sum("album/void.jpg" in line for line in errors) == 1
    assert run("album/a.png", "--output=a.png")[2] == []


# Runs the command with a colorizer that, at b.png, says so and waits for a line of input.
CHILD = """
import signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # Whatever the tests were started by.
from colorization import colorize
from colorization.inference import threads
from pipelines import console

class Waiter:
    description = {}
    def __init__(self, model=None, **_): pass
    def check(self, options): pass
    def colorize_file(self, source, destination, *_, **__):
        if source.name == "b.png":
            print("ready", flush=True)
            sys.stdin.readline()
        if source.name == "huge.png":
            raise MemoryError
        destination.write_bytes(source.read_bytes())
        return [destination]

console.import_quietly = lambda: None
threads.num_processors = lambda: 1
sys.modules["colorization.inference.colorizer"] = types.SimpleNamespace(
    Colorizer=Waiter
)
sys.exit(colorize.main())
"""


def start(*arguments, **streams):
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
    )


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_lets_the_photo_in_progress_finish(run, number, status):
    with start("album", "--output=out") as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.stderr.readline() == "\n"
        assert process.stderr.readline().startswith("Stopping")
        output, errors = process.communicate("go on\n")
    assert process.returncode == status
    assert "2 of 3 photos" in output and "1 not reached" in output
    assert "Traceback" not in errors and "--skip_existing" in errors
    assert sorted(os.listdir("out")) == ["a.png", "b.png", "colorization.jsonl"]
    assert run("album", "--output=out", "--skip_existing")[1][0].startswith("Colored 1 of 3")


def test_a_second_signal_ends_the_process_at_once(run):
    with start("album", "--output=out") as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGINT)
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert sorted(os.listdir("out")) == ["a.png", "colorization.jsonl"]


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_a_reader_that_goes_away_ends_the_run_without_a_traceback(run, stream):
    pathlib.Path("album/b.png").rename("album/huge.png")
    nobody, writer = os.pipe()
    os.close(nobody)
    with start("album", "--output=out", **{stream: writer}) as process:
        os.close(writer)
        output, errors = process.communicate()
    assert process.returncode == 141
    assert "Traceback" not in (output or "") + (errors or "")
    assert not [name for name in os.listdir("out") if name.startswith(".")]


def test_help_names_every_flag_and_needs_no_tensorflow():
    code = "import sys, colorization.colorize as c; c.main(['c', '--help']); print('tensorflow' in "
    done = subprocess.run(
        [sys.executable, "-c", code + "sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.endswith("False\n")
    for flag in ("output", "skip_existing", "include", "num_variants", "mask", "help"):
        assert f"\n--{flag}: " in done.stdout
    assert "repeat this option" not in done.stdout


@pytest.mark.slow
def test_the_released_model_colors_a_folder_and_says_nothing_else(tmp_path):
    (tmp_path / "album").mkdir()
    write_picture(tmp_path / "album/a.png", photo())
    write_picture(tmp_path / "album/b.jpg", photo(1))
    whole = (tmp_path / "album/b.jpg").read_bytes()
    (tmp_path / "album/torn.jpg").write_bytes(whole[: len(whole) // 2])
    done = subprocess.run(
        [sys.executable, "-m", "colorization.colorize", "album", "--output=out", "--report"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1 and done.stdout.startswith("Colored 2 of 3 photos, in out (")
    assert done.stderr.startswith("album/torn.jpg: ") and done.stderr.count("\n") == 1
    assert read_picture(tmp_path / "out/b.jpg").shape == photo().shape
    record = json.loads((tmp_path / "out/colorization.jsonl").read_text().splitlines()[0])
    assert record["made_with"]["name"] == "chroma" and record["made_with"]["version"] >= 1


@pytest.mark.slow
def test_of_damaged_files_none_stops_the_run_or_leaves_a_part(damaged_folder, tmp_path):
    output = tmp_path / "out"
    command = [sys.executable, "-m", "colorization.colorize", damaged_folder, f"--output={output}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    # Not of what is colored, and can't show it.
    told = done.stderr.splitlines()
    errors = [line for line in told if "black and white pixels alone" not in line]
    sources = {path.name for path in damaged_folder.iterdir()}
    named = {name for name in sources for line in errors if f"/{name}: " in line}
    assert len(errors) == len(named) >= 110
    colored = {path.stem for path in output.iterdir()} - {"colorization"}
    # What flipped bits left readable is colored; nothing is both, and nothing is left over.
    assert colored == {os.path.splitext(name)[0] for name in sources - named}
    assert not [name for name in colored if "cut" in name]
    for path in output.iterdir():
        assert path.suffix == ".jsonl" or read_picture(path).size
