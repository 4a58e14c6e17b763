"""What several tests need: folders of small colored pictures, and of damaged ones."""

import collections
import gc
import io
import os
import random
import signal
import sys

import cv2
import numpy as np
import PIL.Image
import pytest
import skimage.data

# Commands that tests start say what they say, and gRPC nothing of its descriptors.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
# A shell's background jobs ignore Ctrl-C, which what they start inherits. Not in `preexec_fn`:
# Python between fork and exec may crash where other threads run, and then without a word.
signal.signal(signal.SIGINT, signal.default_int_handler)
if "PYTEST_XDIST_WORKER" in os.environ:
    # The processes of the tests share the processors; more threads than these only wait.
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
# TensorFlow's graphs are millions of objects that stay: to look for garbage among them every 700
# takes a good part of the time of tracing.
gc.set_threshold(50_000, 20, 50)
_SUFFIXES = {"pnm": "ppm"}
_GROUP = pytest.StashKey[str]()


# First, since xdist reads the groups in a hook of its own.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Keeps together, for `--dist=loadgroup`, what shares costly fixtures; slow groups come first.

    Tests of several processes say so by a mark of their own, since they would starve one another.
    """
    num_slow = collections.Counter()
    for item in items:
        if "finished_run" in item.fixturenames:
            item.add_marker(pytest.mark.slow)
        mark = item.get_closest_marker("xdist_group")
        if mark is None:
            mark = pytest.mark.xdist_group(str(item.path.relative_to(item.config.rootpath)))
            item.add_marker(mark)
        item.stash[_GROUP] = mark.args[0]
        if getattr(item.config.option, "loadgroup", False) and hasattr(item, "_id"):
            # xdist 3.8 writes what pytest 9.2 no longer reads, and would group nothing:
            # https://github.com/pytest-dev/pytest-xdist/issues/1386
            item._id = type(item._id).parse(f"{item.nodeid}@{mark.args[0]}")
        num_slow[mark.args[0]] += item.get_closest_marker("slow") is not None
    items.sort(key=lambda item: -num_slow[item.stash[_GROUP]])


@pytest.fixture(autouse=True)
def _same_weights_every_time():
    """Networks that a test makes start alike in every run: no test passes or fails by luck."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)
    else:
        # Tests of photos and of commands do without TensorFlow.
        random.seed(0)
        np.random.seed(0)


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory):
    """Twelve smooth pictures in color, no two alike or of one size, four of them a folder down."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    random = np.random.default_rng(0)
    for index in range(12):
        corners = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        size = (40 + 2 * index, 52 - index)
        picture = cv2.resize(corners, size, interpolation=cv2.INTER_CUBIC)
        name = f"more/{index:02d}.jpg" if index % 3 == 2 else f"{index:02d}.png"
        cv2.imwrite(str(folder / name), picture)
    return folder


@pytest.fixture(scope="session")
def damaged_folder(tmp_path_factory):
    """Five truncations and seven corruptions of a file of each of 22 kinds: 264 damaged files."""
    folder = tmp_path_factory.mktemp("damaged")
    for name, data in _damaged_files():
        kind = name.split(",")[0].split()[0]
        (folder / f"{name}.{_SUFFIXES.get(kind, kind)}").write_bytes(data)
    return folder


def _whole_files():
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


def _damaged_files():
    """Yields `(name, bytes)`: five truncations and seven corruptions of each whole file."""
    random = np.random.default_rng(0)
    for name, data in _whole_files():
        for share in (0.02, 0.2, 0.5, 0.8, 0.99):
            yield f"{name}, cut to {share}", data[: int(len(data) * share)]
        for index in range(7):
            flipped = np.frombuffer(data, np.uint8).copy()
            # The header is where damage does most; it gets more than its share.
            places = random.integers(len(data) if index < 4 else min(len(data), 64), size=1 + index)
            flipped[places] ^= random.integers(1, 256, places.size, dtype=np.uint8)
            yield f"{name}, flipped {index}", flipped.tobytes()
