"""Motion between two frames: where each pixel came from, and how far that can be trusted.

Frames are float32 arrays of shape `(h, w)`, L*, at the size that the network sees.
"""

import dataclasses

import cv2
import numpy as np

# Pixels by which going along the motion and back may miss, and the share of the motion.
_MISS, _MISS_SHARE = 0.5, 0.01
# L* by which a pixel may differ from where it came from, what the whole frame changed left out.
_CHANGE = 12.0
# Pixels of the window in which that change is taken.
_WINDOW = 5
# OpenCV's search crashes on smaller frames.
_LEAST_SIDE = 64


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


def between(before, after):
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
