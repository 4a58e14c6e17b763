"""What coloring makes of a folder of odd files.

`python benchmarks/odd_files.py [--seed=0] [--keep=FOLDER]`

Writes 300 small files as cameras, scanners, phones and accidents make them: modes of Pillow and of
TIFF, broken wrapping, animations, odd names, wrong suffixes, cut and damaged files. Colors the
folder by the command, and prints how many were colored, how many were named with a reason, how many
ended in an error that is a bug, and how many were lost to a crash or a hang. The exit status is 1
if there are any of the last three. Needs the extra `test`.
"""

import collections
import io
import json
import os
import pathlib
import random
import re
import struct
import subprocess
import sys
import tempfile

import numpy as np
import tifffile
from absl import app, flags
from PIL import Image

_SEED = flags.DEFINE_integer("seed", 0, "Of the damage.")
_KEEP = flags.DEFINE_string("keep", "", "Folder for the files and what became of them.")

_NUMBER, _MINUTES = 300, 20
_ROWS, _COLUMNS = np.mgrid[:48, :64]
_RGB = np.stack([_ROWS * 5, _COLUMNS * 3, (_ROWS + _COLUMNS) * 2], axis=-1).astype(np.uint8)
_GRAY = _RGB[..., 1]
# What an error is called that nobody foresaw; see `colorization.inference.album.reason`.
_BUG = re.compile(r": [A-Z]\w*(Error|Exception|Warning|Interrupt|Iteration): ")


