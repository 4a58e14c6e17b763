"""Which pictures are gray: three questions that look alike and have three rules.

- `is_gray`: is there any color to learn from, or to measure? A channel that differs anywhere is
  enough, so that a sepia print is not gray. It runs in a graph, on every picture of a set.
- `has_colors`: was this photo taken, or painted, in color? A print in one tone was not, however
  yellow. It looks at what parts from the tone.
- `is_bilevel`: is it black and white alone, as of a fax? Such a picture can't take colors.

Which pictures of a set are in one tint is a matter of degree; `colorization.auditing.inspection`
measures it. `to_gray` makes a picture gray.
"""

import cv2
import numpy as np

from pipelines.color import arrays

_SPREAD, _MOST_OFF = 10, 0.001
_SIDE = 128
_LEVELS = 16
_DISTANCE = 8.0
_SHARE = 0.02
_STRIP_PIXELS = 2**20


def is_gray(picture):
    """Whether a uint8 picture, an array or a tensor of shape `(height, width, 3)`, has no colors.

    Returns a scalar bool tensor: whether the channels of at most a thousandth of the pixels are
    more than 10 levels apart.
    """
    # Whoever only colors photos does without.
    import tensorflow as tf

    # Not `tf.reduce_max` over the channels, which takes longer than decoding.
    red, green, blue = tf.unstack(picture, axis=-1)
    largest = tf.maximum(tf.maximum(red, green), blue)
    spread = largest - tf.minimum(tf.minimum(red, green), blue)
    return tf.reduce_mean(tf.cast(spread > _SPREAD, tf.float32)) <= _MOST_OFF


def to_gray(picture):
    """Takes a picture's colors away and keeps its luminance, to within half a level.

    The picture is uint8 or uint16 sRGB of shape `(height, width, 3)`, and so is the result.
    """
    gray, full = np.empty_like(picture), np.iinfo(picture.dtype).max
    light = arrays.srgb_to_linear(np.arange(full + 1) / full).astype(np.float32)
    weights = arrays.RGB_TO_XYZ[1].astype(np.float32)[:, None]
    # In strips, since a photo in 64 bits takes several times its memory.
    rows = max(1, _STRIP_PIXELS // picture.shape[1])
    for top in range(0, len(picture), rows):
        level = arrays.linear_to_srgb(light[picture[top : top + rows]] @ weights)
        gray[top : top + rows] = np.round(np.clip(level, 0, 1) * full)
    return gray


def has_colors(rgb):
    """Whether a photo, uint8 or uint16 sRGB, is in color, rather than gray or toned.

    A sepia or faded print has one color for each lightness; colors show as chroma that parts from
    the median of its lightness: whether over 2 % of the pixels, at 128 pixels a side, are more than
    8 units of ab away from the median ab of the pixels about as light. Uneven stains stronger than
    that count as colors.
    """
    height, width = rgb.shape[:2]
    shrink = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) / np.float32(
        np.iinfo(rgb.dtype).max
    )
    lab = arrays.rgb_to_lab(small).reshape(-1, 3)
    by_lightness = lab[np.argsort(lab[:, 0]), 1:]
    levels = np.array_split(by_lightness, min(_LEVELS, len(by_lightness)))
    parted = [np.linalg.norm(ab - np.median(ab, axis=0), axis=1) > _DISTANCE for ab in levels]
    return bool(np.concatenate(parted).mean() > _SHARE)


def is_bilevel(rgb):
    """Whether a picture, uint8 or uint16, is of black and white pixels alone, without gray."""
    white = np.iinfo(rgb.dtype).max
    # Most pictures are known after a few pixels.
    for step in (64, 1):
        few = rgb[::step, ::step]
        if ((few != 0) & (few != white)).any():
            return False
    return bool((rgb == 0).any() and (rgb == white).any())
