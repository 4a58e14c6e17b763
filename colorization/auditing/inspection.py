"""What an audit measures of each picture: size, digests, a small picture, its tint.

Every picture is read once. L*, a* and b* are in CIE units. Colors are counted at 32 x 32 pixels of
each picture, evenly spread, so that all pictures count alike.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from colorization.auditing.tinting import Tints, measure_tints
from pipelines.batches import decoding, survey
from pipelines.color.gray import is_gray
from pipelines.color.spaces import rgb_to_lab
from pipelines.sources import hashing

SIDE = hashing.SIZE
THUMBNAIL = 16
# Larger JPEGs are decoded at a half, a quarter or an eighth, down to this short side.
SHORT_SIDE = 128
_BATCH = 64
# Name: lowest and highest value, width of a bin.
CHANNELS = {
    "red": (0, 256, 1),
    "green": (0, 256, 1),
    "blue": (0, 256, 1),
    "L*": (0, 100, 0.5),
    "a*": (-87, 99, 0.5),
    "b*": (-108, 95, 0.5),
    "chroma": (0, 134, 0.5),
}
AB_RANGE, AB_STEP = 110, 5
NUM_AB = 2 * AB_RANGE // AB_STEP


@dataclasses.dataclass(frozen=True)
class Measures:
    """What was measured of the readable pictures of a source, in its order.

    Args:
        positions: Positions in the source, int64 of shape `(num_readable,)`.
        sizes: Height and width in pixels, of shape `(num_readable, 2)`.
        num_bytes: Sizes of the files.
        contents: 64-bit digests of the files.
        gray: Whether `is_gray` holds.
        hashes: Of `hashing.perceptual_hashes`.
        thumbnails: uint8 sRGB of shape `(num_readable, 16, 16, 3)`.
        tints: `Tints`.
        counts: Dict of name in `CHANNELS` and histogram: number of pixels in each bin.
        ab_counts: Histogram of a* and b*, of shape `(44, 44)`, in steps of 5 from -110.
    """

    positions: np.ndarray
    sizes: np.ndarray
    num_bytes: np.ndarray
    contents: np.ndarray
    gray: np.ndarray
    hashes: np.ndarray
    thumbnails: np.ndarray
    tints: Tints
    counts: dict
    ab_counts: np.ndarray


def measure(source, on_progress=lambda num_pictures: None):
    """Reads every picture of a source once and measures it.

    `on_progress` is called with the number of pictures read since the last call. What training
    can't decode is not among the positions of the `Measures`.
    """

    def read(position, element):
        encoded = source.read(element)
        shape, picture = decode_small(encoded)
        spread = tf.image.resize(picture, [SIDE, SIDE], method="nearest")
        small = tf.image.resize(picture, [SIDE, SIDE], method="area")
        small = tf.cast(tf.round(small), tf.uint8)
        content = tf.strings.to_hash_bucket_fast(encoded, 2**62)
        num_bytes = tf.strings.length(encoded)
        gray = is_gray(picture)
        return position, shape, num_bytes, content, gray, small, spread

    rows = source.elements.enumerate().map(read, survey.PARALLEL).ignore_errors()
    # With autotuning an iterator takes seconds to go away.
    options = tf.data.Options()
    options.autotune.enabled = False
    rows = rows.batch(_BATCH).prefetch(2).with_options(options)
    counts = {name: np.zeros(_num_bins(name), np.int64) for name in CHANNELS}
    ab_counts = np.zeros((NUM_AB, NUM_AB), np.int64)
    columns = [[np.zeros((0, *shape), kind)] for shape, kind in _COLUMNS]
    for *facts, small, spread in rows.as_numpy_iterator():
        _count(spread, rgb_to_lab(spread).numpy(), counts, ab_counts)
        lab = rgb_to_lab(small).numpy()
        tints = np.stack(dataclasses.astuple(measure_tints(lab)), axis=1)
        hashes = hashing.perceptual_hashes(lab[..., 0])
        for column, value in zip(columns, (*facts, hashes, _shrink(small), tints), strict=True):
            column.append(value)
        on_progress(len(small))
    *facts, tints = (np.concatenate(column) for column in columns)
    return Measures(*facts, Tints(*tints.T), counts, ab_counts)


# Of `Measures`, up to the tints: shape and type of a picture's value.
_COLUMNS = (
    ((), np.int64),
    ((2,), np.int32),
    ((), np.int32),
    ((), np.int64),
    ((), bool),
    ((), np.uint64),
    ((THUMBNAIL, THUMBNAIL, 3), np.uint8),
    ((len(dataclasses.fields(Tints)),), np.float32),
)


def decode_small(encoded):
    """Decodes a file's bytes in a graph, large JPEGs at a fraction of their size.

    Returns int32 `[height, width]` of the whole picture, and uint8 pixels of shape `(height, width,
    3)`; a large JPEG is shrunk to a short side of 128 to 255. Raises
    `tf.errors.InvalidArgumentError` if the bytes are truncated, damaged or no picture.
    """

    def jpeg():
        shape = tf.io.extract_jpeg_shape(encoded)[:2]
        ratios = [1, 2, 4, 8]
        coarse = tf.reduce_min(shape) >= SHORT_SIDE * tf.constant(ratios[1:])
        branches = [
            lambda ratio=ratio: tf.io.decode_jpeg(encoded, channels=3, ratio=ratio)
            for ratio in ratios
        ]
        return shape, tf.switch_case(tf.reduce_sum(tf.cast(coarse, tf.int32)), branches)

    def other():
        picture = decoding.decode_in_graph(encoded)
        return tf.shape(picture)[:2], picture

    shape, picture = tf.cond(tf.io.is_jpeg(encoded), jpeg, other)
    picture.set_shape([None, None, 3])
    return shape, picture


def count_ab(lab):
    """Counts colors of Lab in cells of a* and b*, steps of 5 from -110: int64, `(44, 44)`."""
    cells = ((lab[..., 1:] + AB_RANGE) / AB_STEP).astype(np.int64).reshape(-1, 2)
    return np.bincount(cells @ [NUM_AB, 1], minlength=NUM_AB**2).reshape(NUM_AB, NUM_AB)


def _num_bins(name):
    low, high, step = CHANNELS[name]
    return round((high - low) / step)


def _count(rgb, lab, counts, ab_counts):
    chroma = np.hypot(lab[..., 1], lab[..., 2])
    values = (*np.moveaxis(rgb, -1, 0), *np.moveaxis(lab, -1, 0), chroma)
    for (name, (low, _, step)), value in zip(CHANNELS.items(), values, strict=True):
        size = len(counts[name])
        bins = value if value.dtype == np.uint8 else ((value - low) / step).astype(np.int64)
        counts[name] += np.bincount(np.clip(bins, 0, size - 1).reshape(-1), minlength=size)
    ab_counts += count_ab(lab)


def _shrink(small):
    parts = small.reshape(-1, THUMBNAIL, SIDE // THUMBNAIL, THUMBNAIL, SIDE // THUMBNAIL, 3)
    return np.round(parts.mean(axis=(2, 4))).astype(np.uint8)
