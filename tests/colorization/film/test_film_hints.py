"""Hints in films hold from their time to the end of the shot, and move with what they are on."""

import json
import pathlib

import numpy as np
import pytest

from colorization import Hint, Region, Stroke, colorize
from colorization.film import FilmError, film_coloring, film_run
from colorization.film.film_writer import SegmentWriter
from colorization.film.steady import Motion
from colorization.inference import color_hints, colorizer
from colorization.inference.color_hints import HintError
from pipelines.color import arrays
from pipelines.photos import photo_files
from tests.colorization.film import films
from tests.colorization.inference.following import BELIEFS, REACH, FollowingEngine, scene

GREEN = "#3a5f0b"
ENTRY = {"time": 0.5, "point": [16, 24], "color": GREEN}
# Frames of each of two shots.
SHOT = 24
ASKED = arrays.rgb_to_lab(np.float32([color_hints.parse_color(GREEN)]) / 255)[0, 1:]


@pytest.fixture
def run(tmp_path, monkeypatch, capfd):
    """Runs the command in a folder with a film of two shots; gives status and error lines."""
    monkeypatch.chdir(tmp_path)
    engine, real = FollowingEngine(), colorizer.Colorizer
    engine.description |= {"working_size": 96}
    monkeypatch.setattr(colorizer, "Colorizer", lambda *_, **__: real(engine=engine))
    rows, columns = np.mgrid[:96, :192]
    pictures = [films.gray_picture(number, 96, 192) for number in range(SHOT)]
    bars = np.repeat(np.uint8(128 + 60 * np.sign(np.sin(rows / 3 + columns / 9)))[..., None], 3, -1)
    films.make_film("film.mp4", pictures + [bars] * SHOT)

    def call(*words, hints=None):
        if hints is not None:
            pathlib.Path("hints.json").write_text(json.dumps({"hints": hints}))
            words = (*words, "--hints=hints.json")
        status = colorize.main(["colorize", "film.mp4", *words])
        return status, capfd.readouterr().err

    return call


def distance(frame, place, ab):
    x, y = place
    patch = arrays.rgb_to_lab(frame[y - 3 : y + 4, x - 3 : x + 4] / np.float32(255))[..., 1:]
    return np.linalg.norm(patch.mean(axis=(0, 1)) - ab)


def test_a_hint_holds_from_its_time_to_the_end_of_the_shot(run):
    assert run("--output=color.mp4", hints=[ENTRY]) == (0, "")
    frames = [frame for _, frame in films.read("color.mp4")]
    for number in (0, 11, SHOT, SHOT + 10):
        assert distance(frames[number], (16, 24), ASKED) > 20
    for number in (12, 18, SHOT - 1):
        # The picture has moved by a pixel a frame.
        assert distance(frames[number], (4 + number, 12 + number), ASKED) < 10
        assert distance(frames[number], (192 - REACH // 2, 48), BELIEFS[0]) < 8


def test_hints_move_with_the_picture_and_are_lost_where_it_ends():
    rows, columns = np.float32(np.mgrid[:48, :64])
    motion = Motion(rows + 1, columns + 3, np.ones((48, 64), np.float32))
    box = (10, 20, 106, 148)
    hints = [
        Hint(40, 30, "red"),
        Stroke(((50, 50), (60, 60)), "green", 4.0),
        Region(((70, 70), (80, 70), (80, 80)), "blue"),
        Hint(146, 30, "red"),
    ]
    moved = film_coloring.move_hints(hints, motion, box)
    assert len(moved) == 3
    for before, after in zip(hints, moved, strict=False):
        np.testing.assert_allclose(
            after.vertices, np.add(before.vertices, (6, 2)), rtol=0, atol=1e-4
        )


def test_hints_are_lost_where_motion_is_not_trusted():
    rows, columns = np.float32(np.mgrid[:48, :64])
    motion = Motion(rows, columns, np.float32(columns > 32))
    kept = film_coloring.move_hints(
        [Hint(10, 10, "red"), Hint(50, 10, "red")], motion, (0, 0, 48, 64)
    )
    assert [hint.x for hint in kept] == [50]


@pytest.mark.slow
def test_a_film_with_hints_that_was_ended_is_resumed_to_the_same_bytes(run, monkeypatch):
    monkeypatch.setattr(film_run, "_SEGMENT", 8)
    hints = [ENTRY, {"time": "0:00.9", "point": [100, 60], "color": "navy"}]
    assert run("--output=whole.mp4", hints=hints)[0] == 0
    real, left = SegmentWriter.write, [20]

    def write(*frame):
        if not left[0]:
            raise RuntimeError
        left[0] -= 1
        real(*frame)

    with monkeypatch.context() as patch:
        patch.setattr(SegmentWriter, "write", write)
        with pytest.raises(RuntimeError):
            run("--output=resumed.mp4", "--hints=hints.json")
    assert run("--output=resumed.mp4", "--hints=hints.json")[0] == 0
    one, other = (pathlib.Path(name).read_bytes() for name in ("whole.mp4", "resumed.mp4"))
    assert one == other


def test_a_film_takes_the_colors_of_a_reference(run):
    reference, gray, _ = scene()
    films.make_film("film.mp4", [np.dstack([gray] * 3)] * 4)
    photo_files.write_picture("reference.png", reference)
    assert run("--output=color.mp4", "--reference=reference.png") == (0, "")
    wanted = arrays.rgb_to_lab(reference / np.float32(255))[107:114, 107:114, 1:]
    for _, frame in films.read("color.mp4"):
        assert distance(frame, (110, 110), wanted.mean(axis=(0, 1))) < 10


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ([ENTRY | {"time": None}], 'hint 1 of 1: a hint for a film has the "time" of its frame'),
        ([ENTRY | {"time": 9}], "hint 1 lies after the film, which takes 2.0 seconds"),
        ([ENTRY | {"time": "soon"}], "A time is seconds"),
        ([ENTRY | {"point": [200, 3]}], "hint 1 lies outside the photo"),
        ([ENTRY | {"color": "reddish"}], "hint 1 of 1: a color is"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(run, hints, message):
    status, errors = run("--output=color.mp4", hints=hints)
    assert status == 1 and message in errors and errors.count("\n") == 1
    assert not pathlib.Path("color.mp4").exists()


def test_a_preview_shows_no_hints(run):
    status, errors = run("--output=a.jpg", "--preview", hints=[ENTRY])
    assert status == 1 and "--preview shows no hints" in errors


def test_a_text_of_hints_gives_them_back():
    hints = [Hint(1.5, 2, "red"), Stroke(((1, 2), (3, 4)), "navy", 2.5)]
    found = film_coloring.hints_from_text(film_coloring.hints_to_text(hints))
    assert [hint.color for hint in found] == ["red", "navy"]
    assert [np.ravel(hint.vertices).tolist() for hint in found] == [[1.5, 2], [1, 2, 3, 4]]


def test_a_time_that_is_no_number_is_refused(tmp_path):
    path = tmp_path / "hints.json"
    path.write_text(json.dumps({"hints": [ENTRY | {"time": -1}]}))
    with pytest.raises(FilmError, match="A time is seconds"):
        film_coloring.read_hints(path)
    path.write_text(json.dumps({"hints": 3}))
    with pytest.raises(HintError, match="hints are a list"):
        film_coloring.read_hints(path)
