import base64
import html.parser
import io
import os
import pathlib
import urllib.parse

import cv2
import numpy as np
import pytest

from colorization.inference import photo_pages, threads
from colorization.inference.album import Record
from colorization.inference.plan import Job
from pipelines.photos.photo_files import write_picture

OUT = pathlib.Path("out")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    OUT.mkdir()


def job(name, size=(8, 8)):
    """A photo that is colored: black before, red after."""
    made = Job(pathlib.Path("in", name), OUT / name, name)
    for path, level in ((made.source, (0, 0, 0)), (made.destination, (255, 0, 0))):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_picture(path, np.full((*size, 3), level, np.uint8), overwrite=True)
    return made


def record(job, status="colored", outputs=None, message=""):
    outputs = (job.name,) if outputs is None else outputs
    return Record(job.name, 1, 1, status, outputs, message, 0.1, {})


class Page(html.parser.HTMLParser):
    """What a browser would find on a page."""

    def __init__(self, name):
        super().__init__()
        self.images, self.links, self.text = [], [], ""
        self.feed((OUT / name).read_text())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        if tag == "img":
            start, _, data = attributes["src"].partition(",")
            assert start == "data:image/jpeg;base64"
            data = np.frombuffer(base64.b64decode(data), np.uint8)
            self.images.append(cv2.imdecode(data, cv2.IMREAD_COLOR_RGB))
        elif tag == "a":
            self.links.append(urllib.parse.unquote(attributes["href"]))

    def handle_data(self, data):
        self.text += data


def write(jobs, records):
    pages = photo_pages.Report(OUT)
    by_name = {record.source: record for record in records}
    assert len(list(pages.prepare(jobs, by_name, threads.Stop()))) == len(jobs)
    pages.write(jobs, by_name)
    return pages


def test_a_page_shows_each_photo_before_and_after():
    jobs = [job("a.png", (900, 100)), job("old/b&<i>%20#.png")]
    assert write(jobs, map(record, jobs)).path == OUT / "report.html"
    page = Page("report.html")
    assert page.links == ["a.png", "old/b&<i>%20#.png"]
    assert all((OUT / link).exists() for link in page.links)
    assert "old/b&<i>%20#.png" in page.text and "2 photos" in page.text
    assert "a.png, 100 × 900" in page.text
    before, after, *_ = page.images
    assert before.shape == after.shape == (300, 33, 3) and len(page.images) == 4
    assert before.max() < 9 and after[..., 0].min() > 240 and after[..., 1:].max() < 9


def test_failures_are_listed_with_their_reasons():
    bad, odd, kept = (Job(pathlib.Path(name), OUT / name, name) for name in ("a<b>", "c", "d"))
    odd = Job(odd.source, odd.destination, odd.name, problem="c: is odd.")
    records = [record(bad, "failed", (), "a<b>: is torn."), record(kept, "kept", ())]
    write([bad, odd, kept], records)
    page = Page("report.html")
    assert "a<b>: is torn." in page.text and "c: is odd." in page.text and "Failed: 2" in page.text
    assert "<b>:" not in (OUT / "report.html").read_text() and not page.images


def test_many_photos_make_pages_that_lead_to_each_other(monkeypatch):
    monkeypatch.setattr(photo_pages, "PHOTOS_PER_PAGE", 2)
    jobs = [job(f"{number}.png") for number in range(5)]
    write(jobs, map(record, jobs))
    assert [len(Page(name).images) for name in ("report.html", "report_2.html")] == [4, 4]
    assert Page("report_3.html").links[:2] == ["report.html", "report_2.html"]
    write(jobs[:3], map(record, jobs))
    assert sorted(os.listdir(OUT))[-2:] == ["report.html", "report_2.html"]


def test_variants_and_files_of_unknown_origin_are_shown():
    several, unknown = job("a.png"), job("b.png")
    write_picture("out/a_2.png", np.zeros((8, 8, 3), np.uint8))
    unknown = Job(unknown.source, unknown.destination, "b.png", existing=unknown.destination)
    write([several, unknown], [record(several, outputs=("a.png", "a_2.png"))])
    assert Page("report.html").links == ["a.png", "a_2.png", "b.png"]
    assert len(Page("report.html").images) == 5


def test_small_pictures_are_made_once_for_each_state_of_a_photo(monkeypatch):
    only, made, shrink = job("a.png"), [], photo_pages._shrink
    monkeypatch.setattr(
        photo_pages, "_shrink", lambda *paths: made.append(paths[0]) or shrink(*paths)
    )
    assert photo_pages.Report(OUT).following(lambda job: [job.destination])(only) == [
        only.destination
    ]
    assert made == [only.source, only.destination]
    write([only], [record(only)])
    assert len(made) == 2
    os.utime(only.destination, (2**31, 2**31))
    write([only], [record(only)])
    assert made[2:] == [only.destination]


def test_a_picture_that_cannot_be_read_is_left_out():
    gone, whole = job("a.png"), job("b.png")
    gone.source.unlink()
    gone.destination.write_bytes(b"torn")
    write([gone, whole], map(record, (gone, whole)))
    page = Page("report.html")
    assert len(page.images) == 2 and "a.png" in page.text


def test_a_page_is_whole_or_what_it_was(monkeypatch):
    only = job("a.png")
    (OUT / "report.html").write_text("earlier")
    with monkeypatch.context() as patch, pytest.raises(OSError, match="full"):

        def full(*_):
            raise OSError("full")

        patch.setattr(os, "replace", full)
        photo_pages.Report(OUT).write([only], {"a.png": record(only)})
    assert (OUT / "report.html").read_text() == "earlier"
    assert not [name for name in os.listdir(OUT) if name.endswith(".part")]


def test_names_that_are_no_text_do_not_cost_the_page():
    odd = job(os.fsdecode(b"caf\xe9.png"))
    write([odd], [record(odd)])
    assert b"caf%E9.png" in io.FileIO(OUT / "report.html").read()
