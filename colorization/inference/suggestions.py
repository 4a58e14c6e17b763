"""Colors that a model suggests for a place, as a person is shown them."""

import dataclasses

import numpy as np

from colorization.inference import full_size
from pipelines.color import arrays

# Colors of less light or more are hardly told apart.
_DARKEST, _LIGHTEST = 40, 80
# Share below which a color is no suggestion.
_LEAST = 0.02


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A color that a model thinks likely.

    Attributes:
        color: `"#rrggbb"`.
        share: Share of the model's belief, in `[0, 1]`.
    """

    color: str
    share: float


def level(lightness, place):
    """L* at a place of what the network sees.

    Args:
        lightness: Float array of shape `(1, h, w, 1)`.
        place: Shares of height and width, in `[0, 1]`.
    """
    shape = lightness.shape[1:3]
    row, column = (min(int(at * size), size - 1) for at, size in zip(place, shape, strict=True))
    return float(lightness[0, row, column, 0])


def suggestions(ab, shares, level):
    """Makes suggestions of what an engine tells.

    Args:
        ab: Float array of shape `(n, 2)`, in CIE units.
        shares: Float array of shape `(n,)`, falling.
        level: L* of the place.

    Returns:
        List of `Suggestion`; those of too small a share are left out, and one color is named once.
    """
    gray = np.clip(level, _DARKEST, _LIGHTEST)
    # As the photo itself would show them.
    tone = arrays.linear_to_srgb(((gray + 16) / 116) ** 3)
    pixel = np.full((1, 1, 3), round(255 * tone), np.uint8)
    found = {}
    for pair, share in zip(ab, shares, strict=True):
        coefficients = np.array([[[0, 0, *pair]]], np.float32)
        red, green, blue = full_size.apply(pixel, coefficients)[0, 0].tolist()
        color = f"#{red:02x}{green:02x}{blue:02x}"
        if share >= _LEAST:
            found.setdefault(color, Suggestion(color, round(float(share), 4)))
    return list(found.values())
