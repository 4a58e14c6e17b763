"""Runs the application under waitress, and lets answers be finished when it is stopped.

waitress receives requests and sends answers in one thread, to and from unlinked temporary files
where they are large; its other threads never wait for a client. Against clients that mean
harm, as by sending a byte a minute, put a proxy before it: see docs/web.md.
"""

import logging
import socket
import time

import waitress
from waitress import wasyncore

from colorization.serving.web import ServeError
from colorization.serving.web.app import FORM_BYTES

_IDLE_SECONDS = 60
# waitress hangs up on a body that is larger than this multiple of the limit. Smaller ones it
# receives whole, so that the client, which only then listens, is told what the limit is.
_RECEIVED = 4
_MAX_CONNECTIONS = 1000
# For what takes no photo, as the page itself and the health check do.
_SPARE_THREADS = 4
# Beyond these, a request's bytes go to disk.
_BUFFERED_BYTES = 1 << 17


def listen(host, port):
    """Opens a socket that listens; port 0 takes a free one.

    Raises `ServeError` if the address is none of this machine, or the port is taken or forbidden.
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
        raise ServeError(
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
            threads=limits.workers + limits.max_queue + _SPARE_THREADS,
            connection_limit=_MAX_CONNECTIONS,
            channel_timeout=_IDLE_SECONDS,
            cleanup_interval=1,
            # So that a client that goes away is noticed.
            channel_request_lookahead=1,
            inbuf_overflow=_BUFFERED_BYTES,
            max_request_body_size=_RECEIVED * (limits.max_bytes + FORM_BYTES),
            # More connections than `select` knows.
            asyncore_use_poll=True,
            ident=None,
        )

    def run(self, stop):
        """Serves until `stop` is requested; then finishes what was begun."""
        while not stop.requested:
            self._turn()
        self._work.close()
        self._refuse_connections()
        end = time.monotonic() + self._grace
        while self._is_busy() and time.monotonic() < end:
            self._turn()
        self._server.task_dispatcher.shutdown(timeout=1)
        wasyncore.close_all(self._map, ignore_all=True)

    def _turn(self):
        # With a timeout, so that deadlines are kept and a stop is noticed.
        wasyncore.loop(timeout=0.25, use_poll=True, map=self._map, count=1)

    def _refuse_connections(self):
        self._server.accepting = False
        self._server.del_channel(self._map)
        self._server.socket.close()

    def _is_busy(self):
        channels = self._server.active_channels.values()
        return any(client.requests or client.total_outbufs_len for client in list(channels))
