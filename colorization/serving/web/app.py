"""The application: its page, its API, what keeps both safe, and the server that runs it.

No photo, no name and no result outlives its request.

waitress receives requests and sends answers in one thread, to and from unlinked temporary files
where they are large; its other threads never wait for a client. When it is stopped, answers are
finished. Against clients that mean harm, as by sending a byte a minute, put a proxy before it: see
docs/web.md.
"""

import dataclasses
import logging
import os
import socket
import time

import flask
import waitress
import werkzeug.exceptions
from waitress import wasyncore

from colorization.serving.web import openapi, service, uploads
from colorization.serving.web.uploads import Problem
from pipelines.errors import UserError
from pipelines.photos import formats

# What a form adds to its photo: boundaries, names, a few numbers.
FORM_BYTES = 1 << 16
SECURITY = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
# Names and descriptions of the gray photos that the empty page offers; docs/web.md says whose.
_SAMPLES = (
    ("astronaut", "An astronaut in front of a flag"),
    ("chelsea", "A cat"),
    ("coffee", "A cup of coffee"),
)


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one server takes on.

    Args:
        max_bytes: Size of the largest photo file.
        max_pixels: Pixels of the largest photo, all its pages together.
        max_queue: Photos that may wait while others are colored.
        timeout: Seconds until a request is given up, waiting included.
        workers: Photos colored at once.
    """

    max_bytes: int = 100_000_000
    max_pixels: int = 50_000_000
    max_queue: int = 16
    timeout: float = 120
    workers: int = 2


def create_app(colorizer, limits=None):
    """Makes the `flask.Flask`; its `extensions["work_queue"]` is the `WorkQueue` it works with.

    `colorizer` is a `colorization.Colorizer`, or anything with its `description`, `variants`,
    `suggest` and `colorize_file`, that threads may share.
    """
    limits = limits or Limits()
    app = flask.Flask(__name__)
    app.config.update(
        # The decisive limit is the photo's own; these are for the rest of the form.
        MAX_CONTENT_LENGTH=limits.max_bytes + FORM_BYTES,
        # Werkzeug counts what it has received and not yet stored as well: pieces of the file.
        MAX_FORM_MEMORY_SIZE=1 << 20,
        MAX_FORM_PARTS=20,
    )
    app.json.sort_keys = False
    work = service.WorkQueue(limits.workers, limits.max_queue, limits.timeout)
    metrics = service.Metrics(work)
    app.extensions["work_queue"] = work
    about = {
        "model": {name: colorizer.description[name] for name in ("name", "version")},
        "max_bytes": limits.max_bytes,
        "max_pixels": limits.max_pixels,
        # Each takes the network's time and a preview's bytes.
        "max_variants": uploads.MAX_VARIANTS if colorizer.description["gives_variants"] else 1,
        "takes_hints": bool(colorizer.description.get("takes_hints")),
        "gives_suggestions": bool(colorizer.description.get("gives_suggestions")),
    }
    _add_pages(app, about, metrics, work)
    _add_api(app, colorizer, limits, work, metrics, uploads.knobs(about["max_variants"]))
    _add_answers(app, metrics)
    return app


def _add_pages(app, about, metrics, work):
    document = openapi.document(about["max_variants"])

    @app.get("/")
    def index():
        suffixes = ",".join(formats.PICTURE_SUFFIXES)
        return flask.render_template("index.html", about=about, suffixes=suffixes, samples=_SAMPLES)

    @app.get("/api")
    def api():
        return flask.render_template("api.html", document=document, reasons=uploads.REASONS)

    @app.get("/api/about")
    def api_about():
        return about

    @app.get("/api/openapi.json")
    def api_document():
        return document

    @app.get("/healthz")
    def health():
        if work.closed:
            raise service.stopping()
        return {"status": "ok", **about["model"]}

    @app.get("/metrics")
    def all_metrics():
        return flask.Response(metrics.text(), content_type=metrics.media_type)


def _add_api(app, colorizer, limits, work, metrics, knobs):
    def color(job, known):
        upload, result = service.color(job, known, colorizer, limits, work)
        metrics.pixels.inc(upload.num_pixels)
        return upload, result

    @app.post("/api/preview")
    def preview():
        return color(service.preview, knobs)[1]

    @app.post("/api/suggest")
    def suggest():
        return color(service.suggest, uploads.PLACE)[1]

    @app.post("/api/colorize")
    def colorize():
        upload, file = color(service.colorize, knobs)
        answer = flask.send_file(
            file,
            mimetype=formats.by_suffix(upload.name).media_type,
            as_attachment=True,
            download_name=upload.name,
            etag=False,
        )
        answer.content_length = os.fstat(file.fileno()).st_size
        return answer


def _add_answers(app, metrics):
    @app.before_request
    def begin():
        flask.g.start = time.monotonic()
        # Another site's page, open in the browser of whoever runs this, could not read an answer,
        # but it could keep the machine busy.
        site = flask.request.headers.get("Sec-Fetch-Site", "none")
        if flask.request.method == "POST" and site not in ("none", "same-origin"):
            raise Problem("cross-site", "Photos are taken from this server's own page only.")

    @app.after_request
    def finish(answer):
        answer.headers.update(SECURITY)
        endpoint = flask.request.endpoint or "none"
        static = endpoint in ("index", "api", "static")
        answer.headers["Cache-Control"] = "no-cache" if static else "no-store"
        metrics.requests.labels(endpoint, answer.status_code).inc()
        metrics.seconds.labels(endpoint).observe(time.monotonic() - flask.g.start)
        return answer

    @app.errorhandler(Exception)
    def fail(error):
        problem = service.as_problem(error)
        metrics.failures.labels(problem.reason).inc()
        answer = flask.Response(problem.document(), problem.status)
        answer.content_type = uploads.MEDIA_TYPE
        if isinstance(error, werkzeug.exceptions.MethodNotAllowed):
            answer.headers["Allow"] = ", ".join(sorted(error.valid_methods or ()))
        if problem.retry_after is not None:
            answer.headers["Retry-After"] = str(problem.retry_after)
        return answer


def listen(host, port):
    """Opens a socket that listens; port 0 takes a free one.

    Raises `UserError` if the address is none of this machine, or the port is taken or forbidden.
    """
    listener = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        # Else the port of a server that was just stopped could not be taken again.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        if listener is not None:
            listener.close()
        raise UserError(
            f"{host}:{port}: expected an address to listen on. Received: "
            f"{error.strerror or error}. Choose another --host or --port."
        ) from error
    return listener


def address(listener):
    """The address of a listening socket, for people: `http://127.0.0.1:8000`."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


