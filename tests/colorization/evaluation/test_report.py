"""The page of an evaluation: one file that holds what was found, and only a few pictures."""

import base64
import dataclasses
import html.parser
import os
import pathlib

import cv2
import numpy as np
import pytest

from colorization.evaluation import measure, report, systems
from colorization.inference import threads
from pipelines.color.gray import to_gray
from pipelines.photos.photo_files import read_picture, write_picture

WARM = systems.System(
    "<warm> 1",
    {"kind": "model"},
    lambda shown, photo: [np.clip(shown + np.array([30, 0, -30]), 0, 255).astype(np.uint8)],
)
SYSTEMS = [WARM, systems.GRAY, systems.TRUTH]
PROTOCOL = {"photos": "<all>"}


class Page(html.parser.HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, path):
        super().__init__()
        self.images, self.tags, self.text, self.addresses = [], [], "", []
        self.feed(pathlib.Path(path).read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.append(tag)
        self.addresses += [attributes[key] for key in ("src", "href") if key in attributes]
        if tag == "img":
            encoded = base64.b64decode(attributes["src"].partition(",")[2])
            picture = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR_RGB)
            size = int(attributes["height"]), int(attributes["width"])
            assert picture.shape[:2] == size
            self.images.append(picture)

    def handle_data(self, text):
        self.text += text


def made(folder, picture_folder, run=None, label="album/val"):
    """Evaluates the pictures and writes a report of it; returns what was found."""
    (opened,) = measure.open_data(f"folder:{picture_folder}")
    page = report.Report(str(folder), run)
    found = measure.measure_set(opened, page.watching(SYSTEMS), [], 1, threads.Stop())
    figures = {"psnr": {"value": 20.0, "low": 19.0, "high": 21.0}}
    rows = [
        {
            "system": {"label": system.name},
            "figures": figures,
            "warnings": ["<note>"],
            "protocol": PROTOCOL,
            "versions": {"python": "3"},
        }
        for system in SYSTEMS
    ]
    page.add(dataclasses.replace(opened, label=label), found, WARM, rows)
    page.write()
    return found


@pytest.fixture(scope="module")
def written(picture_folder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report") / "new"
    return folder, made(folder, picture_folder)


def test_a_page_needs_nothing_but_itself(written):
    found = Page(written[0] / "report.html")
    assert not {"script", "link", "iframe"} & set(found.tags)
    assert found.addresses and all(address.startswith("data:") for address in found.addresses)
    assert sorted(os.listdir(written[0])) == ["report.html", "report.png"]


def test_a_page_holds_figures_hues_colors_and_the_protocol(written):
    text = Page(written[0] / "report.html").text
    for expected in (
        "album/val: 12 photos",
        "20.00 [19.00, 21.00]",
        "<warm> 1",
        "<note>",
        "By hue",
        "a* and b*, the photos",
        "a* and b*, <warm> 1",
        '"photos": "<all>"',
    ):
        assert expected in text
    for hue in ("red", "yellow", "green", "blue"):
        assert hue in text
    assert "nan" not in text and "-0.0" not in text
    assert "a* and b*, gray" not in text and "History of the run" not in text


def test_the_best_the_median_and_the_worst_are_shown_in_gray_colored_and_as_they_are(
    written, picture_folder
):
    folder, found = written
    shown = Page(folder / "report.html").images
    assert len(shown) == 3 * 12
    by_error = sorted(
        zip(found.names, found.measured[WARM.name], strict=True),
        key=lambda pair: pair[1].values["ciede2000"],
    )
    for position, index in ((0, 0), (11, 11), (5, 5)):
        truth = read_picture(by_error[position][0])
        gray = to_gray(truth)
        for picture, expected in zip(
            shown[3 * index :][:3], (gray, WARM.color(gray, truth)[0], truth), strict=True
        ):
            assert np.abs(picture.astype(int) - expected).mean() < 8


def test_the_sheet_holds_the_same_pictures(written, picture_folder):
    sheet = read_picture(written[0] / "report.png")
    found = written[1]
    first = min(
        zip(found.names, found.measured[WARM.name], strict=True),
        key=lambda pair: pair[1].values["ciede2000"],
    )
    truth = read_picture(first[0])
    scores = cv2.matchTemplate(sheet[:200, :960], truth, cv2.TM_SQDIFF)
    assert scores.min() == 0


@pytest.mark.parametrize("number", [2, 3, 5, 11, 12, 40])
def test_no_photo_is_chosen_twice(number):
    values = np.random.default_rng(number).permutation(number).astype(float)
    chosen = report.choose(values)
    every = [int(values[i]) for rows in chosen.values() for i in rows]
    assert every == sorted(set(every)) and every[0] == 0 and every[-1] == number - 1
    assert max(len(rows) for rows in chosen.values()) <= 4
    if number > 2:
        middle = np.mean([values[i] for i in chosen["median"]])
        assert abs(middle - (number - 1) / 2) <= 0.5


def test_photos_that_changed_meanwhile_are_left_out(picture_folder, tmp_path):
    for path in sorted(picture_folder.glob("*.png"))[:3]:
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (opened,) = measure.open_data(f"folder:{tmp_path}")
    found = measure.measure_set(opened, SYSTEMS, [], 1, threads.Stop())
    first, second, _ = sorted(tmp_path.iterdir())
    write_picture(first, read_picture(second), overwrite=True)
    second.unlink()
    shown = report.show(opened, found, WARM)
    assert len(shown) == 1 and report.sheet("album", shown).shape[1] == 1920


@pytest.mark.slow
def test_a_page_is_written_whole_or_not_at_all(written, picture_folder, tmp_path, monkeypatch):
    (tmp_path / "report.html").write_text("kept")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("full")))
    monkeypatch.setattr(report, "write_picture", lambda *_, **__: None)
    with pytest.raises(OSError, match="full"):
        made(tmp_path, picture_folder)
    assert (tmp_path / "report.html").read_text() == "kept"
    assert os.listdir(tmp_path) == ["report.html"]


