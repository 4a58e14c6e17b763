"""What an audit measures of each picture: size, digests, a small picture, its tint.

L*, a* and b* are in CIE units. Colors are counted at 32 x 32 pixels of each picture, evenly spread,
so that all pictures count alike.

The color of a gray picture in one tint, such as sepia, cyanotype or a yellowed scan, is a function
of its lightness. So few tones, or nearly no color, prove nothing. The thresholds are this project's
own; docs/audit.md explains them.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from pipelines.batches import decoding, survey
from pipelines.color.gray import is_gray
from pipelines.color.spaces import rgb_to_lab
from pipelines.errors import UserError
from pipelines.photos import formats
from pipelines.sources import hashing

# Of L*: two units wide.
NUM_LEVELS = 50
BLOCK = 8
MOST_OFF = 0.45
# As a share of the mean chroma: in a faint tint colors must keep closer to it.
MOST_OFF_SHARE = 0.1
LEAST_ALIGNED = 0.9
LEAST_TONES = 10
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
class Tints:
    """How much pictures look toned; each an array of shape `(num_pictures,)`.

    Args:
        chroma: Mean chroma, in units of CIE Lab.
        hue: Hue of the mean color, in degrees: 0 is red, 90 yellow, 180 green, 270 blue.
        aligned: Length of the mean color over the mean chroma: 1 where all hues are one.
        off: Root mean square distance of the mean colors of 4 by 4 blocks from the picture's colors
            of their lightness.
        tones: Effective number of steps of four units of L*: the exponential of their entropy.
    """

    chroma: np.ndarray
    hue: np.ndarray
    aligned: np.ndarray
    off: np.ndarray
    tones: np.ndarray

    @property
    def is_tinted(self):
        """Whether each is a gray picture in one tint."""
        close = self.off <= np.minimum(MOST_OFF, MOST_OFF_SHARE * self.chroma)
        return close & (self.aligned >= LEAST_ALIGNED) & (self.tones >= LEAST_TONES)


def measure_tints(lab):
    """Measures the `Tints` of small pictures, Lab of shape `(num_pictures, 32, 32, 3)`."""
    num_pictures, side = lab.shape[:2]
    flat = lab.reshape(num_pictures, -1, 3)
    ab = flat[..., 1:]
    levels = np.clip((flat[..., 0] * (NUM_LEVELS / 100)).astype(np.int64), 0, NUM_LEVELS - 1)
    cells = levels + NUM_LEVELS * np.arange(num_pictures)[:, None]
    counts = _over_levels(cells, None, num_pictures)
    off = np.empty_like(ab)
    for channel in (0, 1):
        means = _over_levels(cells, ab[..., channel], num_pictures) / np.maximum(counts, 1e-9)
        off[..., channel] = ab[..., channel] - means.reshape(-1)[cells]
    side = side // BLOCK
    blocks = off.reshape(num_pictures, side, BLOCK, side, BLOCK, 2).mean(axis=(2, 4))
    mean = ab.mean(axis=1)
    chroma = np.hypot(ab[..., 0], ab[..., 1]).mean(axis=1)
    steps = np.clip((flat[..., 0] / 4).astype(np.int64), 0, 24)
    shares = np.stack([np.bincount(row, minlength=25) / row.size for row in steps])
    return Tints(
        chroma=chroma,
        hue=np.degrees(np.arctan2(mean[:, 1], mean[:, 0])) % 360,
        aligned=np.hypot(mean[:, 0], mean[:, 1]) / np.maximum(chroma, 1e-9),
        off=np.sqrt(np.square(blocks).sum(axis=-1).mean(axis=(1, 2))),
        tones=np.exp(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1)),
    )


def _over_levels(cells, values, num_pictures):
    """Sums over each picture's levels, each with half of its two neighbors."""
    values = None if values is None else values.reshape(-1)
    sums = np.bincount(cells.reshape(-1), values, NUM_LEVELS * num_pictures)
    sums = np.pad(sums.reshape(num_pictures, NUM_LEVELS), ((0, 0), (1, 1)))
    return sums[:, 1:-1] + (sums[:, :-2] + sums[:, 2:]) / 2


@dataclasses.dataclass(frozen=True)
class Measures:
    """What was measured of the readable pictures of a source, in its order.

    Each has a row for a picture, but `counts`, histograms by name in `CHANNELS`, and `ab_counts`,
    of `count_ab`. `positions` are those in the source, `sizes` heights and widths in pixels,
    `contents` digests of the files, `thumbnails` uint8 sRGB of `(num_readable, 16, 16, 3)`.
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
    can't decode is not among the positions of the `Measures`. Raises `UserError` if that is all.
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
    counts = {
        name: np.zeros(round((high - low) / step), np.int64)
        for name, (low, high, step) in CHANNELS.items()
    }
    ab_counts = np.zeros((NUM_AB, NUM_AB), np.int64)
    batches = []
    for *facts, small, spread in rows.as_numpy_iterator():
        _count(spread, rgb_to_lab(spread).numpy(), counts, ab_counts)
        lab = rgb_to_lab(small).numpy()
        tints = np.stack(dataclasses.astuple(measure_tints(lab)), axis=1)
        batches.append((*facts, hashing.perceptual_hashes(lab[..., 0]), _shrink(small), tints))
        on_progress(len(small))
    if not batches:
        raise UserError(
            f"{source.name}: none of {len(source.names)} files is a whole {formats.TRAINED_NAMES} "
            f"picture; the first is {source.names[0]}. Point at pictures."
        )
    *facts, tints = (np.concatenate(column) for column in zip(*batches, strict=True))
    return Measures(*facts, Tints(*tints.T), counts, ab_counts)


def decode_small(encoded):
    """Decodes a file's bytes in a graph, large JPEGs down to a short side of 128 to 255.

    Returns int32 `[height, width]` of the whole picture, and uint8 pixels of shape `(height, width,
    3)`. Raises `tf.errors.InvalidArgumentError` if the bytes are no whole picture.
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
