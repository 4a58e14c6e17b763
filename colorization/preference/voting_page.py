"""The page that voters see, and its server.

Nothing that goes to a voter says which model made a picture: questions and pictures are named by
random texts, pictures of a pair are equally long, and no header says when or from what a picture
was made.
"""

import logging
import secrets
import signal
import sqlite3
import sys

import flask
import waitress
import werkzeug.exceptions

from colorization.preference.study import CHOICES
from colorization.serving.web.app import SECURITY, address

_LONGEST_NAME = 64


def serve(app, listener, what):
    """Serves the application of a study until a signal ends it; prints its address and `what`."""
    # It reports each request that waits for a thread, if only for an instant.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    server = waitress.create_server(
        app, sockets=[listener], ident=None, max_request_body_size=65_536
    )
    print(f"Serving {what} at {address(listener)}/ (Ctrl-C ends it)", flush=True)
    try:
        server.run()
    finally:
        server.close()


def create_app(votes, plan, picture_path):
    """Makes the application of a study, a `flask.Flask` that threads may share.

    - `GET /`: the page.
    - `GET /api/standing`: the state of the voter, as JSON: `total`, `answered`, `last` (of the
      vote that can be taken back) and `question`, with its `id`, `kind` and the addresses of the
      pictures `left` and `right`, or null at the end.
    - `POST /api/vote` of `{"question": ID, "choice": "left" | "right" | "tie"}`, and
      `POST /api/undo` of `{"question": ID}`: answer 200 with the new standing once the file has it.
    - `POST /api/leave` of `{}`: the browser becomes another voter.
    - `GET /picture/ID/left` and `/right`.

    Errors are JSON: `{"error": LINE}`. `picture_path` is a function of the numbers of a photo and
    of a model: path of a JPEG file.
    """
    app = flask.Flask(__name__, static_folder="static")
    app.config["MAX_CONTENT_LENGTH"] = 4096
    # Studies on other ports of this computer share their cookies.
    _add_voters(app, cookie=f"voter_{plan.seed:08x}")
    _add_votes(app, votes, plan)
    _add_pictures(app, votes, plan, picture_path)

    @app.errorhandler(werkzeug.exceptions.HTTPException)
    def tell(error):
        return {"error": error.description}, error.code

    @app.errorhandler(sqlite3.Error)
    def tell_of_storage(error):
        return {"error": f"It could not be stored: {error}. Try again."}, 503

    return app


def _add_voters(app, cookie):
    """Knows each browser by a cookie; adds the headers of all answers."""

    @app.before_request
    def know_voter():
        voter = flask.request.cookies.get(cookie, "")
        flask.g.is_new = not 0 < len(voter) <= _LONGEST_NAME
        flask.g.voter = secrets.token_urlsafe(16) if flask.g.is_new else voter

    @app.after_request
    def add_headers(response):
        if flask.g.get("is_new") and flask.request.endpoint != "static":
            response.set_cookie(
                cookie, flask.g.voter, max_age=90 * 86_400, httponly=True, samesite="Strict"
            )
        response.headers.update(SECURITY)
        response.headers.setdefault("Cache-Control", "no-store")
        return response


def _add_votes(app, votes, plan):
    @app.get("/")
    def page():
        return app.send_static_file("index.html")

    @app.get("/api/standing")
    def standing():
        return _standing(votes, plan)

    @app.post("/api/vote")
    def vote():
        question, choice = _text("question"), _text("choice")
        if choice not in CHOICES:
            flask.abort(422, f"choice is one of {', '.join(CHOICES)}. Received: {choice!r}.")
        return _standing(votes, plan, votes.vote(flask.g.voter, question, choice))

    @app.post("/api/undo")
    def undo():
        return _standing(votes, plan, votes.take_back(flask.g.voter, _text("question")))

    @app.post("/api/leave")
    def leave():
        _json()
        flask.g.voter, flask.g.is_new = secrets.token_urlsafe(16), True
        return _standing(votes, plan)


def _add_pictures(app, votes, plan, picture_path):
    @app.get("/picture/<token>/<any(left, right):side>")
    def picture(token, side):
        question = votes.question(flask.g.voter, token)
        if question is None or not plan.covers(question):
            flask.abort(404, "No such picture.")
        data = {}
        for name, model in (("left", question.left), ("right", question.right)):
            try:
                with open(picture_path(question.photo, model), "rb") as file:
                    data[name] = file.read()
            except OSError:
                flask.abort(404, "The picture is gone. Restart the study to make it again.")
        # What follows the end of a JPEG file is no part of it.
        longest = max(map(len, data.values()))
        response = flask.Response(data[side].ljust(longest, b"\0"), mimetype="image/jpeg")
        response.headers["Cache-Control"] = "private, max-age=3600"
        return response


def _standing(votes, plan, was_asked=True):
    """The state of the voter of this request; 404 for a question that the voter was not asked."""
    if not was_asked:
        flask.abort(404, "This browser was not asked that question. Reload the page.")
    found, question = votes.standing(flask.g.voter, plan), None
    if found.question is not None:
        question = {
            "id": found.token,
            "kind": plan.kind(found.question),
            "left": flask.url_for("picture", token=found.token, side="left"),
            "right": flask.url_for("picture", token=found.token, side="right"),
        }
    total = sum(plan.counts().values())
    return {
        "total": total,
        "answered": min(found.answered, total),
        "last": found.last,
        "question": question,
    }


def _json():
    # With any other type of content a page of another origin could send it.
    found = flask.request.get_json()
    if not isinstance(found, dict):
        flask.abort(422, "A JSON object was expected.")
    return found


def _text(name):
    value = _json().get(name)
    if not isinstance(value, str) or len(value) > _LONGEST_NAME:
        flask.abort(422, f"{name} is a text of up to {_LONGEST_NAME} characters.")
    return value