def test_every_picture_counts_alike_and_its_colors_are_counted():
    tally, red, blue = (
        report.Report(""),
        *(np.zeros((*x, 3), np.uint8) for x in ((50, 90), (400, 300))),
    )
    red[..., 0] = blue[..., 2] = 255
    (model,) = tally.watching([systems.System("model", {"kind": "model"}, lambda s, p: [blue, s])])
    assert model.color(red, red)[0] is blue
    model.color(red, blue)
    # Red is at a* 80.1 and b* 67.2, blue at 79.2 and -107.9.
    assert tally.counts["model"][37, 0] == tally.counts["model"].sum() == 2 * 64 * 64
    assert tally.counts[report.TRUTH][38, 35] == tally.counts[report.TRUTH][37, 0] == 64 * 64


@pytest.mark.slow
def test_the_history_of_a_run_is_drawn_with_validation_beside_training(tmp_path, picture_folder):
    (tmp_path / "history.csv").write_text(
        "epoch,loss,val_loss,psnr\n1,4.5,3.5,\n2,2.5,3.0,21.5\n3,2.0,nan,\n4,1.5,2.0,inf\n"
    )
    assert report.read_history(tmp_path) == {
        "loss": [(1, 4.5), (2, 2.5), (3, 2.0), (4, 1.5)],
        "val_loss": [(1, 3.5), (2, 3.0), (4, 2.0)],
        "psnr": [(2, 21.5)],
    }
    made(tmp_path / "report", picture_folder, run=str(tmp_path))
    text = (tmp_path / "report/report.html").read_text()
    drawn = text[text.index("History of the run") :]
    # Figures are of validation pictures.
    assert drawn.count("<svg") == 2 and drawn.count('class="point1"') == 3 + 1
    # From the top left of the axes to the bottom right.
    assert 'class="line0" points="64.0,26.0 ' in drawn and '308.0,148.0"/>' in drawn


def test_a_run_without_history_has_no_plots(tmp_path):
    assert report.read_history(tmp_path) == {}


def test_names_that_are_no_text_do_not_cost_the_page(picture_folder, tmp_path):
    folder = tmp_path / "photos"
    folder.mkdir()
    for index, path in enumerate(sorted(picture_folder.glob("*.png"))[:2]):
        (folder / os.fsdecode(b"caf\xe9%d.png" % index)).write_bytes(path.read_bytes())
    made(tmp_path / "report", folder, label=os.fsdecode(b"caf\xe9"))
    assert len(Page(tmp_path / "report/report.html").images) == 6