class Server:
    """A server that has begun to listen, by what `app.create_app` and `listen` returned."""

    def __init__(self, app, listener, limits):
        # It warns of every request that finds no free thread.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._map = {}
        self._grace = limits.timeout
        self._work = app.extensions["work_queue"]
        self._server = waitress.create_server(
            app,
            map=self._map,
            sockets=[listener],
            # Four for what takes no photo, as the page itself and the health check do.
            threads=limits.workers + limits.max_queue + 4,
            connection_limit=1000,
            # Seconds that a connection may be idle.
            channel_timeout=60,
            cleanup_interval=1,
            # So that a client that goes away is noticed.
            channel_request_lookahead=1,
            # Beyond these, a request's bytes go to disk.
            inbuf_overflow=1 << 17,
            # It hangs up on larger bodies. Smaller ones it receives whole, so that the client,
            # which only then listens, is told what the limit is.
            max_request_body_size=4 * (limits.max_bytes + FORM_BYTES),
            # More connections than `select` knows.
            asyncore_use_poll=True,
            ident=None,
        )

    def run(self, stop):
        """Serves until `stop` is requested; then finishes what was begun."""
        while not stop.requested:
            self._turn()
        self._work.close()
        self._server.accepting = False
        self._server.del_channel(self._map)
        self._server.socket.close()
        end = time.monotonic() + self._grace
        while self._is_busy() and time.monotonic() < end:
            self._turn()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)

    def _turn(self):
        # With a timeout, so that deadlines are kept and a stop is noticed.
        wasyncore.loop(timeout=0.25, use_poll=True, map=self._map, count=1)

    def _is_busy(self):
        channels = self._server.active_channels.values()
        return any(client.requests or client.total_outbufs_len for client in list(channels))
