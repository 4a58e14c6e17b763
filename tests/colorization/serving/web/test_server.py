import contextlib
import json
import socket
import threading
import time

import numpy as np
import pytest

from colorization.serving.web import app
from pipelines.errors import UserError
from tests.colorization.serving.web import support

LIMITS = app.Limits(100_000, 10_000, max_queue=2, timeout=20, workers=1)


@pytest.fixture
def address(painter):
    with support.running(painter, LIMITS) as (address, _):
        yield address


def request(body=b"", path="/api/colorize", method="POST", length=None, headers=""):
    length = len(body) if length is None else length
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n{headers}"
    return f"{head}Connection: close\r\n\r\n".encode() + body


def parsed(answer):
    head, _, body = answer.partition(b"\r\n\r\n")
    return int(head.split()[1]), body


def ask(address, *pieces):
    return parsed(support.exchange(address, *pieces))


def is_alive(address):
    return ask(address, request(path="/healthz", method="GET"))[0] == 200


def wait_until(condition):
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


def test_a_photo_goes_through_a_real_socket(address, photo, folder):
    status, body = ask(address, request(photo))
    assert status == 200 and body.startswith(b"\x89PNG") and list(folder.iterdir()) == []


def test_slow_clients_hold_no_workers(address, photo):
    with contextlib.ExitStack() as stack:
        for length in range(60):
            slow = stack.enter_context(socket.create_connection(address))
            slow.sendall(request(photo)[:-1][: length * 4])
        assert ask(address, request(photo))[0] == 200


def test_aborted_uploads_leave_nothing(address, painter, photo, folder):
    for sent in (10, 200, 5000):
        with socket.create_connection(address) as connection:
            connection.sendall(request(photo + bytes(90_000))[:sent])
    assert is_alive(address)
    assert list(folder.iterdir()) == [] and painter.calls == []


def test_whoever_goes_away_while_waiting_is_not_served(address, painter, photo):
    painter.gate = threading.Event()
    with socket.create_connection(address) as first:
        first.sendall(request(photo))
        assert painter.started.acquire(timeout=20)
        with socket.create_connection(address) as second:
            second.sendall(request(photo))
            wait_until(lambda: gauge(address, "colorization_queue_waiting") == 1)
        # The server has seen the end of the second by the time it answers this.
        assert is_alive(address)
        painter.gate.set()
        assert parsed(support.receive(first))[0] == 200
    wait_until(lambda: gauge(address, 'colorization_failures_total{reason="aborted"}') == 1)
    assert len(painter.calls) == 1


def gauge(address, name):
    """Reads a figure of the page of metrics; None where it has not been counted yet."""
    _, body = ask(address, request(path="/metrics", method="GET"))
    lines = [line for line in body.decode().splitlines() if line.startswith(f"{name} ")]
    return float(lines[0].rsplit(" ", 1)[1]) if lines else None


def chunked(count):
    head = b"POST /api/colorize HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    pieces = [b"8000\r\n" + bytes(0x8000) + b"\r\n"] * count
    return [head + b"Transfer-Encoding: chunked\r\n\r\n", *pieces, b"0\r\n\r\n"]


def form(photo, **fields):
    """A request as `curl -F` sends it."""
    disposition = b'--x\r\nContent-Disposition: form-data; name="'
    parts = [disposition + f'{key}"\r\n\r\n{value}\r\n'.encode() for key, value in fields.items()]
    file = disposition + b'photo"; filename="scan.png"\r\n\r\n' + photo + b"\r\n"
    return request(
        b"".join([*parts, file]) + b"--x--\r\n",
        headers="Content-Type: multipart/form-data; boundary=x\r\n",
    )


@pytest.mark.parametrize("pieces", [[request(bytes(300_000))], chunked(10), [form(bytes(300_000))]])
def test_what_is_too_large_is_received_and_answered(address, pieces):
    answer = support.exchange(address, *pieces)
    assert parsed(answer)[0] == 413
    assert b"Content-Type: application/problem+json" in answer
    assert json.loads(parsed(answer)[1])["reason"] == "too-many-bytes"
    assert is_alive(address)


@pytest.mark.parametrize(
    ("pieces", "status"),
    [
        (chunked(40), 413),
        ([request(headers="X: " + "x" * 300_000 + "\r\n")], 431),
        ([b"HELLO\r\n\r\n"], 400),
        ([request(headers="Content-Length: 7\r\n")], 400),
        ([request(headers="Transfer-Encoding: gzip\r\n")], 501),
    ],
)
def test_the_server_itself_refuses_what_it_cannot_read(address, pieces, status):
    assert ask(address, *pieces)[0] == status
    assert is_alive(address)


@pytest.mark.slow
@pytest.mark.parametrize("megabytes", [0.01, 0.2, 3, 12])
def test_forms_carry_photos_of_any_size(painter, megabytes):
    # Noise, which no format makes smaller.
    side = round((megabytes * 1e6) ** 0.5)
    photo = support.encode(np.random.default_rng(0).integers(0, 256, (side, side), dtype=np.uint8))
    assert len(photo) > megabytes * 1e6
    limits = app.Limits(20_000_000, 20_000_000, timeout=60, workers=1)
    with support.running(painter, limits) as (address, _):
        for fields in (
            {},
            {"name": "grandmother.png", "saturation": 0.5, "hints": '{"hints": []}'},
        ):
            answer = support.exchange(address, form(photo, **fields), timeout=60)
            assert parsed(answer)[0] == 200
            name = b"grandmother" if fields else b"scan"
            assert b"filename=" + name + b"_color.png" in answer
    assert [call["saturation"] for call in painter.calls] == [1.0, 0.5]


def test_stopping_finishes_what_was_begun_and_takes_nothing_new(painter, photo):
    painter.gate = threading.Event()
    with support.running(painter, LIMITS) as (address, stop):
        with socket.create_connection(address, timeout=20) as begun:
            begun.sendall(request(photo))
            assert painter.started.acquire(timeout=20)
            stop.reason = "stopped"
            wait_until(lambda: not connects(address))
            painter.gate.set()
            status, body = parsed(support.receive(begun))
    assert status == 200 and body.startswith(b"\x89PNG")


def connects(address):
    try:
        socket.create_connection(address).close()
    except OSError:
        return False
    return True


def test_idle_connections_do_not_delay_the_end(painter):
    with support.running(painter, LIMITS) as (address, stop):
        with socket.create_connection(address), socket.create_connection(address) as half:
            half.sendall(b"GET / HT")
            stop.reason = "stopped"
            wait_until(lambda: not connects(address))


def test_a_taken_port_is_told_in_a_line():
    with app.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        assert app.address(listener) == f"http://127.0.0.1:{port}"
        with pytest.raises(UserError, match=f"127.0.0.1:{port}: .*in use.*--port") as caught:
            app.listen("127.0.0.1", port)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match="--host"):
        app.listen("no.such.host.invalid", 0)
