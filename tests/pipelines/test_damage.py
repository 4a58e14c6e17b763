"""A corpus of damaged files of every format, read in a process of its own.

A decoder that crashes would take the tests with it, and one that hangs would hold them up.
"""

import collections
import io
import json
import pathlib
import subprocess
import sys

import cv2
import numpy as np
import PIL.Image
import pytest
import skimage.data

ROOT = pathlib.Path(__file__).parents[2]
SECONDS = 120
READER = """
import json, pathlib, sys
from pipelines import photos
for path in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    print(json.dumps(path.name), end=" ", flush=True)
    try:
        outcome = list(photos.read_photo(path)[0].rgb.shape)
    except photos.PictureError as error:
        outcome = str(error)
    except Exception as error:
        outcome = {"error": repr(error)}
    print(json.dumps(outcome), flush=True)
"""


def whole_files():
    """Files of a real photo, by name; the part before the first blank is the format."""
    rgb = cv2.resize(skimage.data.astronaut(), (96, 64), interpolation=cv2.INTER_AREA)
    image = PIL.Image.fromarray(rgb)
    transparent = PIL.Image.fromarray(np.dstack([rgb, rgb[..., 1]]))
    for name, kind, picture, options in (
        ("jpeg", "JPEG", image, {}),
        ("jpeg progressive", "JPEG", image, {"progressive": True, "subsampling": 0}),
        ("jpeg gray", "JPEG", image.convert("L"), {}),
        ("jpeg cmyk", "JPEG", image.convert("CMYK"), {}),
        ("png", "PNG", image, {}),
        ("png palette", "PNG", image.quantize(16), {}),
        ("png alpha", "PNG", transparent, {}),
        ("png sixteen", "PNG", image.convert("I;16"), {}),
        ("gif", "GIF", image, {}),
        ("bmp", "BMP", image, {}),
        ("bmp palette", "BMP", image.quantize(16), {}),
        ("webp", "WEBP", image, {}),
        ("webp lossless", "WEBP", transparent, {"lossless": True}),
        ("tiff", "TIFF", image, {}),
        ("tiff lzw", "TIFF", image, {"compression": "tiff_lzw"}),
        ("tiff deflate", "TIFF", image, {"compression": "tiff_adobe_deflate"}),
        ("tiff jpeg", "TIFF", image, {"compression": "jpeg"}),
        ("tiff fax", "TIFF", image.convert("1"), {"compression": "group4"}),
        ("pnm", "PPM", image, {}),
        ("pnm bitmap", "PPM", image.convert("1"), {}),
        ("avif", "AVIF", image, {}),
    ):
        file = io.BytesIO()
        picture.save(file, kind, **options)
        yield name, file.getvalue()
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(image).save(file, quality=50)
    yield "heic", file.getvalue()


def damaged_files():
    """Yields `(name, bytes)`: five truncations and seven corruptions of each whole file."""
    random = np.random.default_rng(0)
    for name, data in whole_files():
        for share in (0.02, 0.2, 0.5, 0.8, 0.99):
            yield f"{name}, cut to {share}", data[: int(len(data) * share)]
        for index in range(7):
            flipped = np.frombuffer(data, np.uint8).copy()
            # The header is where damage does most; it gets more than its share.
            places = random.integers(len(data) if index < 4 else min(len(data), 64), size=1 + index)
            flipped[places] ^= random.integers(1, 256, places.size, dtype=np.uint8)
            yield f"{name}, flipped {index}", flipped.tobytes()


def test_no_damaged_file_crashes_hangs_or_becomes_half_a_picture(tmp_path):
    corpus = dict(damaged_files())
    assert len(corpus) >= 200
    for name, data in corpus.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-c", READER, str(tmp_path)]
    run = subprocess.run(command, cwd=ROOT, timeout=SECONDS, capture_output=True, text=True)
    decoder = json.JSONDecoder()
    outcomes = {}
    for line in run.stdout.splitlines():
        name, end = decoder.raw_decode(line)
        outcomes[name] = json.loads(line[end:] or '{"error": "crash"}')
    assert run.returncode == 0 and run.stderr == "", run.stderr
    assert set(outcomes) == set(corpus)
    assert {name: o for name, o in outcomes.items() if isinstance(o, dict)} == {}
    read = {name for name, outcome in outcomes.items() if isinstance(outcome, list)}
    assert not {name for name in read if "cut" in name}
    assert all("Received: " in o and "\n" not in o for o in outcomes.values() if isinstance(o, str))
    refused = collections.Counter(name.split(",")[0] for name in corpus.keys() - read)
    assert len(refused) == 22 and min(refused.values()) >= 5
