"""Halftone screens of printed pictures, whose dots cost colors: the network is shown none.

A screen repeats itself over the whole print, so that a few frequencies stand far above all others.
The photo itself keeps its dots.
"""

import cv2
import numpy as np

# Pixels a side that are looked at, from the least on, and the finest and the widest screen, in
# pixels from dot to dot.
_LEAST, _SIDE, _FINEST, _WIDEST = 64, 256, 2.2, 10.0
# A screen's power over the median of frequencies about as high. Of 196 photos without, the most
# were 1,293 and 611; of 8 with screens, at 11 pitches and angles, the least was 5,261.
_STANDS_OUT, _ABOUT = 3000, 1.15
# Least amplitude in L*, and least share of the power that the other direction of a screen has.
_FAINTEST, _SQUARE = 2.0, 0.1
# The deviation of the filter that takes a screen away, in distances from dot to dot.
_REACH = 0.5


def smooth(lightness):
    """Blurs a halftone screen away, and nothing where there is none.

    Args:
        lightness: Float array of shape `(1, height, width, 1)`, L*, at the size that the network
            sees.

    Returns:
        Float array of the same shape.
    """
    plane = lightness[0, ..., 0]
    pitch = measure(plane)
    if pitch is None:
        return lightness
    return cv2.GaussianBlur(plane, (0, 0), _REACH * pitch)[None, ..., None]


def measure(plane):
    """Measures a halftone screen.

    Args:
        plane: Float array of shape `(height, width)`, L*.

    Returns:
        Pixels from dot to dot; None where there is no screen, or too little of the picture.
    """
    height, width = (min(side, _SIDE) for side in plane.shape)
    if min(height, width) < _LEAST:
        return None
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    part = np.float32(plane[top : top + height, left : left + width])
    window = cv2.createHanningWindow((width, height), cv2.CV_32F)
    power = np.abs(np.fft.rfft2((part - part.mean()) * window)) ** 2
    down, across = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
    frequency = np.hypot(down, across)
    is_screen = (frequency > 1 / _WIDEST) & (frequency < 1 / _FINEST)
    peak = np.unravel_index(np.argmax(np.where(is_screen, power, -1)), power.shape)
    ratio = frequency / frequency[peak]
    usual = np.median(power[(ratio > 1 / _ABOUT) & (ratio < _ABOUT)])
    if power[peak] < max(_STANDS_OUT * usual, (_FAINTEST * height * width / 8) ** 2):
        return None
    # Dots repeat at right angles too; fences and blinds do not.
    turned = np.array([across[peak[1]], -down[peak[0], 0]])
    turned *= np.sign(turned[1]) or 1
    is_turned = np.hypot(down - turned[0], across - turned[1]) < 2 / min(height, width)
    return 1 / frequency[peak] if power[is_turned].max() > _SQUARE * power[peak] else None
