"""Whether a photo has colors of its own, or only the tone of its print."""

import cv2
import numpy as np

from pipelines import color

_SIDE = 128
_LEVELS = 16
_DISTANCE = 8.0
_SHARE = 0.02


def has_colors(rgb):
    """Tells color photos from gray and toned ones.

    A sepia or faded print has one color for each lightness; colors show as chroma that parts from
    the median of its lightness. Uneven stains stronger than 8 units of ab count as colors.

    Args:
        rgb: uint8 or uint16 array of shape `(height, width, 3)`, sRGB.

    Returns:
        Whether over 2 % of the pixels, at 128 pixels a side, are more than 8 units of ab away from
        the median ab of the pixels about as light.
    """
    height, width = rgb.shape[:2]
    shrink = min(1.0, _SIDE / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA) / np.float32(
        np.iinfo(rgb.dtype).max
    )
    lab = color.rgb_to_lab(small).numpy().reshape(-1, 3)
    by_lightness = lab[np.argsort(lab[:, 0]), 1:]
    levels = np.array_split(by_lightness, min(_LEVELS, len(by_lightness)))
    parted = [np.linalg.norm(ab - np.median(ab, axis=0), axis=1) > _DISTANCE for ab in levels]
    return bool(np.concatenate(parted).mean() > _SHARE)
