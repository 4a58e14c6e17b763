"""Hints and suggestions by the API."""

import base64
import io
import json

import cv2
import numpy as np
import pytest

from colorization.inference import color_hints
from colorization.inference.colorizer import Colorizer
from colorization.serving.web import app
from pipelines.color import arrays
from tests.colorization.inference.following import FollowingEngine, scene
from tests.colorization.serving.web import support

GREEN = "#3a5f0b"
POINT = {"point": [40, 30], "color": GREEN}


@pytest.fixture
def colorizer():
    return Colorizer(engine=FollowingEngine())


@pytest.fixture
def client(colorizer):
    with support.serving_app(colorizer, app.Limits(workers=1)) as made:
        yield made.test_client()


def picture(data):
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)[..., ::-1]


def chroma_at_point(data):
    return arrays.rgb_to_lab(picture(data)[30, 40] / 255)[1:]


def asked(color):
    return arrays.rgb_to_lab(np.array(color_hints.parse_color(color)) / 255)[1:]


def post(client, path, photo, by, **fields):
    if by == "query":
        return client.post(f"/api/{path}", data=photo, query_string=fields)
    return client.post(f"/api/{path}", data={"photo": (io.BytesIO(photo), "a.png"), **fields})


def text(*hints):
    return json.dumps({"hints": hints})


@pytest.mark.parametrize("by", ["query", "form"])
def test_hints_color_the_photo_and_its_preview(client, photo, by):
    answer = post(client, "colorize", photo, by, hints=text(POINT))
    assert np.linalg.norm(chroma_at_point(answer.data) - asked(GREEN)) < 5
    preview = post(client, "preview", photo, by, hints=text(POINT)).json
    data = base64.b64decode(preview["variants"][0].partition(",")[2])
    # It is a JPEG.
    assert np.linalg.norm(chroma_at_point(data) - asked(GREEN)) < 8


def test_suggestions_are_the_colorizers_given_the_hints(client, colorizer, photo, gray):
    schema = client.get("/api/openapi.json").json["components"]["schemas"]["Suggestions"]
    found = post(client, "suggest", photo, "query", x=40, y=30).json["suggestions"]
    expected = colorizer.suggest(gray, 40, 30)
    assert found == [{"color": one.color, "share": one.share} for one in expected]
    assert set(schema["properties"]["suggestions"]["items"]["required"]) == set(found[0])
    told = post(client, "suggest", photo, "form", x=41, y=31, hints=text(POINT)).json["suggestions"]
    assert [one["share"] for one in told] == [1.0]


@pytest.mark.parametrize("path", ["colorize", "preview", "suggest"])
@pytest.mark.parametrize(
    ("hints", "detail"),
    [
        ("red", "Hints: hints are JSON"),
        ("[" * 100_000, "Hints: hints are JSON"),
        ("[]", "JSON object"),
        (text(POINT | {"color": "reddish"}), "hint 1 of 1: a color is"),
        (text(POINT | {"point": [80, 3]}), "Hint 1 lies outside the photo: x is 0 to 79"),
        (text(*[POINT] * 10_000), "at most 1000 hints are taken. Received: 10000"),
    ],
)
def test_hints_that_cannot_be_used_are_told_in_a_line(client, photo, path, hints, detail):
    place = {"x": 3, "y": 3} if path == "suggest" else {}
    answer = post(client, path, photo, "form", hints=hints, **place)
    assert (answer.status_code, answer.json["reason"]) == (422, "unusable-hints")
    assert detail in answer.json["detail"] and "\n" not in answer.json["detail"]


@pytest.mark.parametrize(
    ("place", "status", "reason"),
    [
        ({"x": 3}, 400, "bad-request"),
        ({"x": 3, "y": "three"}, 400, "bad-request"),
        ({"x": 3, "y": "nan"}, 422, "unusable-hints"),
        ({"x": 3, "y": 60}, 422, "unusable-hints"),
    ],
)
def test_a_place_is_two_numbers_within_the_photo(client, photo, place, status, reason):
    answer = post(client, "suggest", photo, "query", **place)
    assert (answer.status_code, answer.json["reason"]) == (status, reason)


def test_a_model_that_takes_no_hints_says_so(client, colorizer, photo):
    colorizer.description |= {"takes_hints": False, "gives_suggestions": False}
    for path, fields in (("colorize", {"hints": text(POINT)}), ("suggest", {"x": 3, "y": 3})):
        answer = post(client, path, photo, "form", **fields)
        assert (answer.status_code, answer.json["reason"]) == (422, "unusable-hints")
        assert "The model follower" in answer.json["detail"]


def test_the_server_tells_whether_its_model_takes_hints(client, colorizer):
    about = client.get("/api/about").json
    assert about["takes_hints"] and about["gives_suggestions"]
    with support.serving_app(support.Painter(), app.Limits(workers=1)) as made:
        assert not made.test_client().get("/api/about").json["takes_hints"]


def test_a_reference_in_the_form_gives_its_colors(client, colorizer):
    colorizer.engine.description["working_size"] = 128
    reference, gray, _ = scene()
    files = {"reference": (io.BytesIO(support.encode(reference)), "r.png")}
    colored = picture(post(client, "colorize", support.encode(gray), "form", **files).data)
    expected = colorizer.colorize(gray, reference=reference)
    np.testing.assert_array_equal(colored, expected)
    assert np.abs(expected - colorizer.colorize(gray).astype(int)).max() > 20


@pytest.mark.parametrize(
    ("reference", "reason", "detail"),
    [
        (b"text", "no-picture", "Expected a"),
        (b"\x89PNG\r\n\x1a\n", "unusable-picture", "Reference: "),
        (support.encode(scene()[1]), "unusable-hints", "A reference is a photo in color"),
    ],
)
def test_a_reference_that_is_no_photo_in_color_is_refused(client, photo, reference, reason, detail):
    files = {"reference": (io.BytesIO(reference), "r.png")}
    answer = post(client, "preview", photo, "form", **files)
    assert answer.json["reason"] == reason and answer.json["detail"].startswith(detail)
