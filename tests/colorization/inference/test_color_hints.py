"""Hints of a person: what files say, where they are drawn, and what each mistake is told."""

import json

import cv2
import numpy as np
import pytest

from colorization.inference import color_hints
from colorization.inference.color_hints import Hint, HintError, Painting, Region, Stroke

# L*, a* and b* of pure colors, as published.
RED, BLUE = (80.09, 67.20), (79.19, -107.86)


WHOLE = (0, 0, 400, 600)


def draw(hints, box=WHOLE, seen_size=(64, 96)):
    part = slice(box[0], box[2]), slice(box[1], box[3])
    return color_hints.draw(hints, box, part, seen_size)


def check(hints, prints=(WHOLE,)):
    color_hints.check(hints, (400, 600), prints)


def test_a_point_is_a_small_disc_of_its_chroma():
    drawn = draw([Hint(300, 200, "red")])
    rows, columns = np.nonzero(drawn[..., 2])
    assert abs(rows.mean() - 31.5) < 1 and abs(columns.mean() - 47.5) < 1
    assert 1 <= len(rows) <= 9
    np.testing.assert_allclose(drawn[rows, columns, :2], np.tile(RED, (len(rows), 1)), atol=0.05)
    assert np.all(drawn[drawn[..., 2] == 0] == 0)


@pytest.mark.parametrize(("x", "y"), [(0, 0), (599, 0), (0, 399), (599, 399)])
def test_a_point_at_a_corner_is_drawn(x, y):
    assert draw([Hint(x, y, "red")])[..., 2].sum() >= 1


def test_gray_is_a_hint_too():
    drawn = draw([Hint(300, 200, "white")])
    assert drawn[..., 2].sum() >= 1
    np.testing.assert_allclose(drawn[..., :2], 0, atol=0.05)


def test_a_stroke_follows_its_line_and_a_region_is_filled():
    stroke = draw([Stroke(((0, 200), (599, 200)), "blue", width=40)])[..., 2]
    assert stroke.all(axis=1).sum() in (6, 7, 8)
    region = draw([Region(((0, 0), (299, 0), (299, 399), (0, 399)), "blue")])
    assert region[:, :47, 2].all() and not region[:, 50:, 2].any()
    np.testing.assert_allclose(region[0, 0, :2], BLUE, atol=0.05)


def test_later_hints_cover_earlier_ones():
    drawn = draw([Region(((0, 0), (599, 0), (599, 399), (0, 399)), "red"), Hint(300, 200, "blue")])
    np.testing.assert_allclose(drawn[32, 48, :2], BLUE, atol=0.05)
    np.testing.assert_allclose(drawn[0, 0, :2], RED, atol=0.05)


def test_hints_lie_at_the_same_place_at_every_size():
    for size in [(64, 96), (256, 384)]:
        rows, columns = np.nonzero(draw([Hint(150, 100, "red")], seen_size=size)[..., 2])
        assert abs((rows.mean() + 0.5) / size[0] - 100.5 / 400) < 0.01
        assert abs((columns.mean() + 0.5) / size[1] - 150.5 / 600) < 0.01


def test_paint_is_taken_where_it_is_opaque():
    rgb, alpha = np.zeros((400, 600, 3), np.uint8), np.zeros((400, 600), np.uint8)
    rgb[:, :, 0] = 255
    alpha[100:200, 200:300] = 255
    # A brush's soft edge, and what it has not touched, are no hints.
    alpha[300:, :] = 90
    drawn = draw(Painting(rgb, alpha, "layer.png"))
    assert drawn[18:31, 34:47, 2].all() and drawn[..., 2].mean() < 0.06
    np.testing.assert_allclose(drawn[24, 40, :2], RED, atol=0.05)


def test_a_thin_line_of_paint_is_not_lost():
    rgb, alpha = np.full((400, 600, 3), 255, np.uint8), np.zeros((400, 600), np.uint8)
    alpha[200, :] = 255
    assert draw(Painting(rgb, alpha, "layer.png"))[..., 2].any(axis=0).all()


def write(tmp_path, document):
    path = tmp_path / "photo.json"
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_file_of_every_kind(tmp_path):
    path = write(
        tmp_path,
        {
            "hints": [
                {"point": [3, 4.5], "color": "navy"},
                {"stroke": [[0, 0], [5, 5]], "width": 2, "color": "#3a5f0b"},
                {"region": [[0, 0], [5, 0], [5, 5]], "color": "White"},
            ]
        },
    )
    assert color_hints.read_hints(path) == [
        Hint(3, 4.5, "navy"),
        Stroke(((0, 0), (5, 5)), "#3a5f0b", 2),
        Region(((0, 0), (5, 0), (5, 5)), "White"),
    ]


