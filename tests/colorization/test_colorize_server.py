"""The command `colorize --server`, against a stand-in for TF Serving."""

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
from colorization.inference import threads
from colorization.inference.engines import remote
from pipelines.photos.photo_files import read_picture, write_picture
from tests.colorization.serving.double import Code, Double, Refusal

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("small models")]

ROOT = pathlib.Path(__file__).parents[2]
NUM_PHOTOS = 9


@pytest.fixture(scope="module")
def folder(undecided_model):
    return undecided_model


@pytest.fixture(scope="module")
def server(folder):
    with Double(folder) as double:
        yield double


@pytest.fixture
def double(server, monkeypatch):
    """The server, as new, and a client that is in no mood to wait."""
    monkeypatch.setattr(remote, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(threads, "num_processors", lambda: 2)
    server.calls.clear()
    server.faults.clear()
    server.most_at_once, server.open_at = 0, 0
    server.gate.set()
    server.held.clear()
    return server


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs the command in a folder with an album; gives status, output lines and error lines."""
    monkeypatch.chdir(tmp_path)
    os.mkdir("album")
    for index in range(NUM_PHOTOS):
        picture = np.random.default_rng(index).integers(0, 256, (40, 50, 3), dtype=np.uint8)
        write_picture(f"album/{index}.png", picture)

    def call(*arguments):
        status = colorize.main(["colorize", "album", "--output=out", *arguments])
        output, errors = capfd.readouterr()
        # In a process of its own the command keeps gRPC's notes of lost connections to itself; here
        # another test may have started gRPC before.
        lines = [line for line in errors.splitlines() if not re.match(r"[IWE]\d{4} ", line)]
        return status, output.splitlines(), lines

    return call


def records():
    lines = pathlib.Path("out/colorization.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_the_pictures_are_those_of_the_local_command(run, double, folder, protocol):
    server = f"--server={getattr(double, protocol)}"
    assert run(server, "--saturation=0.7")[0] == 0
    for index in range(NUM_PHOTOS):
        os.rename(f"out/{index}.png", f"{index}_remote.png")
    assert run(f"--model={folder}", "--overwrite", "--saturation=0.7")[0] == 0
    for index in range(NUM_PHOTOS):
        one, other = read_picture(f"{index}_remote.png"), read_picture(f"out/{index}.png")
        assert np.abs(one.astype(int) - other).max() <= 1
    assert records()[0]["made_with"] == records()[-1]["made_with"]
    status, (line, *_), _ = run(server, "--saturation=0.7", "--skip_existing")
    assert (status, line) == (0, "Colored 0 of 9 photos, in out (9 skipped).")


def test_variants_come_from_the_server(run, double):
    assert run(f"--server={double.grpc}", "--num_variants=3", "--include=0*")[0] == 0
    assert {"0_1.png", "0_2.png"} <= set(os.listdir("out"))


def test_goes_on_past_damaged_photos_and_refusals(run, double):
    data = pathlib.Path("album/0.png").read_bytes()
    pathlib.Path("album/0.png").write_bytes(data[:-30])
    double.faults += [None, Refusal(Code.INVALID_ARGUMENT, "It is odd.")]
    status, (line, *_), errors = run(f"--server={double.grpc}")
    assert status == 1 and line.startswith("Colored 7 of 9 photos")
    assert len(errors) == 2 and sum("It is odd" in line for line in errors) == 1
    assert sorted(record["status"] for record in records()) == ["colored"] * 7 + ["failed"] * 2
    double.calls.clear()
    status, (line, *_), (error,) = run(f"--server={double.grpc}", "--skip_existing")
    assert status == 1 and "album/0.png" in error and double.calls == ["client"] * 2


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_no_more_than_two_calls_for_each_processor_at_once(run, double, protocol):
    # The first call is by itself: it tells the size.
    double.faults += [None, "hold"]
    double.open_at = 4
    assert run(f"--server={getattr(double, protocol)}")[0] == 0
    assert double.most_at_once == 4


def test_a_server_that_is_not_there_is_one_line(run, monkeypatch):
    monkeypatch.setattr(remote, "_START_PATIENCE", 0.1)
    status, output, (line,) = run("--server=grpc://127.0.0.1:1")
    assert (status, output) == (1, []) and "grpc://127.0.0.1:1" in line and "Start it" in line
    assert not os.path.exists("out")
    status, output, (line,) = run("--server=127.0.0.1")
    assert (status, output) == (1, []) and "grpc://HOST:8500" in line


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_a_server_that_dies_ends_the_run_which_then_goes_on(run, folder, monkeypatch, protocol):
    monkeypatch.setattr(remote, "PATIENCE", 0.3)
    with Double(folder) as double:
        server = getattr(double, protocol)
        double.faults += [None] * 4 + ["hold"]

        def die():
            double.held.wait(60)
            double.stop()

        killer = threading.Thread(target=die)
        killer.start()
        status, (line, *_), errors = run(f"--server={server}")
        killer.join()
        assert status == 1 and "not reached" in line and "failed" not in line
        assert "does not answer" in errors[0] and "--skip_existing" in errors[-1]
        assert 1 <= len(list(pathlib.Path("out").glob("*.png"))) < NUM_PHOTOS
        double.gate.set()
        double.start()
        status, _, errors = run(f"--server={server}", "--skip_existing")
        assert (status, errors) == (0, [])
    assert len(list(pathlib.Path("out").glob("*.png"))) == NUM_PHOTOS
    assert len(records()) == NUM_PHOTOS


@pytest.mark.slow
def test_ctrl_c_lets_the_photos_in_progress_finish(run, double):
    code = (
        "import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "from colorization import colorize; from colorization.inference import threads; "
        "threads.num_processors = lambda: 1; sys.exit(colorize.main())"
    )
    command = [sys.executable, "-c", code, "album", "--output=out", f"--server={double.grpc}"]
    # The first call tells the size; the next two are the first two photos.
    double.faults += [None, "hold"]
    with subprocess.Popen(
        command,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert double.held.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.stderr.readline() == "\n"
        assert process.stderr.readline().startswith("Stopping")
        double.gate.set()
        output, errors = process.communicate()
    assert process.returncode == 130
    assert "Traceback" not in errors and "--skip_existing" in errors
    colored = [record for record in records() if record["status"] == "colored"]
    assert 1 <= len(colored) < NUM_PHOTOS
    for record in colored:
        assert read_picture(f"out/{record['outputs'][0]}").shape == (40, 50, 3)
