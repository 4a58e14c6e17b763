import contextlib
import pathlib
import sqlite3

import pytest

from colorization.preference import voting_page
from colorization.preference.study import Plan, Votes

HERE = pathlib.Path(__file__).parent
NAMES = ("secretmodel", "gray", "truth")


@pytest.fixture
def study(tmp_path):
    """An application, its votes and its plan; pictures are text, of a length for each model."""
    with contextlib.closing(Votes(tmp_path / "votes.sqlite")) as votes:
        numbers = votes.add_models({name: name for name in NAMES})
        photos = votes.add_photos({f"digest {i}": f"{i}.jpg" for i in range(4)}).values()
        plan = Plan((1, 2), tuple(photos), numbers["truth"], 9, votes.seed)

        def picture_path(photo, model):
            path = tmp_path / f"{photo} {model}"
            path.write_bytes(b"picture %d %d" % (photo, model) + b"." * 10**model)
            return path

        yield voting_page.create_app(votes, plan, picture_path), votes, plan


@pytest.fixture
def client(study):
    return study[0].test_client()


def vote(client, choice="left", **changes):
    question = client.get("/api/standing").json["question"]["id"]
    return client.post("/api/vote", json={"question": question, "choice": choice} | changes)


def test_a_session_from_start_to_end(client, study):
    standing = client.get("/api/standing").json
    assert (standing["total"], standing["answered"], standing["last"]) == (9, 0, None)
    kinds = []
    while standing["question"]:
        kinds.append(standing["question"]["kind"])
        body = {"question": standing["question"]["id"], "choice": "right"}
        response = client.post("/api/vote", json=body)
        assert response.status_code == 200
        assert response.json["answered"] == standing["answered"] + 1
        assert response.json["last"] == body["question"]
        standing = response.json
    assert kinds == ["preference"] * 3 + ["truth"] * 6
    assert standing["answered"] == 9 and len(study[1].all()[0]) == 9


def test_undo_opens_the_question_again(client):
    first = client.get("/api/standing").json
    last = vote(client).json["last"]
    assert client.post("/api/undo", json={"question": last}).json == first


def test_a_session_is_resumed_by_its_cookie_alone(client, study):
    response = client.get("/")
    (cookie,) = response.headers.getlist("Set-Cookie")
    assert "HttpOnly" in cookie and "SameSite=Strict" in cookie and f"{study[1].seed:08x}" in cookie
    assert vote(client).json["answered"] == 1
    assert not client.get("/api/standing").headers.getlist("Set-Cookie")
    again = study[0].test_client()
    again.set_cookie(*cookie.split(";")[0].split("="))
    assert again.get("/api/standing").json["answered"] == 1
    assert study[0].test_client().get("/api/standing").json["answered"] == 0


def test_the_next_person_is_another_voter(client, study):
    vote(client)
    assert client.post("/api/leave", json={}).json["answered"] == 0
    assert vote(client).json["answered"] == 1
    assert len({one.voter for one in study[1].all()[0]}) == 2


def test_both_pictures_of_a_pair_look_alike_from_outside(client, study):
    question = client.get("/api/standing").json["question"]
    voter = client.get_cookie(f"voter_{study[1].seed:08x}").value
    found = study[1].question(voter, question["id"])
    sides = [client.get(question[side]) for side in ("left", "right")]
    for side, model in zip(sides, (found.left, found.right), strict=True):
        assert side.data.startswith(b"picture %d %d." % (found.photo, model))
    assert len(sides[0].data) == len(sides[1].data)
    assert sides[0].data.rstrip(b"\0") != sides[1].data.rstrip(b"\0")
    headers = [sorted(item for item in side.headers if item[0] != "Date") for side in sides]
    assert headers[0] == headers[1]
    assert not {"ETag", "Last-Modified", "Content-Disposition"} & set(sides[0].headers.keys())


def test_nothing_that_is_sent_names_a_model(client):
    while (standing := client.get("/api/standing").json)["question"]:
        sent = [client.get("/api/standing"), client.get(standing["question"]["left"]), vote(client)]
        for response in sent:
            text = f"{response.headers} {response.data}"
            assert not any(name in text for name in ("secretmodel", "gray", "digest", ".jpg"))
    for name in ("index.html", "app.js", "style.css", "icon.svg"):
        assert b"secretmodel" not in client.get(f"/static/{name}").data


def test_a_picture_is_shown_to_whom_it_was_asked_of_only(client, study):
    path = client.get("/api/standing").json["question"]["left"]
    assert client.get(path).status_code == 200
    assert study[0].test_client().get(path).status_code == 404
    for wrong in (
        "/picture/x/left",
        path.replace("left", "truth"),
        "/picture/../votes.sqlite/left",
    ):
        assert client.get(wrong).status_code == 404


@pytest.mark.parametrize("path", ["/", "/static/app.js", "/api/standing", "/nowhere"])
def test_security_headers(client, path):
    headers = client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


def test_the_page_runs_under_its_policy():
    page = (pathlib.Path(voting_page.__file__).parent / "static" / "index.html").read_text()
    assert "style=" not in page and " on" not in page.replace(" one", "") and "<style" not in page
    assert page.count("<script") == 1 and 'src="/static/app.js"' in page


@pytest.mark.parametrize(
    "body, status, words",
    [
        ({"choice": "up"}, 422, "choice is one of left, right, tie. Received: 'up'."),
        ({"choice": 1}, 422, "choice is a text"),
        ({"question": "x"}, 404, "was not asked that question"),
        ({"question": "x" * 100}, 422, "question is a text of up to 64 characters"),
        ({"question": None}, 422, "question is a text"),
    ],
)
def test_votes_that_are_none_are_refused_with_a_line(client, study, body, status, words):
    response = vote(client, **body)
    assert response.status_code == status and words in response.json["error"]
    assert study[1].all()[0] == []


def test_what_is_no_json_is_refused(client):
    post = client.post
    assert post("/api/vote", data="question=x&choice=left").status_code == 415
    assert post("/api/vote", data="{", content_type="application/json").status_code == 400
    assert post("/api/vote", json=["left"]).status_code == 422
    assert post("/api/leave", data="{}", content_type="text/plain").status_code == 415
    assert post("/api/undo", json={"question": "x" * 9999}).status_code == 413
    assert client.get("/api/vote").status_code == 405
    assert all(client.get(path).json["error"] for path in ("/api/vote", "/nowhere"))


def test_a_vote_that_cannot_be_stored_is_not_answered_as_if_it_were(client, study, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(study[1], "vote", full)
    response = vote(client)
    assert response.status_code == 503 and "disk is full. Try again" in response.json["error"]


def test_a_picture_that_was_deleted_is_an_error(study):
    app = voting_page.create_app(study[1], study[2], lambda *_: "/nowhere/at/all")
    client = app.test_client()
    response = client.get(client.get("/api/standing").json["question"]["left"])
    assert response.status_code == 404 and "Restart the study" in response.json["error"]
    assert "nowhere" not in response.text
