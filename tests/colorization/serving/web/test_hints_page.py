"""Colors are set on the page: by pointer, by touch and by keys."""

import re
import shutil

import numpy as np
import PIL.Image
import pytest

from colorization.inference import color_hints
from colorization.inference.colorizer import Colorizer
from colorization.serving.web import app
from pipelines.color import arrays
from pipelines.photos import photo_files
from tests.colorization.inference.following import FollowingEngine, scene
from tests.colorization.serving.web import support

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]


@pytest.fixture(scope="module")
def address():
    with support.running(Colorizer(engine=FollowingEngine()), app.Limits()) as ((host, port), _):
        yield f"http://{host}:{port}"


@pytest.fixture(scope="module")
def photo(tmp_path_factory):
    """A gray photo that is larger than its preview, so that a copy is sent for hints."""
    rows, columns = np.mgrid[:1200, :1800]
    gray = 110 + 40 * np.sin(rows / 90) * np.cos(columns / 110)
    path = tmp_path_factory.mktemp("photos") / "street.png"
    PIL.Image.fromarray(gray.astype(np.uint8)).save(path)
    return path


@pytest.fixture(autouse=True)
def folder():
    """A page may be closed while a photo of it is being colored, whose file then stays a while."""


@pytest.fixture(params=["desktop", "phone"])
def page(request, browser, address):
    phone = {"viewport": {"width": 360, "height": 740}, "is_mobile": True, "has_touch": True}
    with support.opened(browser, address, **phone if request.param == "phone" else {}) as page:
        yield page


def press(page, locator, **options):
    tap = page.evaluate("matchMedia('(pointer: coarse)').matches")
    (locator.tap if tap else locator.click)(**options)


def opened(page, photo):
    subject = support.colored(page, photo)
    press(page, subject.get_by_role("button", name="Set colors"))
    return subject


def say_at(page, subject, x, y):
    """Sets a point at shares of the photo's width and height."""
    stage = subject.locator(".stage")
    stage.scroll_into_view_if_needed()
    box = stage.bounding_box()
    press(page, stage, position={"x": x * box["width"], "y": y * box["height"]})


def download(page, subject, path):
    with page.expect_download() as found:
        press(page, subject.get_by_role("button", name=re.compile("Download")))
    found.value.save_as(path)
    return photo_files.read_picture(path)


def distance(rgb, color):
    one, other = np.array([rgb, color_hints.parse_color(color)]) / 255
    return np.linalg.norm(arrays.rgb_to_lab(one)[1:] - arrays.rgb_to_lab(other)[1:])


def test_a_suggested_color_is_taken_undone_and_downloaded(page, photo, tmp_path):
    subject = opened(page, photo)
    assert page.evaluate("document.documentElement.scrollWidth") <= page.viewport_size["width"]
    say_at(page, subject, 0.25, 0.5)
    swatch = subject.get_by_role("group", name="Likely colors").get_by_role("button").nth(1)
    color = swatch.get_attribute("aria-label").partition(",")[0]
    shown = subject.locator("img.after")
    before = shown.get_attribute("src")
    with page.expect_response("**/api/preview?**") as answer:
        press(page, swatch)
    assert answer.value.status == 200
    # A copy of it was sent.
    assert answer.value.json()["width"] == 1600
    subject.locator(f"img.after:not([src='{before}'])").wait_for(state="attached")
    pixels = download(page, subject, tmp_path / "out.png")
    assert pixels.shape == (1200, 1800, 3) and distance(pixels[600, 450], color) < 5
    with page.expect_response("**/api/preview?**"):
        press(page, subject.get_by_role("button", name="Undo"))
    subject.locator(f"img.after[src='{before}']").wait_for(state="attached")
    pixels = download(page, subject, tmp_path / "plain.png")
    assert distance(pixels[600, 450], color) > 20


def test_points_are_set_moved_and_removed_by_keys(page, photo):
    subject = opened(page, photo)
    page.keyboard.press("Enter")
    point = subject.locator(".point")
    assert "Point 1, no color yet, 50 % from left" in point.get_attribute("aria-label")
    gray = subject.get_by_role("button", name="Leave gray")
    with page.expect_response("**/api/preview?**"):
        gray.press("Enter")
    point.focus()
    with page.expect_response("**/api/preview?**") as answer:
        page.keyboard.press("Shift+ArrowRight")
    assert answer.value.status == 200
    assert "60 % from left" in point.get_attribute("aria-label")
    page.keyboard.press("Delete")
    assert subject.locator(".point").count() == 0
    page.keyboard.press("Control+z")
    assert subject.locator(".point").count() == 1
    page.keyboard.press("Escape")
    assert not subject.locator(".hinting").is_visible()
    assert page.locator(":focus").inner_text() == "Set colors"


def test_a_point_is_dragged_and_any_color_picked(page, photo, tmp_path):
    subject = opened(page, photo)
    say_at(page, subject, 0.25, 0.5)
    with page.expect_response("**/api/preview?**"):
        subject.get_by_label("Other color").fill("#3a5f0b")
    point, stage = subject.locator(".point"), subject.locator(".stage").bounding_box()
    box = point.bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(stage["x"] + 0.75 * stage["width"], stage["y"] + 0.5 * stage["height"], steps=4)
    with page.expect_response("**/api/preview?**"):
        page.mouse.up()
    pixels = download(page, subject, tmp_path / "out.png")
    assert distance(pixels[600, 1350], "#3a5f0b") < 6 < distance(pixels[600, 450], "#3a5f0b")


def test_the_colors_of_another_photo_are_taken_and_left(browser, tmp_path):
    engine = FollowingEngine()
    engine.description["working_size"] = 128
    for name, pixels in zip(("today.png", "street.png"), scene(), strict=False):
        PIL.Image.fromarray(pixels).save(tmp_path / name)
    with (
        support.running(Colorizer(engine=engine), app.Limits()) as ((host, port), _),
        support.opened(browser, f"http://{host}:{port}") as page,
    ):
        subject = support.colored(page, tmp_path / "street.png")
        before = subject.locator("img.after").get_attribute("src")
        with page.expect_file_chooser() as chooser:
            subject.get_by_role("button", name="Colors of a photo").click()
        chooser.value.set_files(tmp_path / "today.png")
        subject.locator(f"img.after:not([src='{before}'])").wait_for(state="attached")
        pixels = download(page, subject, tmp_path / "out.png")
        assert pixels[64, 50].argmax() == 0 and pixels[110, 110].argmax() == 1
        subject.get_by_role("button", name="Colors of its own").click()
        subject.locator(f"img.after[src='{before}']").wait_for(state="attached")


def test_a_model_that_takes_no_hints_offers_none(browser, photo):
    colorizer = Colorizer(engine=FollowingEngine())
    colorizer.description["takes_hints"] = False
    with (
        support.running(colorizer, app.Limits()) as ((host, port), _),
        support.opened(browser, f"http://{host}:{port}") as page,
    ):
        subject = support.colored(page, photo)
        for name in ("Set colors", "Colors of a photo"):
            assert not subject.get_by_role("button", name=name).is_visible()
