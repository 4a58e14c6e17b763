import pathlib
import shutil

import cv2
import numpy as np
import pytest

from colorization import colorize
from colorization.film import film_plan, film_run
from colorization.film.film_writer import SegmentWriter
from colorization.inference import colorizer, threads
from pipelines.photos.photo_files import read_picture
from tests.colorization.film import films


class WarmEngine:
    """Makes light places orange and dark ones blue, and says how often it was asked."""

    def __init__(self):
        self.description = {"name": "warm", "version": 1, "gives_variants": False}
        self.description |= {"working_size": 32, "size_multiple": 16}
        self.calls = 0

    def coefficients(self, lightness, hints=None):
        self.calls += 1
        return np.full((*lightness.shape[:3], 4), [0.5, 1.0, -25.0, -50.0], np.float32)


class Killed(Exception):
    """Stands in for the end of a process."""


def film_of_shots(path, count=60, **more):
    """A film of two shots of unlike patterns."""
    other = np.random.default_rng(0).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    other = np.repeat(cv2.resize(other, (64, 48))[..., :1], 3, axis=-1)
    pictures = [films.gray_picture(number) for number in range(count // 2)]
    pictures += [np.roll(other, number, axis=1) for number in range(count - count // 2)]
    return films.make_film(path, pictures, **more)


@pytest.fixture(scope="module")
def film(tmp_path_factory):
    return film_of_shots(tmp_path_factory.mktemp("film") / "film.mp4", sound="aac")


@pytest.fixture
def run(film, tmp_path, monkeypatch, capfd):
    """Runs the command in a folder with a film; gives status, output and error lines."""
    monkeypatch.chdir(tmp_path)
    engine = WarmEngine()
    real = colorizer.Colorizer
    monkeypatch.setattr(colorizer, "Colorizer", lambda *_, **__: real(engine=engine))
    shutil.copy(film, "film.mp4")

    def call(*words):
        status = colorize.main(["colorize", *words])
        return status, *(text.splitlines() for text in capfd.readouterr())

    return call


@pytest.mark.slow
def test_a_film_is_colored_and_keeps_its_sound_and_its_times(run):
    assert run("film.mp4", "--output=color.mp4") == (0, ["Colored film.mp4: color.mp4"], [])
    before, after = films.read("film.mp4"), films.read("color.mp4")
    assert [time for time, _ in after] == [time for time, _ in before]
    assert films.packets("color.mp4") == films.packets("film.mp4")
    for (_, gray), (_, colored) in zip(before, after, strict=True):
        bright = gray[..., 0] > 190
        assert np.median(colored[bright, 0].astype(int) - colored[bright, 2]) > 20
    assert not list(pathlib.Path().glob(".color*"))


@pytest.mark.slow
def test_a_film_that_was_ended_at_any_frame_is_resumed_to_the_same_bytes(run, monkeypatch):
    monkeypatch.setattr(film_run, "_SEGMENT", 8)
    run("film.mp4", "--output=whole.mp4")
    real, left = SegmentWriter.write, []

    def write(*frame):
        if not left[0]:
            raise Killed
        left[0] -= 1
        real(*frame)

    monkeypatch.setattr(SegmentWriter, "write", write)
    for count in (3, 12, 1, 25, 9):
        left[:] = [count]
        with pytest.raises(Killed):
            run("film.mp4", "--output=resumed.mp4")
        assert not pathlib.Path("resumed.mp4").exists()
    left[:] = [60]
    assert run("film.mp4", "--output=resumed.mp4")[0] == 0
    one, other = (pathlib.Path(name).read_bytes() for name in ("whole.mp4", "resumed.mp4"))
    assert one == other


@pytest.mark.slow
def test_what_another_model_or_option_began_is_begun_again(run, monkeypatch):
    def write(*frame):
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(SegmentWriter, "write", write)
        with pytest.raises(Killed):
            run("film.mp4", "--output=color.mp4")
    status, _, errors = run("film.mp4", "--output=color.mp4", "--quality=30")
    assert status == 0 and "begun again" in errors[0]
    assert len(films.read("color.mp4")) == 60


def test_a_stop_keeps_what_is_done(tmp_path, run):
    stop = threads.Stop()
    stop.reason = "enough"
    subject = colorizer.Colorizer()
    done = film_run.color_film(
        "film.mp4",
        "color.mp4",
        subject,
        film_plan.FilmOptions(),
        overwrite=False,
        stop=stop,
        tell=print,
    )
    assert not done and not pathlib.Path("color.mp4").exists()
    assert pathlib.Path(".color.mp4.parts").is_dir()


@pytest.mark.parametrize(("height", "width"), [(2, 2), (16, 18), (9, 300), (301, 7)])
def test_films_of_one_frame_and_of_any_size_are_colored(run, height, width):
    pictures = [films.gray_picture(0, height, width)]
    films.make_film("small.mkv", pictures, kind="gray", codec="ffv1")
    films.make_film("two.mkv", pictures * 2, kind="gray", codec="ffv1")
    for name in ("small.mkv", "two.mkv"):
        assert run(name, f"--output=color_{name}")[0] == 0
        ((_, rgb), *_) = films.read(f"color_{name}")
        assert rgb.shape == (height + height % 2, width + width % 2, 3)


def test_a_part_of_a_film_is_colored(run):
    status, _, errors = run("film.mp4", "--output=part.mp4", "--start=0:00.5", "--end=1.5")
    assert (status, errors) == (0, [])
    assert len(films.read("part.mp4")) == 24


def test_films_in_folders_are_colored_each_to_its_place(run):
    pathlib.Path("reels/one").mkdir(parents=True)
    film_of_shots("reels/one/a.avi", 4)
    film_of_shots("reels/b.mkv", 4)
    pathlib.Path("reels/bad.mp4").write_text("no film")
    status, lines, errors = run("reels", "--output=out", "--films")
    assert status == 1 and len(lines) == 2
    assert len(errors) == 1 and "bad.mp4" in errors[0]
    found = sorted(str(path) for path in pathlib.Path("out").rglob("*.*") if path.is_file())
    assert found == ["out/b.mkv", "out/one/a.mkv"]
    _, lines, _ = run("reels", "--output=out", "--films", "--skip_existing")
    assert len(lines) == 2 and all(line.startswith("Skipped") for line in lines)


def test_a_preview_is_one_picture(run):
    assert run("film.mp4", "--output=sheet.jpg", "--preview")[0] == 0
    sheet = read_picture("sheet.jpg").astype(int)
    assert np.abs(sheet[..., 0] - sheet[..., 2]).max() > 20


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("film.mp4", "--output=color.webm"), "written as .mp4"),
        (("film.mp4", "--output=film.mp4"), "itself a film"),
        (("film.mp4", "photo.jpg", "--output=out"), "separate calls"),
        (("film.mp4", ".", "--output=out"), "--films"),
        (("film.mp4", "--output=a.mp4", "--num_variants=3"), "goes with photos"),
        (("film.mp4", "--output=a.mp4", "--start=ten"), "A time is seconds"),
        (("film.mp4", "--output=a.mp4", "--start=2", "--end=1"), "before --end"),
        (("film.mp4", "--output=a.mp4", "--start=90"), "within the film"),
        (("film.mp4", "--output=a.mp4", "--preview"), "writes a picture"),
        (("photo.jpg", "--output=a.jpg", "--start=2"), "goes with films"),
        (("missing.mp4", "--output=a.mp4"), "no such file"),
    ],
)
def test_a_wrong_request_is_one_line_and_writes_nothing(run, words, expected):
    pathlib.Path("photo.jpg").write_bytes(b"photo")
    before = sorted(pathlib.Path().rglob("*"))
    status, lines, (error,) = run(*words)
    assert status == 1 and lines == [] and expected in error
    assert sorted(pathlib.Path().rglob("*")) == before


def test_a_film_goes_beside_itself_by_default(run):
    assert run("film.mp4") == (0, ["Colored film.mp4: film_color.mp4"], [])


def test_a_film_that_exists_is_kept_unless_overwrite_is_set(run):
    pathlib.Path("color.mp4").write_text("mine")
    status, _, (error,) = run("film.mp4", "--output=color.mp4")
    assert status == 1 and "--overwrite" in error
    assert pathlib.Path("color.mp4").read_text() == "mine"
    assert run("film.mp4", "--output=color.mp4", "--overwrite")[0] == 0
    assert len(films.read("color.mp4")) == 60


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("1:30.5", 90.5), ("1:00:00", 3600)])
def test_times_are_read(text, seconds):
    assert film_plan.parse_time(text) == seconds


def test_hevc_is_written(run):
    assert run("film.mp4", "--output=color.mkv", "--codec=hevc")[0] == 0
    assert len(films.read("color.mkv")) == 60
