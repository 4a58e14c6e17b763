import base64
import errno
import io
import threading

import jsonschema
import numpy as np
import openapi_spec_validator
import PIL.Image
import pytest

from colorization.inference.album import CannotGoOn
from colorization.serving.web import app, service, uploads
from pipelines.photos import photo_files
from tests.colorization.serving.web import support


def picture(data):
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


def of_url(url):
    head, _, data = url.partition(",")
    return head, PIL.Image.open(io.BytesIO(base64.b64decode(data)))


def form(photo, name="photo.png", **fields):
    return {"data": {"photo": (io.BytesIO(photo), name), **fields}}


def test_a_photo_comes_back_in_color_in_its_own_format(client, photo, gray):
    for request in ({"data": photo, "query_string": {"name": "a.png"}}, form(photo, "a.png")):
        answer = client.post("/api/colorize", **request)
        assert (answer.status_code, answer.content_type) == (200, "image/png")
        assert answer.headers["Content-Disposition"] == "attachment; filename=a_color.png"
        expected = support.paint(np.dstack([gray] * 3), 1)
        np.testing.assert_array_equal(picture(answer.data), expected)
        assert int(answer.headers["Content-Length"]) == len(answer.data)


def test_names_beyond_ascii_follow_rfc_6266(client, photo):
    answer = client.post("/api/colorize", query_string={"name": "Großmutter.png"}, data=photo)
    disposition = answer.headers["Content-Disposition"]
    assert disposition.endswith("filename*=UTF-8''Gro%C3%9Fmutter_color.png")


@pytest.mark.parametrize("kind", ["JPEG", "TIFF", "WEBP", "AVIF"])
def test_metadata_and_kind_are_kept(client, gray, kind):
    exif = PIL.Image.Exif()
    exif[271] = "Maker"
    data = support.encode(np.dstack([gray] * 3), kind, exif=exif)
    answer = client.post("/api/colorize", data=data)
    assert answer.content_type == f"image/{kind.lower()}"
    with PIL.Image.open(io.BytesIO(answer.data)) as colored:
        assert colored.format == kind and colored.getexif()[271] == "Maker"


def test_options_reach_the_colorizer(client, painter, photo):
    options = {"num_variants": 4, "variant": 3, "seed": 7, "saturation": 0.5}
    for request in ({"data": photo, "query_string": options}, form(photo, **options)):
        answer = client.post("/api/colorize", **request)
        assert painter.calls.pop() == {"count": 4, "variant": 3, "seed": 7, "saturation": 0.5}
        assert picture(answer.data)[0, 0, 0] == 255 // 6 * 3


def test_a_preview_shows_the_photo_and_its_variants(client, painter, photo, gray):
    answer = client.post("/api/preview?num_variants=3&seed=5&saturation=1.5&name=a.png", data=photo)
    assert painter.calls == [{"count": 3, "seed": 5, "saturation": 1.5}]
    preview = answer.json
    about = {key: preview[key] for key in ("name", "kind", "width", "height", "num_pages", "seed")}
    assert list(about.values()) == ["a_color.png", "PNG", 80, 60, 1, 5]
    head, before = of_url(preview["before"])
    assert head == "data:image/jpeg;base64"
    np.testing.assert_allclose(np.asarray(before.convert("L")).astype(int), gray, atol=4)
    reds = [np.asarray(of_url(url)[1])[..., 0].mean() for url in preview["variants"]]
    np.testing.assert_allclose(reds, [42, 84, 126], atol=25)


def test_a_preview_is_small_and_of_eight_bits_and_transparent_where_the_photo_is(client):
    limits = app.Limits(workers=1)
    colorizer = support.Painter()
    with support.serving_app(colorizer, limits) as made:
        rgb = np.full((20, 2400, 3), 4369, np.uint16)
        alpha = np.full((20, 2400), 65_535, np.uint16)
        alpha[:, :1200] = 0
        file = photo_files.Photo(rgb, alpha)
        data = b"".join(photo_files.encode_photo("a.tif", [file, file]))
        preview = made.test_client().post("/api/preview", data=data).json
    assert (preview["width"], preview["kind"], preview["num_pages"]) == (2400, "TIFF", 2)
    head, before = of_url(preview["before"])
    assert head == "data:image/webp;base64" and before.size == (1600, 13)
    pixels = np.asarray(before)
    assert pixels[0, 0, 3] == 0 and tuple(pixels[6, -1]) == (17, 17, 17, 255)


