"""How long a command says nothing on a terminal.

`python benchmarks/silence.py COMMAND...`, such as `python benchmarks/silence.py colorize photo.jpg`

Runs the command on a pseudo terminal. Prints seconds to its first output, the longest silence and
what stood on the terminal's last line during it, and seconds in all. The exit status is the
command's own.
"""

import os
import pty
import re
import sys
import time

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def main():
    """Prints one line of figures."""
    start = last = time.perf_counter()
    first, longest, said = None, 0.0, ""
    process, terminal = pty.fork()
    if process == 0:
        os.execvp(sys.argv[1], sys.argv[1:])
    shown = "nothing yet"
    while True:
        try:
            data = os.read(terminal, 1 << 16)
        except OSError:
            # So Linux says that the command has closed its terminal.
            data = b""
        now = time.perf_counter()
        first = now - start if first is None else first
        if now - last > longest:
            longest, said = now - last, shown
        last = now
        if not data:
            break
        lines = _CONTROL.sub("", data.decode(errors="replace")).replace("\r", "\n").split("\n")
        shown = next((line.strip() for line in reversed(lines) if line.strip()), shown)
    _, status = os.waitpid(process, 0)
    print(
        f"first output {first:.1f} s, longest silence {longest:.1f} s (after {said[:60]!r}), "
        f"in all {time.perf_counter() - start:.1f} s: {' '.join(sys.argv[1:])[:80]}"
    )
    sys.exit(os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main()
