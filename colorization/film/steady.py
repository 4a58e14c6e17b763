"""Steady colors: what the network says of each frame, averaged along the motion within a shot.

Color is a local linear function of lightness, as in `inference.full_size`. Here it is kept as its
slopes and its value at the local mean of lightness, `(h, w, 4)`: where a film flickers, lightness
and its local mean change together, and color stays. These are smooth, so that they are carried at a
half of the size at which the network sees a film.
"""

import dataclasses

import cv2
import numpy as np

from colorization.film.motion import Motion
from colorization.inference.full_size import RADIUS

# Of the size at which the network sees a frame.
SHRINK = 2
# Share of the weight of a prediction that is left a frame later.
_KEEP = 0.985
# Least weight that counts; where there is less, colors come from around.
_LEAST, _AROUND = 0.05, 15
# Averages of unlike colors are more alike than these: how much of that is given back, and up to
# where. All of it would cost the nearness to the truth that averaging gains.
_GIVEN_BACK, _MOST_GAIN = 0.75, 2.0


@dataclasses.dataclass
class Seen:
    """What is known of a frame.

    Attributes:
        lightness: Float32 array of shape `(h, w)`, L*.
        coefficients: Float32 array of shape `(h, w, 4)`: what an engine predicted, at this size.
            None for a frame that the network did not see.
        from_before: `Motion` from the frame before, None at the beginning of a shot.
        from_after: `Motion` from the frame after, None at its end, or if that is not known yet.
    """

    lightness: np.ndarray
    coefficients: np.ndarray | None
    from_before: Motion | None = None
    from_after: Motion | None = None


@dataclasses.dataclass(frozen=True)
class Colors:
    """Colors of a frame, and how many predictions they rest on.

    Attributes:
        values: Float32 array of shape `(h, w, 5)`: slopes of a and b over L*, their values at the
            local mean of L*, and the square of the chroma there, averaged by itself.
        weight: Float32 array of shape `(h, w)`.
    """

    values: np.ndarray
    weight: np.ndarray


def settle(frames, count, past):
    """Settles the colors of the first `count` frames, a list of `Seen`, of a stretch of one shot.

    The others are looked ahead at. `past` are the `Colors` of the frame before the first one, from
    the same shot, or None. Returns a list of coefficients, as an engine gives them, and the `past`
    of the next stretch.
    """
    future, futures = None, []
    for frame in reversed(frames):
        # Of the frames after this one only.
        future = None if future is None else _carry(future, frame.from_after)
        futures.append(future)
        future = _add(future, frame)
    settled = []
    for frame, future in zip(frames[:count], reversed(futures), strict=False):
        if past is not None:
            past = _carry(past, frame.from_before)
        past = _add(past, frame)
        settled.append(_coefficients(_mean(past, future), frame.lightness))
    return settled, past


def _carry(colors, motion):
    weight = motion.carry(colors.weight) * motion.trust * _KEEP
    return Colors(motion.carry(colors.values), weight)


def _add(colors, frame):
    """Averages carried colors with what the network says of a frame, if it saw that."""
    if frame.coefficients is None:
        return colors
    slopes, intercepts = np.split(frame.coefficients, 2, axis=-1)
    mean = _local_mean(frame.lightness)[..., None]
    own = np.concatenate([slopes, intercepts + slopes * mean], axis=-1)
    own = Colors(
        np.dstack([own, _energy(own[..., 2:])]),
        np.ones(frame.lightness.shape, np.float32),
    )
    return _mean(own, colors)


def _mean(one, other):
    if one is None or other is None:
        return one or other
    weight = one.weight + other.weight
    share = (other.weight / np.maximum(weight, _LEAST))[..., None]
    return Colors(one.values + (other.values - one.values) * share, weight)


def _coefficients(colors, lightness):
    values = colors.values
    lost = np.maximum(_LEAST - colors.weight, 0)[..., None] / _LEAST
    if lost.any():
        values = values + (_from_around(colors) - values) * lost
    slopes, middles = np.split(_varied(values), 2, axis=-1)
    return np.concatenate([slopes, middles - slopes * _local_mean(lightness)[..., None]], axis=-1)


def _varied(values):
    """Gives averaged colors the distance from their frame's mean that the colors averaged had."""
    mean = np.float32([0, 0, *values[..., 2:4].mean(axis=(0, 1))])
    away = values[..., :4] - mean
    size, middle = (_AROUND, _AROUND), mean[2:]
    left = cv2.blur(_energy(away[..., 2:]), size)
    had = cv2.blur(values[..., 4] - 2 * (values[..., 2:4] @ middle) + middle @ middle, size)
    # Colors that are hardly there, of less than a unit, are let be.
    gain = np.clip(np.sqrt((had + 1) / (left + 1)), 1, _MOST_GAIN) ** _GIVEN_BACK
    return mean + away * gain[..., None]


def _energy(ab):
    return np.square(ab).sum(axis=-1)


def _from_around(colors):
    """The mean of the colors nearby, by their weight."""
    size = _AROUND, _AROUND
    total = cv2.blur(colors.weight, size)[..., None] + 1e-6
    return cv2.blur(colors.values * colors.weight[..., None], size) / total


def _local_mean(lightness):
    # Twice, as coefficients are averaged once more than they are fitted.
    size = (2 * RADIUS // SHRINK + 1,) * 2
    return cv2.blur(cv2.blur(lightness, size), size)