def test_a_mask_reaches_the_colorizer(client, painter, photo, gray):
    fields = {"mask": (io.BytesIO(support.encode(gray)), "mask.png")}
    assert client.post("/api/preview", **form(photo, **fields)).status_code == 200
    np.testing.assert_array_equal(painter.mask, np.dstack([gray] * 3))


@pytest.mark.parametrize(
    ("mask", "reason"), [(b"text", "no-picture"), (b"\x89PNG\r\n\x1a\n", "unusable-picture")]
)
def test_a_mask_that_is_no_whole_picture_is_refused(client, photo, mask, reason):
    fields = {"mask": (io.BytesIO(mask), "mask.png")}
    assert client.post("/api/preview", **form(photo, **fields)).json["reason"] == reason


def test_a_preview_tells_whether_the_photo_has_colors(client, photo):
    colors = (
        np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8).repeat(8, 0).repeat(8, 1)
    )
    for data, has_colors in ((photo, False), (support.encode(colors), True)):
        assert client.post("/api/preview", data=data).json["has_colors"] is has_colors


@pytest.mark.parametrize(
    ("path", "options", "received"),
    [
        ("colorize", {"variant": 2}, "variant=2"),
        ("colorize", {"num_variants": 9}, "9"),
        ("colorize", {"num_variants": "two"}, "'two'"),
        ("preview", {"seed": -1}, "-1"),
        ("preview", {"seed": 2**31}, str(2**31)),
        ("preview", {"saturation": 2.1}, "2.1"),
        ("preview", {"saturation": "nan"}, "nan"),
        ("preview", {"sede": 1}, "'sede'"),
    ],
)
def test_options_out_of_range_are_named(client, painter, photo, path, options, received):
    answer = client.post(f"/api/{path}", data=photo, query_string=options)
    assert (answer.status_code, answer.json["reason"]) == (400, "bad-request")
    assert f"Received: {received}" in answer.json["detail"]
    assert painter.calls == []


def test_a_model_without_variants_is_asked_for_none(photo):
    colorizer = support.Painter()
    colorizer.description = {"name": "plain", "version": 1, "gives_variants": False}
    with support.serving_app(colorizer, app.Limits()) as made:
        client = made.test_client()
        assert client.get("/api/about").json["max_variants"] == 1
        assert client.post("/api/preview?num_variants=2", data=photo).status_code == 400


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"photo": (io.BytesIO(), "a.png")},
        {"picture": (io.BytesIO(b"x"), "a.png")},
        {"photo": [(io.BytesIO(b"x"), "a.png"), (io.BytesIO(b"y"), "b.png")]},
    ],
)
def test_one_photo_for_each_request(client, fields):
    answer = client.post("/api/colorize", data=fields, content_type="multipart/form-data")
    assert (answer.status_code, answer.json["reason"]) == (400, "bad-request")


def test_too_many_bytes_are_refused(client, photo):
    for extra in (100_000, 300_000):
        for request in ({"data": photo + bytes(extra)}, form(photo + bytes(extra))):
            answer = client.post("/api/colorize", **request)
            assert (answer.status_code, answer.json["reason"]) == (413, "too-many-bytes")


def test_what_is_wrong_with_a_photo_is_said_in_a_line(client, photo):
    answer = client.post("/api/colorize?name=letter.jpg", data=b"Dear all, this is no photo.")
    assert (answer.status_code, answer.json["reason"]) == (415, "no-picture")
    answer = client.post("/api/colorize", data=photo[:-20])
    assert (answer.status_code, answer.json["reason"]) == (422, "unusable-picture")
    assert answer.json["detail"].startswith("Expected a whole PNG picture. Received: ")
    assert "\n" not in answer.json["detail"]


