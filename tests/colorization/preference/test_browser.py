"""Whole sessions in a real browser."""

import contextlib
import shutil
import socket
import threading

import numpy as np
import pytest
import waitress

from colorization.preference import voting_page
from colorization.preference.study import Plan, Votes
from pipelines.photos.photo_files import write_picture
from tests.colorization.serving.web import support

playwright = pytest.importorskip("playwright.sync_api")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]
LEVELS = {"secretmodel": 60, "gray": 120, "truth": 180}


@pytest.fixture
def study(tmp_path):
    """A served study of two models and the truth; gives its votes and its address."""
    with contextlib.closing(Votes(tmp_path / "votes.sqlite")) as votes:
        numbers = votes.add_models({name: name for name in LEVELS})
        photos = votes.add_photos({f"digest {i}": f"{i}.jpg" for i in range(2)}).values()
        for photo in photos:
            for name, number in numbers.items():
                # Twice as wide as high.
                rgb = np.full((100, 200, 3), LEVELS[name], np.uint8)
                write_picture(tmp_path / f"{photo}_{number}.jpg", rgb)
        plan = Plan((1, 2), tuple(photos), numbers["truth"], 6, votes.seed)
        app = voting_page.create_app(
            votes, plan, lambda photo, model: tmp_path / f"{photo}_{model}.jpg"
        )
        listener = socket.create_server(("127.0.0.1", 0))
        served = waitress.create_server(app, sockets=[listener], clear_untrusted_proxy_headers=True)
        thread = threading.Thread(target=served.run)
        thread.start()
        try:
            yield votes, f"http://127.0.0.1:{listener.getsockname()[1]}/"
        finally:
            served.trigger.pull_trigger(served.close)
            served.task_dispatcher.shutdown()
            thread.join()


@pytest.fixture
def open_page(browser, study):
    """Opens the page in a browser of its own; errors on it fail the test."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(support.opened(browser, study[1], **options))


def wait(page, *states):
    page.wait_for_selector(", ".join(f'body[data-state="{state}"]' for state in states))
    return page.evaluate("document.body.dataset.state")


def start(page):
    wait(page, "intro")
    page.click("#start")
    wait(page, "open")


def choices(study):
    return [vote.choice for vote in study[0].all()[0]]


def test_a_session_by_clicks_from_start_to_end(open_page, study):
    page = open_page()
    start(page)
    assert page.inner_text("#prompt") == "Which coloring looks better?"
    assert page.inner_text("#count") == "1 of 6"
    page.click("#left")
    wait(page, "open")
    assert page.inner_text("#count") == "2 of 6"
    page.click("#choose-right")
    # Now the other question.
    start(page)
    assert page.inner_text("#prompt") == "Which is the real photo?"
    page.click("#tie")
    for _ in range(3):
        wait(page, "open")
        page.click("#right")
    wait(page, "done")
    assert "All 6 answers are stored." in page.inner_text("main")
    assert choices(study) == ["left", "right", "tie"] + ["right"] * 3
    page.click("#leave")
    wait(page, "intro")
    assert page.inner_text("#start") == "Start"


def test_a_session_by_keys_alone(open_page, study):
    page = open_page()
    wait(page, "intro")
    # The button has the focus.
    page.keyboard.press("Enter")
    wait(page, "open")
    page.keyboard.press("ArrowRight")
    wait(page, "open")
    page.keyboard.press("Space")
    wait(page, "intro")
    page.keyboard.press("Space")
    wait(page, "open")
    page.keyboard.press("ArrowLeft")
    wait(page, "open")
    assert choices(study) == ["right", "tie", "left"]
    page.keyboard.press("Backspace")
    playwright.expect(page.locator("#count")).to_have_text("3 of 6")
    wait(page, "open")
    assert choices(study) == ["right", "tie"]
    # Space on a button that has the focus is a click on that button.
    page.focus("#choose-right")
    page.keyboard.press("Space")
    playwright.expect(page.locator("#count")).to_have_text("4 of 6")
    assert choices(study) == ["right", "tie", "right"]


def test_undo_shows_the_pair_again_as_it_was(open_page, study):
    page = open_page()
    start(page)
    before = page.get_attribute("#left img", "src")
    page.click("#left")
    wait(page, "open")
    assert page.get_attribute("#left img", "src") != before
    page.click("#undo")
    playwright.expect(page.locator("#count")).to_have_text("1 of 6")
    assert page.get_attribute("#left img", "src") == before
    assert choices(study) == [] and page.is_hidden("#undo")


def test_a_double_click_is_one_vote(open_page, study):
    page = open_page()
    start(page)
    page.dblclick("#left")
    wait(page, "open")
    assert page.inner_text("#count") == "2 of 6" and choices(study) == ["left"]


@pytest.mark.parametrize(
    "width, height, stacked", [(1280, 800, False), (390, 844, True), (844, 390, False)]
)
def test_both_pictures_are_equally_large_and_on_the_screen(open_page, width, height, stacked):
    page = open_page(viewport={"width": width, "height": height}, has_touch=True)
    start(page)
    left, right = (page.locator(f"#{side} img").bounding_box() for side in ("left", "right"))
    assert (left["width"], left["height"]) == (right["width"], right["height"])
    assert left["width"] == pytest.approx(2 * left["height"], abs=2)
    assert left["width"] > 0.4 * width
    assert (left["x"] == right["x"]) is stacked
    choice = page.locator("#tie").bounding_box()
    assert right["y"] + right["height"] <= choice["y"]
    assert choice["y"] + choice["height"] <= height and choice["height"] >= 44
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_vote_that_was_not_stored_can_be_cast_again(open_page, study):
    page = open_page()
    start(page)
    page.route("**/api/vote", lambda route: route.fulfill(status=503, json={"error": "Disk full."}))
    page.click("#left")
    wait(page, "problem")
    assert "Disk full." in page.inner_text("[role=alert]") and choices(study) == []
    page.unroute("**/api/vote")
    page.click("#again")
    wait(page, "open")
    assert page.inner_text("#count") == "2 of 6" and choices(study) == ["left"]


def test_everything_to_press_has_a_name(open_page):
    page = open_page()
    start(page)
    for role, name in [
        ("button", "Choose picture A"),
        ("button", "Choose picture B"),
        ("button", "Cannot tell"),
        ("progressbar", "1 of 6"),
        ("heading", "Which coloring looks better?"),
    ]:
        assert page.get_by_role(role, name=name).is_visible()
    assert page.get_by_role("status").inner_text() == "Which coloring looks better? 1 of 6"
    assert page.evaluate("document.activeElement.id") == "prompt"
