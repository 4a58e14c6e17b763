"""The page from end to end: a browser, the server, the released model."""

import io
import shutil
import zipfile

import numpy as np
import PIL.Image
import pytest
import skimage.data

from colorization.inference.colorizer import Colorizer
from colorization.serving.web import app
from pipelines.photos import photo_files
from tests.colorization.serving.web import support

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium"),
]
LIMITS = app.Limits(max_bytes=2_000_000, max_pixels=1_000_000, max_queue=4, timeout=60)


@pytest.fixture(scope="module")
def address():
    with support.running(Colorizer(), LIMITS) as ((host, port), _):
        yield f"http://{host}:{port}"


@pytest.fixture
def page(browser, address):
    with support.opened(browser, address) as page:
        yield page


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    """A folder of gray photos, and of what is none."""
    folder = tmp_path_factory.mktemp("album")
    exif = PIL.Image.Exif()
    exif[271], exif[306] = "Ernemann", "1931:05:01 12:00:00"
    portrait = PIL.Image.fromarray(skimage.data.astronaut()[::2, ::2]).convert("L")
    portrait.save(folder / "großmutter.jpg", exif=exif, dpi=(300, 300))
    PIL.Image.fromarray(skimage.data.coffee()[::2, ::2]).convert("L").save(folder / "cup.tif")
    (folder / "letter.jpg").write_text("Dear all, this is no photo.\n" * 50)
    (folder / "large.jpg").write_bytes(bytes(2_000_001))
    return folder


def reads(page, name, text):
    """Waits until a photo's card says something."""
    support.card(page, name).locator(".reason", has_text=text).wait_for()
    return True


def test_a_photo_is_colored_and_downloaded_with_its_metadata(page, album, tmp_path):
    subject = support.colored(page, album / "großmutter.jpg")
    assert "256 × 256, JPEG" in subject.locator(".facts").inner_text()
    with page.expect_download() as download:
        subject.get_by_role("button", name="Download").click()
    assert download.value.suggested_filename == "großmutter_color.jpg"
    download.value.save_as(tmp_path / "out.jpg")
    with PIL.Image.open(tmp_path / "out.jpg") as picture:
        assert picture.size == (256, 256) and picture.info["dpi"] == (300, 300)
        assert (picture.getexif()[271], picture.getexif()[306]) == (
            "Ernemann",
            "1931:05:01 12:00:00",
        )
        assert np.ptp(np.asarray(picture.convert("RGB")).astype(int), axis=-1).mean() > 5
    Colorizer().colorize_file(album / "großmutter.jpg", tmp_path / "command.jpg")
    np.testing.assert_array_equal(
        photo_files.read_picture(tmp_path / "out.jpg"),
        photo_files.read_picture(tmp_path / "command.jpg"),
    )