def test_a_variant_that_the_model_does_not_see(client, photo):
    answer = client.post("/api/colorize?num_variants=8&variant=6", data=photo)
    assert (answer.status_code, answer.json["reason"]) == (422, "no-such-variant")
    assert len(client.post("/api/preview?num_variants=8", data=photo).json["variants"]) == 5


class TestQueue:
    def test_it_gives_what_the_work_gives_and_raises_what_it_raises(self):
        queue = service.WorkQueue(1, 1, timeout=20)
        assert queue.run(lambda: 7) == 7
        with pytest.raises(KeyError):
            queue.run({}.popitem)
        # This is also what the queue itself waits with.
        with pytest.raises(TimeoutError, match="its own"):
            queue.run(lambda: (_ for _ in ()).throw(TimeoutError("its own")))
        queue.close(wait=True)
        assert queue.num_running == queue.num_waiting == 0

    def post(self, made, photo, answers):
        thread = threading.Thread(
            target=lambda: answers.append(made.test_client().post("/api/colorize", data=photo))
        )
        thread.start()
        return thread

    def test_who_finds_it_full_is_told_when_to_come_again(self, painter, photo):
        painter.gate, answers = threading.Event(), []
        with support.serving_app(painter, app.Limits(max_queue=0, workers=1)) as made:
            thread = self.post(made, photo, answers)
            assert painter.started.acquire(timeout=20)
            refused = made.test_client().post("/api/colorize", data=photo)
            painter.gate.set()
            thread.join()
        assert (refused.status_code, refused.json["reason"]) == (429, "busy")
        assert int(refused.headers["Retry-After"]) >= 1
        assert answers[0].status_code == 200
        answers[0].close()

    def test_who_waits_too_long_is_let_go_and_nothing_stays(self, painter, photo, folder):
        painter.gate = threading.Event()
        with support.serving_app(painter, app.Limits(timeout=0.05, workers=1)) as made:
            client = made.test_client()
            answer = client.post("/api/colorize", data=photo)
            assert (answer.status_code, answer.json["reason"]) == (504, "worked-too-long")
            answer = client.post("/api/colorize", data=photo)
            assert (answer.status_code, answer.json["reason"]) == (503, "waited-too-long")
            assert "Retry-After" in answer.headers
            assert len(list(folder.iterdir())) == 1, "of the photo that is still being colored"
            painter.gate.set()
        assert len(painter.calls) == 1

    def test_a_closed_one_takes_nothing(self, painter, photo):
        with support.serving_app(painter, app.Limits()) as made:
            made.extensions["work_queue"].close()
            for answer in (
                made.test_client().post("/api/colorize", data=photo),
                made.test_client().get("/healthz"),
            ):
                assert (answer.status_code, answer.json["reason"]) == (503, "stopping")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (CannotGoOn("grpc://host:8500 is away."), 502, "no-model-server"),
        (OSError(errno.ENOSPC, "No space left"), 507, "no-space"),
        (MemoryError(), 507, "no-space"),
        (RuntimeError("a secret"), 500, "internal"),
    ],
)
def test_failures_of_the_server_tell_no_more_than_they_should(
    client, painter, photo, monkeypatch, error, status, reason
):
    def fail(**_):
        raise error

    monkeypatch.setattr(painter, "_work", fail)
    answer = client.post("/api/preview", data=photo)
    assert (answer.status_code, answer.json["reason"]) == (status, reason)
    assert "secret" not in answer.text and "Traceback" not in answer.text


def test_every_answer_is_guarded(client, photo):
    answers = [
        client.get("/"),
        client.get("/static/app.js"),
        client.get("/nowhere"),
        client.get("/api/colorize"),
        client.post("/api/colorize", data=b"x"),
        client.post("/api/colorize", data=photo),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 404, 405, 415, 200]
    for answer in answers:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "Server" not in answer.headers
    assert answers[-1].headers["Cache-Control"] == "no-store"
    assert answers[3].headers["Allow"] == "OPTIONS, POST"


