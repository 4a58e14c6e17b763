"""What tests of the web page share: a colorizer whose work is easy to tell, running servers."""

import contextlib
import io
import pathlib
import socket
import threading

import numpy as np
import PIL.Image

from colorization.inference import plan, threads
from colorization.serving.web import app
from pipelines.photos import photo_files


class Painter:
    """Stands in for the colorizer: adds to the first channel, more for each further variant."""

    description = {"name": "painter", "version": 3, "gives_variants": True}
    num_seen = 5

    def __init__(self):
        self.calls = []
        self.gate = None  # An event that coloring waits for.
        self.mask = None  # Of the latest preview.
        self.started = threading.Semaphore(0)

    def variants(self, rgb, count, options, *, onto=None):
        self.mask = options.mask
        self._work(count=count, seed=options.seed, saturation=options.saturation)
        shown = rgb if onto is None else onto
        return [paint(shown, number) for number in range(1, min(count, self.num_seen) + 1)]

    def colorize_file(self, source, destination, options):
        names = {"num_variants": "count", "variant": "variant", "seed": "seed"}
        call = {word: getattr(options, name) for name, word in names.items()}
        self._work(**call, saturation=options.saturation)
        pages, variant = photo_files.read_photo(source), options.variant
        if variant > self.num_seen:
            return []
        colored = [photo_files.Photo(paint(p.rgb, variant), p.alpha, p.metadata) for p in pages]
        photo_files.write_photo(destination, colored)
        return plan.variant_paths(destination, 1)

    def _work(self, **call):
        self.calls.append(call)
        self.started.release()
        if self.gate is not None:
            assert self.gate.wait(30)


def paint(rgb, number):
    colored = rgb.copy()
    colored[..., 0] = np.iinfo(rgb.dtype).max // 6 * number
    return colored


def encode(pixels, kind="PNG", **options):
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@contextlib.contextmanager
def serving_app(colorizer, limits):
    made = app.create_app(colorizer, limits)
    made.testing = False
    try:
        yield made
    finally:
        made.extensions["work_queue"].close(wait=True)


@contextlib.contextmanager
def running(colorizer, limits):
    """Runs a server on loopback; gives its address and what stops it."""
    with serving_app(colorizer, limits) as made:
        listener = app.listen("127.0.0.1", 0)
        address = listener.getsockname()
        stop = threads.Stop()
        subject = app.Server(made, listener, limits)
        thread = threading.Thread(target=subject.run, args=(stop,))
        thread.start()
        try:
            yield address, stop
        finally:
            stop.reason = "The test is over."
            thread.join(20)
            assert not thread.is_alive()


def exchange(address, *pieces, timeout=20):
    """Sends bytes over a connection of its own; returns all that comes until its end."""
    with socket.create_connection(address, timeout=timeout) as connection:
        for piece in pieces:
            connection.sendall(piece)
        return receive(connection)


def receive(connection):
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            answer += piece
    return answer


def samples():
    """The folder of scikit-image's own pictures."""
    import skimage

    return pathlib.Path(skimage.__file__).parent / "data"


@contextlib.contextmanager
def opened(browser, address, **options):
    """The page, at the size of a desktop. None of its scripts may fail, nor break its policy."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text))
    page.goto(address)
    try:
        yield page
    finally:
        context.close()
    assert [line for line in errors if "Failed to load resource" not in line] == []


def card(page, name):
    return page.locator("article", has=page.get_by_role("heading", name=name))


def choose(page, *paths):
    page.set_input_files("#files", paths)


def colored(page, path):
    choose(page, path)
    card(page, path.name).locator(".result").wait_for()
    return card(page, path.name)
