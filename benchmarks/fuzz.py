"""Whether any damaged picture file crashes, hangs or confuses the reader.

`python benchmarks/fuzz.py [--minutes=10] [--seed=0] [--findings=runs/fuzz]`

Makes small files of every format, damages them (cut, flipped bits, overwritten numbers, pieces
lost, doubled or taken from another file), and has each read by `read_photo`, which salvages what it
can, in a process of its own, which is started again if it dies or takes more than ten seconds.
Prints how many files of each format were tried, read, refused with a `PictureError`, and how many
ended in another error, a crash or a hang; the last three go into the folder of findings. The exit
status is 1 if there are any. Needs the extra `test`.
"""

import collections
import io
import logging
import multiprocessing
import os
import pathlib
import random
import resource
import struct
import sys
import tempfile
import time

import cv2
import numpy as np
from absl import app, flags

_MINUTES = flags.DEFINE_float("minutes", 10, "How long to go on.")
_SEED = flags.DEFINE_integer("seed", 0, "Of the damage.")
_FINDINGS = flags.DEFINE_string("findings", "runs/fuzz", "Folder for what goes wrong.")

_SECONDS = 10
_MEMORY = 12 << 30
_OUTCOMES = ("read", "refused", "error", "crash", "hang")
_NUMBERS = (
    0,
    1,
    2,
    7,
    8,
    127,
    128,
    255,
    256,
    32_767,
    65_535,
    1 << 24,
    (1 << 31) - 1,
    (1 << 32) - 1,
)


def main(_):
    """Prints a line for each format."""
    dice = random.Random(_SEED.value)
    seeds = list(_seeds())
    counts = collections.defaultdict(collections.Counter)
    reader, end = _Reader(), time.monotonic() + 60 * _MINUTES.value
    while time.monotonic() < end:
        kind, data = dice.choice(seeds)
        other = dice.choice([other for name, other in seeds if name == kind])
        damaged = data
        for _ in range(dice.choice((1, 1, 1, 2, 4))):
            damaged = dice.choice(_DAMAGES)(dice, damaged, other)
        outcome = reader.read(damaged)
        counts[kind][outcome] += 1
        if outcome not in ("read", "refused"):
            folder = pathlib.Path(_FINDINGS.value)
            folder.mkdir(parents=True, exist_ok=True)
            number = sum(counts[kind].values())
            (folder / f"{kind}_{outcome}_{number}.bin").write_bytes(damaged)
    reader.stop()
    counts["all"] = sum(counts.values(), collections.Counter())
    print(f"{'':6}{'tried':>9}" + "".join(f"{outcome:>9}" for outcome in _OUTCOMES))
    for kind, row in counts.items():
        tried = sum(row.values())
        print(f"{kind:6}{tried:9}" + "".join(f"{row[outcome]:9}" for outcome in _OUTCOMES))
    return int(any(counts["all"][outcome] for outcome in _OUTCOMES[2:]))


def _seeds():
    """Yields `(format, bytes)` of whole files."""
    import PIL.Image
    import pillow_heif
    import skimage.data
    import tifffile

    rgb = cv2.resize(skimage.data.astronaut(), (72, 56), interpolation=cv2.INTER_AREA)
    alpha = np.ascontiguousarray(rgb[..., :1])
    image, transparent = PIL.Image.fromarray(rgb), PIL.Image.fromarray(np.dstack([rgb, alpha]))
    exif = PIL.Image.Exif()
    exif[271], exif[274] = "Maker", 6
    exif[0x8769] = {37500: b"note", 36867: "1936:10:01 12:00:00"}
    xmp = b'<x:xmpmeta xmlns:x="adobe:ns:meta/" tiff:Orientation="6"/>'
    cmyk = image.convert("CMYK")
    said = {"exif": exif, "icc_profile": _profile(), "dpi": (300, 300)}
    moving = {"save_all": True, "append_images": [image.rotate(180)]}
    for kind, picture, options in (
        ("JPEG", image, {"xmp": xmp, **said}),
        ("JPEG", image, {"progressive": True, "subsampling": 0}),
        ("JPEG", image.convert("L"), {"restart_marker_blocks": 4}),
        ("JPEG", cmyk, {}),
        ("PNG", image, said),
        ("PNG", transparent, {}),
        ("PNG", image.quantize(16), {}),
        ("PNG", image.convert("1"), {}),
        ("PNG", image.convert("I;16"), {}),
        ("GIF", image, moving),
        ("GIF", transparent, {}),
        ("BMP", image, {}),
        ("BMP", image.quantize(16), {}),
        ("WEBP", image, {"xmp": xmp, **said}),
        ("WEBP", transparent, {"lossless": True}),
        ("WEBP", image, moving),
        ("TIFF", image, {"compression": "tiff_lzw"}),
        ("TIFF", image, {"compression": "jpeg"}),
        ("TIFF", image.convert("1"), {"compression": "group4"}),
        ("TIFF", image.quantize(16), {"compression": "packbits"}),
        ("TIFF", cmyk, {"compression": "tiff_adobe_deflate"}),
        ("TIFF", image, moving),
        ("PPM", image, {}),
        ("PPM", image.convert("1"), {}),
        ("AVIF", image, {"xmp": xmp, "exif": exif}),
        ("AVIF", transparent, {}),
    ):
        file = io.BytesIO()
        picture.save(file, kind, **options)
        yield kind, file.getvalue()
    for pixels, options in (
        (rgb, {"tile": (16, 32), "compression": "zlib", "predictor": 2}),
        (rgb.astype(np.float32) / 255, {"bigtiff": True}),
        (np.moveaxis(rgb, -1, 0).astype(np.uint16) * 257, {"planarconfig": "separate"}),
    ):
        file = io.BytesIO()
        tifffile.imwrite(file, np.ascontiguousarray(pixels), photometric="rgb", **options)
        yield "TIFF", file.getvalue()
    yield "PPM", b"P3 # levels\n3 2\n255\n" + b" 0 255 17" * 6
    yield "PPM", b"P5\n16 9\n1000\n" + bytes(2 * 16 * 9)
    for picture in (image, transparent):
        file = io.BytesIO()
        pillow_heif.from_pillow(picture).save(file, quality=50)
        yield "HEIC", file.getvalue()