def test_other_sites_cannot_keep_the_machine_busy(client, painter, photo):
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        answer = client.post("/api/colorize", data=photo, headers={"Sec-Fetch-Site": site})
        assert answer.status_code == status
    assert len(painter.calls) == 1
    assert client.get("/", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 200


def test_metrics_count_what_happened(client, photo):
    client.post("/api/colorize", data=photo)
    client.post("/api/preview", data=b"x")
    answer = client.get("/metrics")
    assert answer.content_type.startswith("text/plain; version=")
    lines = dict(line.rsplit(" ", 1) for line in answer.text.splitlines() if line[:1] != "#")
    for name, value in {
        'colorization_requests_total{endpoint="colorize",status="200"}': 1,
        'colorization_requests_total{endpoint="preview",status="415"}': 1,
        'colorization_failures_total{reason="no-picture"}': 1,
        'colorization_request_seconds_count{endpoint="colorize"}': 1,
        "colorization_pixels_total": 60 * 80,
        "colorization_queue_waiting": 0,
        "colorization_queue_running": 0,
    }.items():
        assert float(lines[name]) == value
    assert float(lines["process_resident_memory_bytes"]) > 0


class TestDocument:
    @pytest.fixture
    def document(self, client):
        return client.get("/api/openapi.json").json

    def test_it_is_valid(self, document):
        assert document["openapi"].startswith("3.1")
        openapi_spec_validator.validate(document)

    def test_every_path_is_described_and_every_description_served(self, client, document):
        rules = [rule for rule in client.application.url_map.iter_rules()]
        served = {rule.rule for rule in rules} - {
            "/",
            "/api",
            "/api/openapi.json",
            "/static/<path:filename>",
        }
        assert served == set(document["paths"])

    def test_answers_are_as_described(self, client, document, photo):
        def check(value, name):
            schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
            jsonschema.validate(value, schema)

        check(client.post("/api/preview?num_variants=2", data=photo).json, "Preview")
        check(client.get("/api/about").json, "About")
        check(client.get("/healthz").json, "Health")
        for answer in (client.post("/api/preview", data=b"x"), client.get("/nowhere")):
            assert answer.content_type == "application/problem+json"
            check(answer.json, "Problem")

    def test_every_reason_and_status_is_described(self, document):
        responses = document["paths"]["/api/colorize"]["post"]["responses"]
        for reason, (status, _) in uploads.REASONS.items():
            if status not in (404, 405):
                assert f"`{reason}`" in responses[str(status)]["description"]

    def test_parameters_are_those_that_are_taken(self, client, document, photo):
        for path in ("colorize", "preview"):
            described = document["paths"][f"/api/{path}"]["post"]["parameters"]
            for parameter in described:
                value = parameter["schema"].get("minimum", parameter.get("example"))
                query = {parameter["name"]: value}
                assert (
                    client.post(f"/api/{path}", data=photo, query_string=query).status_code == 200
                )
            assert {"name", "num_variants", "seed", "saturation"} <= {p["name"] for p in described}


def test_the_page_for_programs_names_every_path_parameter_and_reason(client):
    page = client.get("/api").text
    document = client.get("/api/openapi.json").json
    for path, methods in document["paths"].items():
        assert f" {path}</h2>" in page
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                assert f"<code>{parameter['name']}</code>" in page
    assert all(f"<code>{reason}</code>" in page for reason in uploads.REASONS)


def test_the_page_needs_nothing_from_elsewhere(client):
    page = client.get("/").text
    assert "painter" in page and " style=" not in page and "<style" not in page
    assert page.count("<script") == page.count("<script src=") == 4
    names = ("app.js", "brush.js", "files.js", "hints.js", "style.css")
    for text in (page, *(client.get(f"/static/{name}").text for name in names)):
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")
