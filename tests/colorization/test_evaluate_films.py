"""The command `evaluate` on films."""

import pathlib

import numpy as np
import pytest

from colorization import compare, evaluate
from colorization.evaluation import protocol, systems
from pipelines.errors import UserError
from tests.colorization.film import films
from tests.command_line import call


class Moody:
    """Stands in for the colorizer: its engine has another color each time, its photos too."""

    def __init__(self, model=None):
        self.description = {"name": "moody", "version": 1, "gives_variants": False}
        self.description |= {"working_size": 64, "size_multiple": 16}
        self.engine, self._calls = self, 0

    def coefficients(self, lightness, hints=None):
        self._calls += 1
        return np.full((*lightness.shape[:3], 4), [0, 0, 40 * (self._calls % 2), 0], np.float32)

    def variants(self, picture, count, *, seed):
        assert (picture == picture[..., :1]).all()
        self._calls += 1
        return [
            np.clip(picture + np.array([40 * (self._calls % 2), 0, 0]), 0, 255).astype(np.uint8)
        ]


@pytest.fixture
def reels(tmp_path, monkeypatch):
    """A folder of two films, in which the test runs."""
    monkeypatch.setattr(systems, "Colorizer", Moody)
    monkeypatch.chdir(tmp_path)
    pathlib.Path("reels").mkdir()
    for name, count in (("a.mp4", 8), ("b.mkv", 6)):
        tint = np.uint8([1, 1, 0])
        pictures = [films.gray_picture(number, 72, 96) * tint for number in range(count)]
        films.make_film(f"reels/{name}", pictures)


@pytest.mark.slow
def test_films_are_measured_as_films_and_frame_by_frame(reels, capsys):
    assert evaluate.evaluate_films(["reels"], baseline=["gray", "truth"], output="a.jsonl") == 0
    output, _ = capsys.readouterr()
    assert "### a.mp4: 8 frames" in output and "### b.mkv: 6 frames" in output
    film, frames, gray, truth = protocol.read("a.jsonl")[:4]
    labels = [one["system"]["label"] for one in (film, frames, gray, truth)]
    assert labels == ["moody 1, film", "moody 1, frame by frame", "gray", "truth"]
    value = {
        label: {name: figure["value"] for name, figure in one["figures"].items()}
        for label, one in zip(labels, (film, frames, gray, truth), strict=True)
    }
    assert value["gray"]["flicker"] < 0.1 and value["gray"]["colorfulness"] == 0
    assert value["truth"]["psnr"] == np.inf and value["truth"]["flicker"] < 2
    assert value["moody 1, film"]["flicker"] < 0.5 * value["moody 1, frame by frame"]["flicker"]
    assert value["moody 1, film"]["cdc"] < value["moody 1, frame by frame"]["cdc"]
    assert "### a.mp4: 8 frames" in compare.compare_records(["a.jsonl"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"films": ["none.mp4"]}, "no such file"),
        ({"films": ["reels", "reels/a.mp4"]}, "must differ.*a.mp4"),
        ({"films": ["reels"], "limit": 4}, "from 5 frames on. Received: 4"),
        ({"films": ["small.mkv"]}, "from 64 pixels a side on. Received: 64 x 48"),
    ],
)
def test_films_that_cannot_be_measured_are_one_line(reels, options, message):
    films.make_film("small.mkv", [films.gray_picture(0)] * 6)
    with pytest.raises(UserError, match=message) as caught:
        evaluate.evaluate_films(**options)
    assert "\n" not in str(caught.value)


def test_options_of_photos_do_not_go_with_films(reels):
    status, _, error = call("colorization.evaluate", "--films=reels", "--report=page", cwd=".")
    assert status == 1 and "--report goes with photos" in error
