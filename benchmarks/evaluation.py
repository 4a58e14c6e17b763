"""Speed and memory of evaluation.

`python benchmarks/evaluation.py --data=folder:PHOTOS [--numbers=500,5000] [--features=...]`

Evaluates the released model on some and on many photos, with and without networks to compare sets
by, each in a process of its own. Prints photos per second over the whole process, start and
intervals included, and the most memory that it held.
"""

import os
import re
import subprocess
import sys
import tempfile
import time

from absl import app, flags

_DATA = flags.DEFINE_string("data", None, "As of colorization.evaluate.", required=True)
_NUMBERS = flags.DEFINE_list("numbers", ["500", "5000"], "How many photos, in turn.")
_FEATURES = flags.DEFINE_string("features", "", "As of colorization.evaluate.")


def main(_):
    """Prints a row for each number of photos, without and with networks."""
    print(f"load average before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"{'photos':>7}{'features':>14}{'seconds':>9}{'photos/s':>10}{'peak MB':>9}")
    for number in map(int, _NUMBERS.value):
        for features in dict.fromkeys(["", _FEATURES.value]):
            measured, seconds, peak = _evaluate(number, features)
            name = features.partition(":")[0] or "-"
            rate = measured / seconds
            print(f"{measured:7}{name:>14}{seconds:9.1f}{rate:10.1f}{peak:9.0f}", flush=True)


def _evaluate(number, features):
    """Number of photos measured, seconds, and the process's peak of resident memory in MB."""
    command = [sys.executable, "-m", "colorization.evaluate", f"--data={_DATA.value}"]
    command += [f"--limit={number}", f"--features={features}"]
    start = time.monotonic()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.monotonic() - start
        output.seek(0)
        found = re.search(r": ([\d,]+) photos", output.read())
    if found is None:
        sys.exit(f"evaluation ended with status {os.waitstatus_to_exitcode(status)}")
    return int(found[1].replace(",", "")), seconds, usage.ru_maxrss / 1024


if __name__ == "__main__":
    app.run(main)
