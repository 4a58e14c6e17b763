"""Whether a film whose coloring is killed five times comes out the same.

`python benchmarks/film_killed.py FILM`

Colors FILM, of 600 frames or more, in one run and again in six, of which five are killed
(`SIGKILL`) at random moments, each after a further segment. Prints the SHA-256 of both results.
"""

import hashlib
import pathlib
import random
import subprocess
import sys
import tempfile
import time

_TIMES = 5


def main(source):
    """Prints a line for each result."""
    source = pathlib.Path(source).resolve()
    with tempfile.TemporaryDirectory() as folder:
        whole, killed = (pathlib.Path(folder, name) for name in ("whole.mp4", "killed.mp4"))
        _start(source, whole).wait()
        print(f"one run:        {_digest(whole)}", flush=True)
        chance, parts = random.Random(0), killed.with_name(f".{killed.name}.parts")
        for number in range(1, _TIMES + 1):
            process = _start(source, killed)
            while len(list(parts.glob("*.segment"))) < number and process.poll() is None:
                time.sleep(0.02)
            time.sleep(chance.random() / 2)
            if process.poll() is not None:
                raise SystemExit(f"It ended before kill {number}. Take a longer film.")
            process.kill()
            process.wait()
            print(f"killed with {len(list(parts.glob('*.segment')))} segments", flush=True)
        _start(source, killed).wait()
        print(f"killed {_TIMES} times: {_digest(killed)}")


def _start(source, output):
    words = ["-m", "colorization", "colorize", source, f"--output={output}"]
    return subprocess.Popen([sys.executable, *words])


def _digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


if __name__ == "__main__":
    main(sys.argv[1])