def point(**changes):
    return {"hints": [{"point": [1, 2], "color": "red"} | changes]}


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("not json", "hints are JSON"),
        ([], 'an|JSON object {"hints"'),
        ({"hints": 3}, "hints are a list. Received: 3"),
        ({"hints": ["red"]}, "hint 1 of 1: a hint has"),
        (point(color="reddish"), "hint 1 of 1: a color is .* Received: 'reddish'"),
        (point(color="#12345"), "a color is"),
        (point(color="#12345g"), "a color is"),
        (point(color=7), "a color is"),
        (point(point=[1]), "a place is .*two numbers. Received: .1."),
        (point(point=["1", 2]), "a place is"),
        (point(point=[True, 2]), "a place is"),
        (point(point=7), "a place is"),
        (point(size=3), "a hint has"),
        ({"hints": [{"stroke": [[0, 0], [1, 1]], "color": "red"}]}, 'with "width"'),
        ({"hints": [{"stroke": [[0, 0]], "width": 1, "color": "red"}]}, "2 to 10000 places"),
        ({"hints": [{"stroke": [[0, 0]] * 2, "width": -1, "color": "red"}]}, "above 0"),
        ({"hints": [{"region": [[0, 0], 5, 6], "color": "red"}]}, "a place is"),
        ({"hints": [{"region": 5, "color": "red"}]}, "a region is a list"),
        ({"hints": [{"point": [1, 2], "color": "red"}] * 10_000}, "at most 1000 .* 10000"),
        ('{"hints": [{"point": [NaN, 2], "color": "red"}]}', "a place is"),
    ],
)
def test_a_mistake_is_told_in_one_line(tmp_path, document, message):
    with pytest.raises(HintError, match=message) as caught:
        color_hints.read_hints(write(tmp_path, document))
    assert "\n" not in str(caught.value) and "photo.json" in str(caught.value)


@pytest.mark.parametrize(("x", "y"), [(600, 0), (0, 400), (-1, 0), (1e9, 5)])
def test_a_hint_outside_the_photo_is_named(x, y):
    with pytest.raises(HintError, match="hint 2 lies outside the photo: x is 0 to 599"):
        check([Hint(0, 0, "red"), Hint(x, y, "red")])


def test_a_point_on_the_margin_is_named_and_one_on_a_print_is_drawn_there_alone():
    left, right = (50, 50, 350, 250), (50, 350, 350, 550)
    with pytest.raises(HintError, match="hint 1 lies on the margin"):
        check([Hint(300, 200, "red")], (left, right))
    hints = [Hint(400, 200, "red")]
    check(hints, (left, right))
    assert not draw(hints, left)[..., 2].any()
    rows, columns = np.nonzero(draw(hints, right)[..., 2])
    assert abs((rows.mean() + 0.5) / 64 - 150.5 / 300) < 0.02
    assert abs((columns.mean() + 0.5) / 96 - 50.5 / 200) < 0.02


def test_a_point_at_the_edge_of_a_print_which_is_not_seen_is_drawn():
    part = slice(53, 347), slice(52, 248)
    box = (50, 50, 350, 250)
    for x, y in ((50, 50), (249, 349)):
        assert color_hints.draw([Hint(x, y, "red")], box, part, (64, 64))[..., 2].sum() >= 1


@pytest.mark.parametrize(
    ("hints", "message"),
    [
        ([(1, 2, "red")], "a list of Hint, Stroke and Region. Received"),
        ([Hint(1, 2, "red")] * 10_000, "at most 1000 hints"),
    ],
)
def test_hints_of_the_wrong_sort_or_number_are_refused(hints, message):
    with pytest.raises(HintError, match=message):
        check(hints)


def test_the_file_beside_a_photo_is_found(tmp_path):
    assert color_hints.find_beside(tmp_path / "street.jpg") is None
    (tmp_path / "street.hints.png").touch()
    assert color_hints.find_beside(tmp_path / "street.jpg") == tmp_path / "street.hints.png"
    assert color_hints.find_beside(tmp_path / "streets.jpg") is None


def test_a_painting_of_another_size_is_refused():
    painting = Painting(np.zeros((40, 60, 3), np.uint8), np.zeros((40, 60), np.uint8), "layer.png")
    with pytest.raises(HintError, match=r"layer.png: .* 600 x 400. Received: 60 x 40"):
        check(painting)


def test_a_painting_without_transparency_is_refused(tmp_path):
    path = tmp_path / "layer.png"
    cv2.imwrite(str(path), np.zeros((4, 6, 3), np.uint8))
    with pytest.raises(HintError, match="transparent layer"):
        color_hints.read_hints(path)


@pytest.mark.parametrize("name", ["missing.json", "missing.png"])
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(HintError, match=name):
        color_hints.read_hints(tmp_path / name)
