"""How different two colors look.

Law of the file: colors are float arrays of shape `(..., 3)` in CIE L*a*b* (D65, 2 degree observer);
what is computed has their precision.
"""

import numpy as np

_DEGREE = np.pi / 180


def ciede2000(lab, other):
    """Color difference CIEDE2000, at unit weights.

    Args:
        lab: Float array of shape `(..., 3)`: L* in `[0, 100]`, a* and b* in CIE units.
        other: Float array of the same shape.

    Returns:
        Float array of shape `(...)`: 0 for equal colors, about 1 where a difference is just seen.

    Source: Sharma, Wu, Dalal, "The CIEDE2000 color-difference formula: implementation notes,
    supplementary test data, and mathematical observations", 2005.
    """
    (light_1, a_1, b_1), (light_2, a_2, b_2) = (
        np.moveaxis(np.asarray(x), -1, 0) for x in (lab, other)
    )
    mean_chroma = (np.hypot(a_1, b_1) + np.hypot(a_2, b_2)) / 2
    stretch = 1 + (1 - _saturation(mean_chroma)) / 2
    a_1, a_2 = a_1 * stretch, a_2 * stretch
    chroma_1, chroma_2 = np.hypot(a_1, b_1), np.hypot(a_2, b_2)
    # From 0 to a whole turn, since opposite hues are averaged by their angles.
    hue_1, hue_2 = (np.mod(np.arctan2(b, a), 2 * np.pi) for a, b in ((a_1, b_1), (a_2, b_2)))
    # The shorter way around; a gray has no hue, and takes the other's.
    turn = hue_2 - hue_1
    turn -= 2 * np.pi * np.sign(turn) * (np.abs(turn) > np.pi)
    grays = chroma_1 * chroma_2 == 0
    turn = np.where(grays, 0, turn)
    hue = np.where(grays, np.where(chroma_1 == 0, hue_2, hue_1), hue_1 + turn / 2)

    light_step, chroma_step = light_2 - light_1, chroma_2 - chroma_1
    hue_step = 2 * np.sqrt(chroma_1 * chroma_2) * np.sin(turn / 2)
    chroma = (chroma_1 + chroma_2) / 2
    from_middle = np.square((light_1 + light_2) / 2 - 50)
    light_step = light_step / (1 + 0.015 * from_middle / np.sqrt(20 + from_middle))
    chroma_step = chroma_step / (1 + 0.045 * chroma)
    hue_step = hue_step / (1 + 0.015 * chroma * _hue_weight(hue))
    # In blue the ellipses of equal difference lie aslant.
    blue = (np.mod(hue, 2 * np.pi) / _DEGREE - 275) / 25
    rotation = -2 * _saturation(chroma) * np.sin(60 * _DEGREE * np.exp(-np.square(blue)))
    squares = light_step**2 + chroma_step**2 + hue_step**2 + rotation * chroma_step * hue_step
    return np.sqrt(np.maximum(squares, 0))


def _saturation(chroma):
    # Chroma over 25, so that its seventh power stays within 32 bits.
    seventh = (chroma / 25) ** 7
    return np.sqrt(seventh / (seventh + 1))


def _hue_weight(hue):
    return (
        1
        - 0.17 * np.cos(hue - 30 * _DEGREE)
        + 0.24 * np.cos(2 * hue)
        + 0.32 * np.cos(3 * hue + 6 * _DEGREE)
        - 0.20 * np.cos(4 * hue - 63 * _DEGREE)
    )
