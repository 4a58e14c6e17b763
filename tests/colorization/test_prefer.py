"""The command: what it refuses, and whole studies from models to a report."""

import http.cookiejar
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import pytest

from colorization import prefer
from colorization.inference import colorizer
from colorization.preference import colorings
from pipelines.photos.photo_files import read_picture, write_picture
from tests import command_line
from tests.colorization.serving import small_models

ROOT = pathlib.Path(__file__).parents[2]


def start(*arguments):
    return subprocess.Popen(
        [sys.executable, "-m", "colorization.prefer", *map(str, arguments)],
        env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def call(*arguments):
    status, output, errors = command_line.call("colorization.prefer", *arguments)
    return status, output.splitlines(), errors.splitlines()


MISTAKES = {
    "words": (["more"], "prefer takes flags only. Received: more."),
    "no model": ([], "--models takes two or more models, or one with --truth. Received: 0."),
    "one model": (["--models=gray"], "--models takes two or more models"),
    "no folder": (["--models=gray,nowhere"], "gray. Received: nowhere, which is none. Check"),
    "twice": (
        ["--models=gray,gray"],
        "folders of different names, none of them truth. Received: gray",
    ),
    "no data": (["--models=gray", "--truth"], "--data is needed. Received: nothing."),
    "no votes": (["--report", "--votes=nowhere.sqlite"], "the file of a study was expected."),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(name, tmp_path):
    arguments, words = MISTAKES[name]
    votes = [] if name == "no votes" else [f"--votes={tmp_path}/votes.sqlite"]
    status, output, errors = call(*votes, *arguments)
    assert (status, output, len(errors)) == (1, [], 1) and words in errors[0]
    assert not list(tmp_path.iterdir())


def test_a_port_that_is_taken_is_one_line(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        arguments = ["--models=gray", "--truth", "--data=samples", f"--port={port}"]
        status, output, (line,) = call(*arguments, f"--votes={tmp_path}/votes.sqlite")
    assert status == 1 and output == [] and not list(tmp_path.iterdir())
    assert f":{port}: expected an address to listen on. Received: Address already in use." in line
    assert "Choose another --host or --port" in line


def test_models_are_named_by_their_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for folder in ("chroma/1", "chroma/2", "runs/mine"):
        os.makedirs(folder)
    models = ["chroma", "chroma/1", " chroma/2/", "runs/mine", "gray"]
    names = prefer.model_names(models, False)
    assert list(names) == ["chroma", "chroma/1", "chroma/2", "mine", "gray"]
    assert list(names.values()) == [model.strip() for model in models]


def test_help_does_not_import_tensorflow():
    program = (
        "import sys, colorization.prefer as prefer; prefer.define_flags()\n"
        "assert 'tensorflow' not in sys.modules and 'flask' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


class Voter:
    """Somebody with a browser."""

    def __init__(self, address):
        self._address = address
        cookies = urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar())
        self._opener = urllib.request.build_opener(cookies)

    def get(self, path):
        with self._opener.open(self._address + path.lstrip("/")) as response:
            return response.read()

    def standing(self):
        return json.loads(self.get("api/standing"))

    def vote(self, question, choice):
        body = json.dumps({"question": question["id"], "choice": choice}).encode()
        request = urllib.request.Request(
            self._address + "api/vote", body, {"Content-Type": "application/json"}
        )
        with self._opener.open(request) as response:
            assert response.status == 200


def address(process):
    line = process.stdout.readline()
    assert " at http://127.0.0.1:" in line, line + process.stderr.read()
    return line.split()[-4]


@pytest.fixture(scope="module")
def small_model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    small_models.save(folder, "lab")
    return (folder / "chroma").rename(folder / "small")


@pytest.mark.slow
def test_a_whole_study(small_model, picture_folder, tmp_path):
    album = tmp_path / "album"
    shutil.copytree(picture_folder, album)
    (album / "torn.png").write_bytes((album / "00.png").read_bytes()[:-30])
    flat = np.full((40, 40, 3), 90, np.uint8)
    write_picture(album / "old.png", flat)
    votes = tmp_path / "votes.sqlite"
    study = [f"--models={small_model},gray", f"--data=folder:{album}", f"--votes={votes}"]
    study += ["--truth", "--num_questions=9", "--port=0"]
    process = start(*study)
    voter = Voter(address(process))
    assert b"Which coloring" in voter.get("/")
    shown = {}
    while (standing := voter.standing())["question"]:
        question = standing["question"]
        pictures = []
        for side in ("left", "right"):
            path = tmp_path / "shown.jpg"
            path.write_bytes(voter.get(question[side]))
            pictures.append(read_picture(path).astype(int))
        assert pictures[0].shape == pictures[1].shape
        colored = [np.ptp(picture, axis=-1).max() > 8 for picture in pictures]
        shown.setdefault(question["kind"], []).append(colored)
        # Color is better than none, and real.
        voter.vote(question, "left" if colored[0] else "right")
    assert standing["answered"] == standing["total"] == 9
    # A model against gray; and each beside the truth.
    assert len(shown["preference"]) == 3 and len(shown["truth"]) == 6
    assert all(sum(colored) == 1 for colored in shown["preference"])
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate()
    assert process.returncode == 0 and "9 votes in" in output and "--report" in output
    *left_out, total = errors.splitlines()
    left_out.sort()
    assert total == "Left out 2 of 14 photos." and len(left_out) == 2
    assert all(line.startswith("Left out: ") for line in left_out)
    assert "old.png: has no colors" in left_out[0] and "torn.png" in left_out[1]

    status, lines, errors = call(f"--votes={votes}", "--report")
    assert (status, errors) == (0, []) and lines[0].startswith("9 votes of 1 voter on")
    assert "small won every vote: one added tie keeps its score finite." in lines
    assert any(line.startswith("| gray ") and " 0.0 %" in line for line in lines)


@pytest.mark.slow
def test_a_killed_study_goes_on(picture_folder, tmp_path):
    study = ["--models=gray", "--truth", f"--data=folder:{picture_folder}", "--limit=3", "--port=0"]
    study.append(f"--votes={tmp_path}/votes.sqlite")
    process = start(*study)
    voter = Voter(address(process))
    first = voter.standing()
    assert first["total"] == 3
    voter.vote(first["question"], "tie")
    process.kill()
    process.communicate()
    painted = {path: path.stat().st_mtime_ns for path in (tmp_path / "votes.pictures").iterdir()}
    assert len(painted) == 6

    process = start(*study)
    voter._address = address(process)
    assert voter.standing()["answered"] == 1
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate()
    assert process.returncode == 0 and "1 vote in" in output and errors == ""
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "votes.pictures").iterdir()}
    assert again == painted


def test_a_model_that_is_exported_again_is_another(tmp_path, monkeypatch):
    class Newest:
        def __init__(self, folder):
            versions = [int(name) for name in os.listdir(folder) if name.isdecimal()]
            self.description = {"version": max(versions or [int(pathlib.Path(folder).name)])}

        def colorize(self, rgb):
            return rgb

    monkeypatch.setattr(colorizer, "Colorizer", Newest)

    def fingerprint(folder):
        return prefer.load("small", str(folder)).fingerprint

    folder = tmp_path / "small"
    (folder / "1").mkdir(parents=True)
    (folder / "1" / "weights").write_text("1")
    first = fingerprint(folder)
    assert first == fingerprint(folder / "1")
    (folder / "2").mkdir()
    (folder / "2" / "weights").write_text("2")
    assert fingerprint(folder) == fingerprint(folder / "2") != first
    assert fingerprint(folder / "1") == first


@pytest.mark.slow
def test_a_run_is_a_model(finished_run, picture_folder):
    run = pathlib.Path(finished_run.config.model_dir)
    made = prefer.load("mine", str(run))
    photo = read_picture(picture_folder / "00.png")
    assert made.name == "mine" and made.paint(photo).shape == photo.shape
    assert made.fingerprint == colorings.fingerprint(run / "checkpoints")
