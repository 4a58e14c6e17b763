"""Margins: prints are found behind borders of every kind, and nothing else is taken for one."""

import cv2
import numpy as np
import pytest
import skimage

from colorization.inference import sight
from pipelines.color import spaces


def lightness(name, size=(300, 400)):
    """L* of a sample."""
    picture = cv2.resize(getattr(skimage.data, name)(), size[::-1], interpolation=cv2.INTER_AREA)
    return spaces.rgb_to_lightness(picture).numpy()[..., 0]


def find_prints(lightness):
    """Finds the prints in a gray picture of this L*."""
    lab = np.stack([np.float32(lightness)] + [np.zeros(lightness.shape, np.float32)] * 2, axis=-1)
    return sight.find_prints(np.uint8(np.clip(spaces.lab_to_rgb(lab) * 255 + 0.5, 0, 255)))


def framed(photo, around, level, grain=0.0):
    """A print with margins at its top, left, bottom and right."""
    top, left, bottom, right = around
    page = np.pad(photo, ((top, bottom), (left, right)), constant_values=level)
    return page + np.random.default_rng(0).normal(0, grain, page.shape) if grain else page


def assert_near(box, expected, tolerance=2):
    assert np.abs(np.subtract(box, expected)).max() <= tolerance, (box, expected)


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee"])
@pytest.mark.parametrize(
    ("around", "level", "grain"),
    [
        ((6, 8, 6, 8), 99.0, 0.0),
        ((20, 20, 20, 20), 88.0, 1.5),
        ((15, 15, 15, 15), 2.0, 0.0),
        ((16, 16, 70, 16), 96.0, 0.5),
    ],
    ids=["white", "paper", "black", "instant"],
)
def test_a_border_is_found(name, around, level, grain):
    photo = lightness(name) * 0.75 + 12
    (box,) = find_prints(framed(photo, around, level, grain))
    top, left, _, _ = around
    assert_near(box, (top, left, top + 300, left + 400))


@pytest.mark.parametrize("name", ["astronaut", "chelsea", "coffee", "rocket"])
def test_a_photo_without_a_border_is_whole(name):
    photo = lightness(name)
    assert find_prints(photo) == [(0, 0, 300, 400)]
    # A plain sky, or a plain wall, is no border either.
    photo[:120] = 80
    assert find_prints(photo) == [(0, 0, 300, 400)]


def test_a_thing_on_a_plain_background_is_no_print():
    picture = np.full((300, 400), 92.0)
    cv2.circle(picture, (200, 150), 90, 30.0, -1)
    assert find_prints(picture) == [(0, 0, 300, 400)]


def test_windows_in_a_room_are_no_prints():
    room = np.full((300, 400), 50.0)
    room[60:160, 100:250] = 95
    # Furniture that fills no box.
    for x in range(40, 360, 40):
        cv2.circle(room, (x, 240), 18, 25.0, -1)
    cv2.line(room, (300, 20), (380, 150), 20.0, 9)
    assert find_prints(room) == [(0, 0, 300, 400)]


@pytest.mark.parametrize("level", [10.0, 60.0])
def test_prints_on_an_album_page_are_found_each_behind_its_own_border(level):
    page = np.full((800, 1000), level)
    corners = [(60, 50), (60, 530), (430, 300)]
    for (top, left), name in zip(corners, ["astronaut", "chelsea", "coffee"], strict=True):
        print_ = framed(lightness(name), (12, 12, 12, 12), 97.0)
        page[top : top + 324, left : left + 424] = print_
    boxes = find_prints(page)
    assert len(boxes) == 3
    for box, (top, left) in zip(boxes, corners, strict=True):
        assert_near(box, (top + 12, left + 12, top + 312, left + 412), 4)


@pytest.mark.parametrize("shape", [(1, 1), (5, 40), (31, 31), (32, 2000)])
@pytest.mark.parametrize("level", [0.0, 50.0, 100.0])
def test_plain_and_tiny_pictures_are_whole(shape, level):
    assert find_prints(np.full(shape, level)) == [(0, 0, *shape)]


@pytest.mark.slow
def test_large_pictures_are_searched_in_their_own_pixels():
    photo = lightness("coffee", (1200, 1600))
    (box,) = find_prints(framed(photo, (40, 60, 40, 60), 98.0))
    assert_near(box, (40, 60, 1240, 1660), 8)
    # Never a row of the print too few.
    assert box[0] <= 40 + 4 and box[2] >= 1240 - 4


def test_what_is_seen_keeps_off_margins_and_not_off_the_picture_edge():
    assert sight.within((0, 100, 300, 500), (300, 600)) == (slice(0, 300), slice(104, 496))


def test_a_place_scales_with_the_picture():
    assert sight.scaled((10, 20, 110, 220), (200, 400), (100, 100)) == (
        slice(5, 55),
        slice(5, 55),
    )
    assert sight.scaled((10, 20, 110, 220), (200, 400), (1, 1)) == (slice(0, 1), slice(0, 1))
