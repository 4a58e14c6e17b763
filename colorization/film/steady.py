"""Steady colors: the motion between frames, and along it the mean of what the network says of each.

Color is a local linear function of lightness, as in `inference.full_size`. Here it is kept as its
slopes and its value at the local mean of lightness, `(h, w, 4)`: where a film flickers, lightness
and its local mean change together, and color stays. These are smooth, so that they are carried at a
half of the size at which the network sees a film.
"""

import dataclasses

import cv2
import numpy as np

from colorization.inference.full_size import RADIUS

# Pixels by which going along the motion and back may miss, and the share of the motion.
_MISS, _MISS_SHARE = 0.5, 0.01
# L* by which a pixel may differ from where it came from, what the whole frame changed left out.
_CHANGE = 12.0
# Pixels of the window in which that change is taken.
_WINDOW = 5
# OpenCV's search crashes on smaller frames.
_LEAST_SIDE = 64
# Of the size at which the network sees a frame.
SHRINK = 2
# Share of the weight of a prediction that is left a frame later.
_KEEP = 0.985
# Least weight that counts; where there is less, colors come from around.
_LEAST, _AROUND = 0.05, 15
# Averages of unlike colors are more alike than these: how much of that is given back, and up to
# where. All of it would cost the nearness to the truth that averaging gains.
_GIVEN_BACK, _MOST_GAIN = 0.75, 2.0


@dataclasses.dataclass(frozen=True)
class Motion:
    """What joins a frame with another.

    Attributes:
        rows: Float32 array of shape `(h, w)`: the row in the other frame that each pixel came from.
        columns: Likewise, the column.
        trust: Float32 array of shape `(h, w)` in `[0, 1]`: 0 where nothing there corresponds.
    """

    rows: np.ndarray
    columns: np.ndarray
    trust: np.ndarray

    def carry(self, values):
        """Takes values of the other frame, of shape `(h, w, channels)`, to this one."""
        # OpenCV mixes up more than four channels.
        parts = [values] if values.ndim < 3 else np.split(values, range(4, values.shape[-1], 4), -1)
        carried = [
            cv2.remap(
                part, self.columns, self.rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
            )
            for part in parts
        ]
        return carried[0] if len(carried) == 1 else np.dstack(carried)


def find_motions(before, after):
    """Finds the `Motion` from `before` to `after`, and from `after` to `before`."""
    height, width = before.shape
    margins = [max(0, _LEAST_SIDE - side) for side in (height, width)]
    levels = [
        cv2.copyMakeBorder(
            np.uint8(np.clip(frame, 0, 100) * 2.55),
            0,
            margins[0],
            0,
            margins[1],
            cv2.BORDER_REPLICATE,
        )
        for frame in (before, after)
    ]
    back = _search(levels[1], levels[0])[:height, :width]
    ahead = _search(*levels)[:height, :width]
    return _motion(back, ahead, after, before), _motion(ahead, back, before, after)


def _search(frame, other):
    # Anew each time: the next search would start from the result of this one, whichever it was.
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    return search.calc(frame, other, None)


def _motion(flow, reverse, frame, other):
    height, width = frame.shape
    columns = flow[..., 0] + np.arange(width, dtype=np.float32)
    rows = flow[..., 1] + np.arange(height, dtype=np.float32)[:, None]
    found = Motion(rows, columns, np.ones((height, width), np.float32))
    returned = found.carry(reverse)
    miss = np.square(flow + returned).sum(-1)
    length = np.square(flow).sum(-1) + np.square(returned).sum(-1)
    change = frame - found.carry(other)
    # A film may flicker: what all of the frame gained or lost is no sign of a wrong motion.
    change = cv2.blur(np.abs(change - np.median(change[::4, ::4])), (_WINDOW, _WINDOW))
    inside = (rows > -1) & (rows < height) & (columns > -1) & (columns < width)
    trust = np.exp(-miss / (_MISS + _MISS_SHARE * length) - np.square(change / _CHANGE)) * inside
    return dataclasses.replace(found, trust=np.float32(trust))


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
