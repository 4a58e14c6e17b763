"""A corpus of damaged files of every format, read in a process of its own.

A decoder that crashes would take the tests with it, and one that hangs would hold them up.
"""

import collections
import json
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
SECONDS = 120
READER = """
import json, logging, pathlib, sys
from pipelines.photos import photo_files
logging.disable()
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(json.dumps(path.name), end=" ", flush=True)
    try:
        outcome = list(photo_files.read_photo(path)[0].rgb.shape)
    except photo_files.PictureError as error:
        outcome = str(error)
    except Exception as error:
        outcome = {"error": repr(error)}
    print(json.dumps(outcome), flush=True)
"""


@pytest.mark.slow
def test_no_damaged_file_crashes_hangs_or_becomes_half_a_picture(damaged_folder):
    corpus = {path.name for path in damaged_folder.iterdir()}
    assert len(corpus) >= 200
    command = [sys.executable, "-c", READER, str(damaged_folder)]
    run = subprocess.run(command, cwd=ROOT, timeout=SECONDS, capture_output=True, text=True)
    decoder = json.JSONDecoder()
    outcomes = {}
    for line in run.stdout.splitlines():
        name, end = decoder.raw_decode(line)
        outcomes[name] = json.loads(line[end:] or '{"error": "crash"}')
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert set(outcomes) == corpus
    assert {name: o for name, o in outcomes.items() if isinstance(o, dict)} == {}
    read = {name for name, outcome in outcomes.items() if isinstance(outcome, list)}
    assert not {name for name in read if "cut" in name}
    assert all("Received: " in o and "\n" not in o for o in outcomes.values() if isinstance(o, str))
    refused = collections.Counter(name.split(",")[0] for name in corpus - read)
    assert len(refused) == 22 and min(refused.values()) >= 5