def _profile():
    import pyvips

    return bytes(pyvips.Image.profile_load("p3"))


def _cut(dice, data, _):
    return data[: dice.randrange(len(data) + 1)]


def _flip(dice, data, _):
    data = bytearray(data)
    for _ in range(dice.choice((1, 1, 2, 8, 64))):
        if data:
            data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return bytes(data)


def _number(dice, data, _):
    """Overwrites a number, most often in the header."""
    code = dice.choice(("<H", ">H", "<I", ">I", "B"))
    size = struct.calcsize(code)
    end = min(len(data), dice.choice((64, 256, len(data)))) - size
    if end < 0:
        return data
    position = dice.randrange(end + 1)
    number = dice.choice((*_NUMBERS, dice.randrange(1 << 32))) % (1 << 8 * size)
    return data[:position] + struct.pack(code, number) + data[position + size :]


def _lose(dice, data, _):
    start = dice.randrange(len(data) + 1)
    return data[:start] + data[start + dice.choice((1, 4, 100, len(data) // 4)) :]


def _double(dice, data, _):
    start = dice.randrange(len(data) + 1)
    piece = data[start : start + dice.choice((1, 4, 100, len(data) // 4))]
    return data[:start] + piece * dice.choice((2, 3, 50)) + data[start + len(piece) :]


def _splice(dice, data, other):
    start = dice.randrange(len(data) + 1)
    place = dice.randrange(len(other) + 1)
    return data[:start] + other[place : place + dice.choice((8, 100, len(other)))]


_DAMAGES = (_cut, _flip, _flip, _number, _number, _lose, _double, _splice)


class _Reader:
    """A process that reads files, and is replaced if it dies or hangs."""

    def __init__(self):
        self._context = multiprocessing.get_context("spawn")
        self._start()

    def _start(self):
        self._pipe, other = self._context.Pipe()
        self._process = self._context.Process(target=_serve, args=(other,), daemon=True)
        self._process.start()
        other.close()
        self._pipe.recv()  # Starting does not count as hanging.

    def read(self, data):
        """Returns the outcome for one file."""
        try:
            self._pipe.send_bytes(data)
            if self._pipe.poll(_SECONDS):
                return self._pipe.recv()
            outcome = "hang"
        except (EOFError, OSError):
            outcome = "crash"
        self.stop()
        self._start()
        return outcome

    def stop(self):
        """Ends the process."""
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _serve(pipe):
    from pipelines.photos import photo_files

    logging.disable()
    # A reader that wants more than any picture of the permitted size needs counts as a crash.
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "picture")
        pipe.send("ready")
        while True:
            data = pipe.recv_bytes()
            pathlib.Path(path).write_bytes(data)
            try:
                pages = photo_files.read_photo(path, salvage=True)
                whole = pages and all(page.rgb.ndim == 3 and page.rgb.size for page in pages)
                pipe.send("read" if whole else "error")
            except photo_files.PictureError as error:
                pipe.send("error" if "\n" in str(error) else "refused")
            except Exception as error:
                print(f"{type(error).__name__}: {error}", file=sys.stderr)
                pipe.send("error")


if __name__ == "__main__":
    app.run(main)