def test_the_slider_obeys_keys_and_pointer_and_says_where_it_stands(page, album):
    subject = support.colored(page, album / "großmutter.jpg")
    slider = subject.get_by_role("slider", name="Before and after of großmutter.jpg")
    slider.focus()
    for key, value in (
        ("ArrowRight", 52),
        ("ArrowLeft", 50),
        ("PageUp", 60),
        ("End", 100),
        ("ArrowUp", 100),
        ("Home", 0),
        ("PageDown", 0),
    ):
        page.keyboard.press(key)
        assert slider.get_attribute("aria-valuenow") == str(value)
    assert slider.get_attribute("aria-valuetext") == "0 % as it was, 100 % in color"
    box = subject.locator(".stage").bounding_box()
    page.mouse.move(box["x"] + 10, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 90)
    page.mouse.up()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 90)
    assert slider.get_attribute("aria-valuenow") == "25"
    left = PIL.Image.open(io.BytesIO(subject.locator(".stage").screenshot()))
    pixels = np.asarray(left.convert("RGB")).astype(int)
    chroma = np.ptp(pixels[80:200], axis=-1)
    width = chroma.shape[1]
    assert chroma[:, : width // 10].max() < 12 < chroma[:, width // 2 :].mean()


def test_variants_and_saturation_change_what_is_seen_and_downloaded(page, album, tmp_path):
    subject = support.colored(page, album / "großmutter.jpg")
    choices = subject.get_by_role("radio")
    assert choices.count() >= 2 and choices.first.is_checked()
    shown = subject.locator("img.after")
    first = shown.get_attribute("src")
    choices.first.focus()
    page.keyboard.press("ArrowRight")
    assert choices.nth(1).is_checked() and shown.get_attribute("src") != first
    with page.expect_response("**/api/preview?**saturation=0**"):
        subject.get_by_role("slider", name="Saturation").fill("0")
    with page.expect_download() as download:
        subject.get_by_role("button", name="Download").click()
    download.value.save_as(tmp_path / "gray.jpg")
    assert np.ptp(photo_files.read_picture(tmp_path / "gray.jpg").astype(int), axis=-1).max() <= 2


def test_a_text_file_that_is_called_jpg_is_explained_beside_it(page, album):
    support.choose(page, album / "letter.jpg", album / "großmutter.jpg")
    subject = support.card(page, "letter.jpg")
    assert reads(page, "letter.jpg", "isn't a picture we can read")
    assert not subject.get_by_role("button", name="Try again").is_visible()
    support.card(page, "großmutter.jpg").locator(".result").wait_for()
    assert support.card(page, "großmutter.jpg").locator(".problem").is_hidden()


def test_what_is_too_large_is_not_even_sent(page, album):
    requests = []
    page.on("request", lambda request: requests.append(request.method))
    support.choose(page, album / "large.jpg")
    assert reads(page, "large.jpg", "up to 2.0 MB")
    assert "POST" not in requests


def test_several_photos_come_as_one_archive(page, album, tmp_path):
    for name in ("cup.tif", "großmutter.jpg", "cup.tif"):
        support.choose(page, album / name)
    page.locator(".result:not([hidden])").nth(2).wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all").click()
    download.value.save_as(tmp_path / "all.zip")
    with zipfile.ZipFile(tmp_path / "all.zip") as archive:
        assert archive.testzip() is None
        names = ["cup_color.tif", "großmutter_color.jpg", "cup_color (2).tif"]
        assert archive.namelist() == names
        assert PIL.Image.open(io.BytesIO(archive.read("cup_color.tif"))).size == (300, 200)


def test_photos_are_dropped_and_pasted(page, album):
    data = (album / "großmutter.jpg").read_bytes()
    for event, field in (("drop", "dataTransfer"), ("paste", "clipboardData")):
        page.evaluate(
            """([event, field, bytes]) => {
              const transfer = new DataTransfer();
              transfer.items.add(new File([Uint8Array.from(bytes)], `${event}.jpg`));
              const options = { bubbles: true, cancelable: true, [field]: transfer };
              const kind = event === "drop" ? DragEvent : ClipboardEvent;
              document.body.dispatchEvent(new kind(event, options));
            }""",
            [event, field, list(data)],
        )
        support.card(page, f"{event}.jpg").locator(".result").wait_for()


def test_a_busy_server_is_asked_again(page, album):
    refusals = [{"status": 429, "headers": {"Retry-After": "1"}, "body": "{}"}]
    page.route(
        "**/api/preview?**",
        lambda route: route.fulfill(**refusals.pop()) if refusals else route.continue_(),
    )
    support.colored(page, album / "großmutter.jpg")
    assert not refusals


def test_a_server_that_is_away_may_be_tried_again_and_a_photo_removed(page, album):
    page.route("**/api/preview?**", lambda route: route.abort())
    support.choose(page, album / "großmutter.jpg")
    subject = support.card(page, "großmutter.jpg")
    assert reads(page, "großmutter.jpg", "cannot be reached")
    page.unroute("**/api/preview?**")
    subject.get_by_role("button", name="Try again").click()
    subject.locator(".result").wait_for()
    subject.get_by_role("button", name="Remove großmutter.jpg").press("Enter")
    assert page.locator("article").count() == 0
    assert page.get_by_role("status").inner_text() == "großmutter.jpg is removed."
    assert page.locator(":focus").get_attribute("id") == "files"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_a_phone_and_its_texts_can_be_read(browser, address, album, scheme):
    context = browser.new_context(
        viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True, color_scheme=scheme
    )
    page = context.new_page()
    page.goto(address)
    assert page.get_by_text("Take a photo").is_visible()
    support.choose(page, album / "großmutter.jpg", album / "letter.jpg", album / "cup.tif")
    page.locator(".result:not([hidden])").nth(1).wait_for()
    page.locator(".problem:not([hidden])").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    ratios = page.evaluate(_CONTRASTS, ".button, .small, h2, .reason, legend, summary, a")
    assert len(ratios) > 10 and min(ratios) >= 4.5
    heights = page.evaluate(
        "[...document.querySelectorAll('.button')].map(b => b.offsetHeight).filter(h => h)"
    )
    assert min(heights) >= 44
    context.close()


# WCAG 2.2: contrast ratio of each visible text to the first ground behind it that is not clear.
_CONTRASTS = """(selector) => {
  const parse = (color) => color.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  return [...document.querySelectorAll(selector)].filter((e) => e.checkVisibility()).map((e) => {
    let ground = e;
    while (parse(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
    const pair = [getComputedStyle(e).color, getComputedStyle(ground).backgroundColor]
      .map((color) => luminance(parse(color))).sort((a, b) => b - a);
    return (pair[0] + 0.05) / (pair[1] + 0.05);
  });
}"""