def main(_):
    """Prints the counts."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(_KEEP.value or temporary)
        (folder / "odd").mkdir(parents=True)
        files = dict(list(_files(random.Random(_SEED.value)))[:_NUMBER])
        for name, data in files.items():
            (folder / "odd" / name).write_bytes(data)
        command = [sys.executable, "-m", "colorization.colorize"]
        command += [str(folder / "odd"), f"--output={folder / 'colored'}"]
        hung, errors = False, b""
        try:
            run = subprocess.run(command, capture_output=True, timeout=60 * _MINUTES)
            errors = run.stderr
        except subprocess.TimeoutExpired:
            hung = True
        outcomes = _outcomes(folder / "colored" / "colorization.jsonl", files, hung)
    for name, outcome in sorted(outcomes.items()):
        if outcome in ("bug", "crashed", "hung"):
            print(f"{name!r}: {outcome}")
    counts = collections.Counter(outcomes.values())
    print(f"{len(files)} files: " + ", ".join(f"{counts[o]} {o}" for o in _OUTCOMES))
    if b"Traceback" in errors:
        print(errors.decode(errors="replace")[-2000:])
    return int(b"Traceback" in errors or sum(counts[o] for o in _OUTCOMES[2:]) > 0)


_OUTCOMES = ("colored", "named", "bug", "crashed", "hung")


def _outcomes(records, files, hung):
    outcomes = dict.fromkeys(files, "hung" if hung else "crashed")
    for line in records.read_text().splitlines() if records.exists() else ():
        record = json.loads(line)
        is_bug = record["status"] == "failed" and _BUG.search(record["message"])
        named = "bug" if is_bug else "named"
        outcomes[record["source"]] = "colored" if record["status"] == "colored" else named
    return outcomes


def _files(dice):
    """Yields names and bytes: whole files first, then broken ones."""
    whole = dict(_whole_files())
    yield from whole.items()
    jpegs = {name: data for name, data in whole.items() if name.endswith(".jpg")}
    for name in ("rgb_444.jpg", "progressive.jpg", "gray.jpg"):
        yield from _rewrapped(name, jpegs[name])
    odd = ("-dash.png", "a b.png", "a\nb.png", "100%.png", "\u00e9\u4e2d.png", "A.PNG")
    for name in (*odd, os.fsdecode(b"caf\xe9.png"), "a.b.c.png", "no_png.jpg", "a.jfif"):
        yield name, whole["rgb.png"]
    yield from {"empty.jpg": b"", "text.jpg": b"hello", "zeros.png": bytes(4096)}.items()
    for name, data in whole.items():
        for share in (0.5, 0.95) if name.endswith(".jpg") else (0.5,):
            yield f"cut_{share}_{name}", data[: int(len(data) * share)]
    for number in range(_NUMBER):
        name, data = dice.choice(list(whole.items()))
        damaged = bytearray(data)
        for _ in range(dice.choice((1, 3, 20))):
            damaged[dice.randrange(len(damaged))] = dice.randrange(256)
        yield f"flipped_{number}_{name}", bytes(damaged)


def _whole_files():
    rgb = Image.fromarray(_RGB)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"):
        yield f"{mode.lower().replace(';', '')}.png", _saved(rgb.convert(mode), "PNG")
    yield "gray.jpg", _saved(rgb.convert("L"), "JPEG")
    yield "cmyk.jpg", _saved(rgb.convert("CMYK"), "JPEG")
    yield "rgb_444.jpg", _saved(rgb, "JPEG", subsampling=0)
    yield "progressive.jpg", _saved(rgb, "JPEG", progressive=True)
    for turn in range(2, 9):
        exif = Image.Exif()
        exif[0x112] = turn
        yield f"turn_{turn}.jpg", _saved(rgb, "JPEG", exif=exif)
    for kind in ("GIF", "BMP", "WEBP", "AVIF", "JPEG2000", "PPM"):
        suffix = {"JPEG2000": "jp2"}.get(kind, kind.lower())
        yield f"plain.{suffix}", _saved(rgb, kind)
        yield f"gray.{suffix}", _saved(rgb.convert("L"), kind)
    frames = [rgb, rgb.transpose(Image.Transpose.ROTATE_180)]
    for kind in ("GIF", "PNG", "WEBP"):
        yield f"animated.{kind.lower()}", _saved(rgb, kind, save_all=True, append_images=frames)
    for width, height in ((1, 1), (1, 300), (300, 1), (2, 3)):
        yield f"{width}x{height}.png", _saved(rgb.resize((width, height)), "PNG")
    for mode in ("1", "L", "CMYK", "YCbCr", "RGBA"):
        yield f"{mode.lower()}.tif", _saved(rgb.convert(mode), "TIFF")
    for method in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits"):
        yield f"{method}.tif", _saved(rgb, "TIFF", compression=method)
    for dtype in ("int8", "int16", "uint16", "uint32", "float16", "float32", "float64"):
        yield f"{dtype}.tif", _tiff(_RGB.astype(dtype), photometric="rgb")
    planes = np.ascontiguousarray(_RGB.transpose(2, 0, 1))
    options = {"photometric": "rgb", "planarconfig": "separate"}
    yield "planar.tif", _tiff(planes, **options)
    yield "planar_tiled.tif", _tiff(planes, **options, tile=(16, 16))
    yield "tiled.tif", _tiff(_RGB, photometric="rgb", tile=(16, 16))
    yield "big.tif", _tiff(_RGB, photometric="rgb", bigtiff=True)
    yield "pages.tif", _tiff(np.stack([_RGB] * 3), photometric="rgb")
    yield "inverted.tif", _tiff(_GRAY, photometric="miniswhite")
    yield "raw.tif", _tiff(_GRAY, photometric=32803)
    for kind in (0, 1, 2):
        pixels = np.dstack([_RGB, _GRAY])
        yield f"extra_{kind}.tif", _tiff(pixels, photometric="rgb", extrasamples=[kind])


def _rewrapped(name, data):
    """Yields files whose pixels are whole and whose wrapping is not."""
    pieces = {
        "no_end": data[:-2],
        "junk_before": b"\r\n\0junk" + data,
        "junk_behind": data + b"junk" * 99,
        "bad_exif": data[:2] + _segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\xff") + data[2:],
        "bad_xmp": data[:2] + _segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x") + data[2:],
        "short_adobe": data[:2] + _segment(0xEE, b"Adobe\0d") + data[2:],
        "bad_profile": data[:2] + _segment(0xE2, b"ICC_PROFILE\0\1\2bad") + data[2:],
    }
    for broken, altered in pieces.items():
        yield f"{broken}_{name}", altered


def _segment(marker, payload):
    return struct.pack(">BBH", 0xFF, marker, len(payload) + 2) + payload


def _saved(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _tiff(pixels, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, pixels, **options)
    return file.getvalue()


if __name__ == "__main__":
    app.run(main)
