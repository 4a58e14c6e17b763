"""What can be done with a colored photo on the page, with a stand-in that paints."""

import io
import shutil

import numpy as np
import PIL.Image
import pytest

from colorization.serving.web import app
from tests.colorization.serving.web import support

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]


@pytest.fixture(scope="module")
def painter():
    return support.Painter()


@pytest.fixture(scope="module")
def address(painter):
    with support.running(painter, app.Limits()) as ((host, port), _):
        yield f"http://{host}:{port}"


@pytest.fixture
def page(browser, address):
    with support.opened(browser, address) as page:
        yield page


@pytest.fixture
def path(tmp_path, photo):
    (tmp_path / "street.png").write_bytes(photo)
    return tmp_path / "street.png"


def test_a_sample_photo_is_colored(page):
    page.get_by_role("button", name="A cat").click()
    support.card(page, "chelsea.jpg").locator(".result").wait_for()
    assert not page.get_by_role("button", name="A cat").is_visible()


def test_more_colorings_come_behind_the_first(page, path):
    subject = support.colored(page, path)
    choices = subject.get_by_role("radio")
    assert choices.count() == 4
    with page.expect_response("**/api/preview?**seed=1"):
        subject.get_by_role("button", name="More colorings").click()
    choices.nth(6).wait_for()
    # The likeliest is the same for every seed.
    assert choices.count() == 7 and choices.first.is_checked()
    choices.nth(5).check()
    with page.expect_response("**/api/colorize?**seed=1&variant=3") as answer:
        subject.get_by_role("button", name="Download").click()
    assert answer.value.status == 200


def test_saturation_is_shown_before_the_server_answers(page, path):
    subject = support.colored(page, path)
    page.route("**/api/preview?**", lambda route: None)
    subject.get_by_role("slider", name="Saturation").fill("50")
    style = "image => getComputedStyle(image).filter"
    assert subject.locator("img.after").evaluate(style) == "saturate(0.5)"


def test_a_photo_in_color_is_told(page, path, tmp_path):
    colors = (
        np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    )
    (tmp_path / "color.png").write_bytes(support.encode(colors))
    told = "in color already"
    assert support.colored(page, tmp_path / "color.png").get_by_text(told).is_visible()
    assert not support.colored(page, path).get_by_text(told).is_visible()


def test_before_and_after_are_saved_side_by_side(page, path, gray, tmp_path):
    subject = support.colored(page, path)
    with page.expect_download() as download:
        subject.get_by_role("button", name="Before and after").click()
    assert download.value.suggested_filename == "street_color_before_after.jpg"
    download.value.save_as(tmp_path / "both.jpg")
    both = np.asarray(PIL.Image.open(tmp_path / "both.jpg")).astype(int)
    assert both.shape == (60, 160, 3)
    expected = np.hstack([np.dstack([gray] * 3), support.paint(np.dstack([gray] * 3), 1)])
    assert np.abs(both - expected)[:, np.r_[:70, 90:160]].mean() < 6


def test_a_coloring_is_copied(browser, address, path):
    permissions = ["clipboard-read", "clipboard-write"]
    with support.opened(browser, address, permissions=permissions) as page:
        subject = support.colored(page, path)
        subject.get_by_role("button", name="Copy").click()
        page.get_by_role("status").get_by_text("street.png is copied.").wait_for(state="attached")
        data = page.evaluate(
            """async () => {
              const [item] = await navigator.clipboard.read();
              return [...new Uint8Array(await (await item.getType("image/png")).arrayBuffer())];
            }"""
        )
    assert PIL.Image.open(io.BytesIO(bytes(data))).size == (80, 60)


def test_what_is_painted_over_stays_gray(page, path, painter):
    subject = support.colored(page, path)
    subject.get_by_role("button", name="Keep parts gray").click()
    box = subject.locator("canvas").bounding_box()
    with page.expect_response("**/api/preview?**"):
        page.mouse.move(box["x"] + 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=3)
        page.mouse.up()
    assert painter.mask.shape == (60, 80, 3)
    assert (painter.mask[30, 5:35] == 0).all()
    assert (painter.mask[:25] == 255).all() and (painter.mask[:, 45:] == 255).all()
    with page.expect_response("**/api/preview?**"):
        subject.get_by_role("button", name="Clear").click()
    assert painter.mask is None


def test_the_photo_is_shown_at_its_full_size(page, tmp_path):
    large = np.zeros((200, 2000), np.uint8)
    (tmp_path / "wide.png").write_bytes(support.encode(large))
    subject = support.colored(page, tmp_path / "wide.png")
    assert subject.locator("img.after").evaluate("image => image.naturalWidth") == 1600
    subject.get_by_role("button", name="Enlarge").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("2000 × 200 pixels").wait_for()
    width = "image => [image.naturalWidth, image.width]"
    assert dialog.get_by_role("img").evaluate(width) == [2000, 2000]
    page.keyboard.press("Escape")
    assert not dialog.is_visible()


def test_a_reload_that_would_lose_a_coloring_asks_first(page, path):
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    page.reload()
    assert not asked
    subject = support.colored(page, path)
    page.reload()
    assert asked == ["beforeunload"]
    subject = support.colored(page, path)
    with page.expect_download():
        subject.get_by_role("button", name="Download").click()
    page.get_by_role("status").get_by_text("downloaded").wait_for(state="attached")
    page.reload()
    assert asked == ["beforeunload"]
