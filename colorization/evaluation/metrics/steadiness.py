"""How steady the colors of a film are.

Both figures are the lower the steadier. Things that move, grain and
light that changes give a film in its true colors some of each.
"""

import itertools

import cv2
import numpy as np

# Pixels that going along the motion and back may miss, and units of L* by which both ends differ.
_MISS, _CHANGE = 1.0, 10.0
# Over a cut less of a frame than this can be followed.
_CUT = 0.2
# OpenCV's search for motion crashes on smaller frames.
_MIN_SIZE = 64
_LEVELS, _STEPS = 256, (1, 2, 4)


def flicker(frames, lightness):
    """Mean change of chroma from frame to frame, of pixels that can be followed; cuts don't count.

    Args:
        frames: List of float arrays of shape `(height, width, 3)`, Lab; two or more.
        lightness: List of as many float arrays of shape `(height, width)`: L* of the gray film, in
            which the motion is found, so that all colorings are measured at the same pixels. A
            pixel is followed where the motion forward and backward agree within a pixel, and L*
            at both ends within 10.

    Returns:
        CIE units: the mean distance in ab, over all pixels followed; 0 if there are none.

    Raises:
        ValueError: If a side is shorter than 64.

    Source: this project, after the warp error of Lai et al., "Learning blind video temporal
    consistency", 2018, on chroma alone.
    """
    if min(lightness[0].shape) < _MIN_SIZE:
        raise ValueError(
            f"`flicker` needs {_MIN_SIZE} pixels on a side. Received: shape={lightness[0].shape}."
        )
    total = count = 0
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    pairs = itertools.pairwise(zip(frames, lightness, strict=True))
    for (before, light_before), (after, light_after) in pairs:
        places, followed = _follow(search, light_before, light_after)
        if followed.mean() < _CUT:
            continue
        change = after[..., 1:] - _remap(before[..., 1:], places)
        total += np.sqrt(np.square(change).sum(-1))[followed].sum(dtype=np.float64)
        count += followed.sum()
    return float(total / count) if count else 0.0


def color_distribution_consistency(frames):
    """Change of the distribution of colors over 1, 2 and 4 frames.

    Args:
        frames: List of uint8 arrays of shape `(height, width, 3)`, sRGB; five or more.

    Returns:
        Mean Jensen-Shannon divergence, in nats, of the histograms of a channel: over the three
        channels, all pairs of frames at each of these distances, and the distances. Commonly called
        CDC.

    Raises:
        ValueError: If there are too few frames.

    Source: Liu et al., "Temporally consistent video colorization with deep feature propagation and
    self-regularization learning", 2021.
    """
    if len(frames) <= max(_STEPS):
        raise ValueError(f"CDC takes {max(_STEPS) + 1} frames or more. Received: {len(frames)}.")
    counts = np.array(
        [
            [np.bincount(frame[..., channel].ravel(), minlength=_LEVELS) for channel in range(3)]
            for frame in frames
        ]
    )
    shares = counts / counts.sum(axis=-1, keepdims=True)
    return float(np.mean([_divergence(shares[:-step], shares[step:]).mean() for step in _STEPS]))


def _divergence(one, other):
    middle = (one + other) / 2
    return (_relative_entropy(one, middle) + _relative_entropy(other, middle)) / 2


def _relative_entropy(shares, others):
    ratio = np.divide(shares, others, out=np.ones_like(shares), where=shares > 0)
    return (shares * np.log(ratio)).sum(axis=-1)


def _follow(search, before, after):
    """Where each pixel of a frame came from, and whether that is sure."""
    levels = [np.uint8(np.clip(light, 0, 100) * 2.55) for light in (before, after)]
    back, ahead = search.calc(levels[1], levels[0], None), search.calc(*levels, None)
    height, width = before.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    places = np.float32(back + grid)
    miss = np.square(back + _remap(ahead, places)).sum(-1)
    change = np.abs(after - _remap(np.float32(before), places))
    inside = ((places >= 0) & (places <= [width - 1, height - 1])).all(-1)
    return places, inside & (miss < _MISS**2) & (change < _CHANGE)


def _remap(values, places):
    return cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
