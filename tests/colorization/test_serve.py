import io
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.request

import numpy as np
import PIL.Image
import pytest

from tests.command_line import call

ROOT = pathlib.Path(__file__).parents[2]


def start(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "colorization.serve", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_a_taken_port_is_told_in_a_line():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        status, output, errors = call("colorization.serve", f"--port={port}")
    assert (status, output) == (1, "") and errors.count("\n") == 1
    assert f"127.0.0.1:{port}" in errors and "--port" in errors


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["photo.jpg"], "flags only.*photo.jpg"),
        (["--max_queue=-1"], "max_queue"),
        (["--port=70000"], "port"),
        (["--timeout=soon"], "timeout"),
    ],
)
def test_mistakes_are_named(arguments, message):
    status, output, errors = call("colorization.serve", *arguments)
    assert status == 1 and re.search(message, output + errors)


def test_a_missing_extra_is_named():
    code = (
        "import sys; sys.modules['waitress'] = None; from colorization import serve; "
        "from pipelines import console; "
        "console.run_command(serve.main, serve.define_flags)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "waitress" in done.stderr and "pip install" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_serves_the_released_model_until_it_is_told_to_stop(tmp_path, number):
    limits = ("--max_bytes=20000", "--max_pixels=5000", "--max_queue=3", "--timeout=60")
    arguments = ("--port=0", "--workers=1", *limits)
    with start(*arguments, cwd=tmp_path) as process:
        line = process.stdout.readline()
        address = re.fullmatch(r"Serving chroma \d+ at (http://\S+) \(Ctrl-C ends it\)\n", line)[1]
        about = urllib.request.urlopen(f"{address}/api/about").read()
        assert b'"max_bytes":20000' in about and b'"max_pixels":5000' in about
        file = io.BytesIO()
        PIL.Image.fromarray(np.tile(np.arange(80, dtype=np.uint8), (60, 1))).save(file, "PNG")
        with urllib.request.urlopen(f"{address}/api/colorize", file.getvalue()) as answer:
            assert PIL.Image.open(answer).size == (80, 60)
        process.send_signal(number)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 0
    # Beside them gRPC, which TensorFlow holds, may note that a descriptor is closed.
    lines = [line for line in errors.split("\n") if line and "ev_epoll1_linux" not in line]
    assert output == "" and lines == [
        "Stopping after the photos in progress. Repeat to stop at once."
    ]
