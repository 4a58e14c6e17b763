"""Runs the application under waitress, so that slow and hostile clients cost only themselves.

waitress receives requests and sends answers in one thread, to and from unlinked temporary files
where they are large; its other threads never wait for a client. What it lacks is here: an end to
requests that trickle in for ever, problem documents for what it refuses itself, refusals that
arrive although the client is still sending, and an end that lets answers be finished.
"""

import contextlib
import logging
import socket
import time

import waitress
from waitress import channel, task, wasyncore

from colorization.serving.web import ServeError, problems
from colorization.serving.web.app import FORM_BYTES

# A request may take so long, and longer if its body keeps coming at this pace: 80 kbit/s.
_RECEIVE_SECONDS, _BYTES_PER_SECOND = 30, 10_000
_IDLE_SECONDS = 60
_MAX_CONNECTIONS = 1000
# For what takes no photo, as the page itself and the health check do.
_SPARE_THREADS = 4
# Beyond these, a request's bytes go to disk.
_BUFFERED_BYTES = 1 << 17


def listen(host, port):
    """Opens a socket that listens.

    Args:
        host: Name or address.
        port: Number; 0 takes a free one.

    Returns:
        `socket.socket`.

    Raises:
        ServeError: If the address is none of this machine, or the port is taken or forbidden.
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
    """A server that has begun to listen.

    Args:
        app: What `app.create_app` returned.
        listener: What `listen` returned.
        limits: The `app.Limits` of the application.
    """

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
            # waitress refuses what reaches its limit.
            max_request_body_size=limits.max_bytes + FORM_BYTES + 1,
            # More connections than `select` knows.
            asyncore_use_poll=True,
            ident=None,
        )
        self._server.channel_class = _Channel

    def run(self, stop):
        """Serves until asked to stop; then finishes what was begun.

        Args:
            stop: Has `requested`, as `threads.Stop` has.
        """
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
        # Not for ever, so that deadlines are kept and a stop is seen.
        wasyncore.loop(timeout=0.25, use_poll=True, map=self._map, count=1)

    def _refuse_connections(self):
        self._server.accepting = False
        self._server.del_channel(self._map)
        self._server.socket.close()

    def _is_busy(self):
        channels = self._server.active_channels.values()
        return any(client.requests or client.total_outbufs_len for client in list(channels))


class _ProblemTask(task.ErrorTask):
    """Answers what waitress refuses itself, as the application would."""

    def execute(self):
        error = self.request.error
        detail = "The photo, or what was sent with it, is too large here."
        if error.code != 413:
            detail = f"Expected an HTTP request that can be understood. Received: {error.body}."
        body = problems.of_status(error.code, detail).document()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", problems.MEDIA_TYPE))
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class _Channel(channel.HTTPChannel):
    """One connection."""

    error_task_class = _ProblemTask
    _receiving_since = None
    _draining_until = None
    _num_drained = 0

    def received(self, data):
        if self._draining_until is not None:
            return False
        taken = super().received(data)
        if self.request is None:
            self._receiving_since = None
        elif self._receiving_since is None:
            self._receiving_since = time.monotonic()
        return taken

    def readable(self):
        now = time.monotonic()
        if self._draining_until is not None:
            if now > self._draining_until:
                self.will_close = True
            return not self.will_close
        request, since = self.request, self._receiving_since
        if since is not None and request is not None:
            allowed = _RECEIVE_SECONDS + request.body_bytes_received / _BYTES_PER_SECOND
            if now - since > allowed:
                self.will_close = True
        return super().readable()

    def handle_write(self):
        # To close a connection on which bytes are still arriving would reset it, and the answer
        # would be lost with it. So the client is told that no more comes, and is heard out.
        if self.close_when_flushed and not self.total_outbufs_len and not self.will_close:
            self.close_when_flushed = False
            self._draining_until = time.monotonic() + _RECEIVE_SECONDS
            with contextlib.suppress(OSError):
                self.socket.shutdown(socket.SHUT_WR)
            return
        super().handle_write()
