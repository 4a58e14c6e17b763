"""How steady the colors of a film are.

Both figures are the lower the steadier. Things that move, grain and light that changes give a film
in its true colors some of each.
"""

import cv2
import numpy as np

# Pixels that going along the motion and back may miss, and units of L* by which both ends differ.
_MISS, _CHANGE = 1.0, 10.0
# Over a cut less of a frame than this can be followed.
_CUT = 0.2
# OpenCV's search for motion crashes on smaller frames.
MIN_SIZE = 64
_LEVELS, _STEPS = 256, (1, 2, 4)


class Steadiness:
    """Measures a film, frame by frame: `add` each, then read the figures."""

    def __init__(self):
        self._last, self._change, self._followed = None, 0.0, 0
        self._shares = []

    def add(self, rgb, lab, lightness):
        """Takes the next frame, uint8 sRGB of shape `(height, width, 3)`, and the same in Lab.

        `lightness` is L* of the gray film, `(height, width)`, in which the motion is found, so that
        all colorings are measured at the same pixels. A pixel is followed where the motion forward
        and backward agree within a pixel, and L* at both ends within 10. Raises `ValueError` if a
        side is shorter than 64.
        """
        if min(lightness.shape) < MIN_SIZE:
            raise ValueError(
                f"Flicker needs {MIN_SIZE} pixels on a side. Received: shape={lightness.shape}."
            )
        counts = [np.bincount(rgb[..., c].ravel(), minlength=_LEVELS) for c in range(3)]
        self._shares.append(np.float32(counts) / rgb[..., 0].size)
        if self._last is not None:
            lab_before, lightness_before = self._last
            places, followed = _follow(lightness_before, lightness)
            if followed.mean() >= _CUT:
                change = lab[..., 1:] - _remap(lab_before[..., 1:], places)
                distance = np.sqrt(np.square(change).sum(-1))
                self._change += distance[followed].sum(dtype=np.float64)
                self._followed += followed.sum()
        self._last = lab, lightness

    @property
    def flicker(self):
        """Mean change of ab from frame to frame, of pixels that can be followed; 0 for none.

        Source: this project, after the warp error of Lai et al., "Learning blind video temporal
        consistency", 2018, on chroma alone.
        """
        return float(self._change / self._followed) if self._followed else 0.0

    @property
    def consistency(self):
        """Change of the distribution of colors over 1, 2 and 4 frames, commonly called CDC.

        Mean Jensen-Shannon divergence, in nats, of the histograms of each channel. NaN of fewer
        than five frames.

        Source: Liu et al., "Temporally consistent video colorization with deep feature propagation
        and self-regularization learning", 2021.
        """
        if len(self._shares) <= max(_STEPS):
            return float("nan")
        shares = np.stack(self._shares)
        return float(np.mean([_divergence(shares[:-n], shares[n:]).mean() for n in _STEPS]))


def _divergence(one, other):
    """Jensen-Shannon divergence of histograms along the last axis."""

    def entropy(shares):
        return -(shares * np.log(np.where(shares > 0, shares, 1))).sum(axis=-1)

    return entropy((one + other) / 2) - (entropy(one) + entropy(other)) / 2


def _follow(before, after):
    """Where each pixel of a frame came from, and whether that is sure."""
    levels = [np.uint8(np.clip(light, 0, 100) * 2.55) for light in (before, after)]
    back, ahead = _search(levels[1], levels[0]), _search(*levels)
    height, width = before.shape
    grid = np.stack(np.meshgrid(np.arange(width), np.arange(height)), axis=-1)
    places = np.float32(back + grid)
    miss = np.square(back + _remap(ahead, places)).sum(-1)
    change = np.abs(after - _remap(np.float32(before), places))
    inside = ((places >= 0) & (places <= [width - 1, height - 1])).all(-1)
    return places, inside & (miss < _MISS**2) & (change < _CHANGE)


def _search(frame, other):
    # Anew each time: the next search would start from the result of this one.
    search = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return search.calc(frame, other, None)


def _remap(values, places):
    return cv2.remap(values, places, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
