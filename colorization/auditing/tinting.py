"""Tints: which pictures are gray pictures in one tint, such as sepia, cyanotype or a yellowed scan.

The color of a tinted picture is a function of its lightness, the same everywhere in the picture. So
few tones, or nearly no color, prove nothing: such a picture may be what it looks like.

The thresholds are this project's own: docs/audit.md says on which pictures they were chosen.
"""

import dataclasses

import numpy as np

# Of L*: two units wide.
NUM_LEVELS = 50
BLOCK = 8
MOST_OFF = 0.45
# As a share of the mean chroma: in a faint tint colors must keep closer to it.
MOST_OFF_SHARE = 0.1
LEAST_ALIGNED = 0.9
LEAST_TONES = 10


@dataclasses.dataclass(frozen=True)
class Tints:
    """How much pictures look toned; each an array of shape `(num_pictures,)`.

    Args:
        chroma: Mean chroma, in units of CIE Lab.
        hue: Hue of the mean color, in degrees: 0 is red, 90 yellow, 180 green, 270 blue.
        aligned: Length of the mean color over the mean chroma: 1 where all hues are one.
        off: Distance of a block's mean color from the picture's colors of its lightness: root of
            the mean square over 4 by 4 blocks, so that the noise of compression counts little.
        tones: Effective number of steps of four units of L*: the exponential of their entropy.
    """

    chroma: np.ndarray
    hue: np.ndarray
    aligned: np.ndarray
    off: np.ndarray
    tones: np.ndarray

    @property
    def is_tinted(self):
        """Whether each is a gray picture in one tint."""
        close = self.off <= np.minimum(MOST_OFF, MOST_OFF_SHARE * self.chroma)
        return close & (self.aligned >= LEAST_ALIGNED) & (self.tones >= LEAST_TONES)


def measure_tints(lab):
    """Measures the `Tints` of small pictures, Lab of shape `(num_pictures, 32, 32, 3)`."""
    num_pictures, side = lab.shape[:2]
    flat = lab.reshape(num_pictures, -1, 3)
    ab = flat[..., 1:]
    levels = np.clip((flat[..., 0] * (NUM_LEVELS / 100)).astype(np.int64), 0, NUM_LEVELS - 1)
    cells = levels + NUM_LEVELS * np.arange(num_pictures)[:, None]
    counts = _over_levels(cells, None, num_pictures)
    off = np.empty_like(ab)
    for channel in (0, 1):
        means = _over_levels(cells, ab[..., channel], num_pictures) / np.maximum(counts, 1e-9)
        off[..., channel] = ab[..., channel] - means.reshape(-1)[cells]
    side = side // BLOCK
    blocks = off.reshape(num_pictures, side, BLOCK, side, BLOCK, 2).mean(axis=(2, 4))
    mean = ab.mean(axis=1)
    chroma = np.hypot(ab[..., 0], ab[..., 1]).mean(axis=1)
    return Tints(
        chroma=chroma,
        hue=np.degrees(np.arctan2(mean[:, 1], mean[:, 0])) % 360,
        aligned=np.hypot(mean[:, 0], mean[:, 1]) / np.maximum(chroma, 1e-9),
        off=np.sqrt(np.square(blocks).sum(axis=-1).mean(axis=(1, 2))),
        tones=_count_tones(flat[..., 0]),
    )


def _over_levels(cells, values, num_pictures):
    """Sums over each picture's levels, each with half of its two neighbors."""
    values = None if values is None else values.reshape(-1)
    sums = np.bincount(cells.reshape(-1), values, NUM_LEVELS * num_pictures)
    sums = np.pad(sums.reshape(num_pictures, NUM_LEVELS), ((0, 0), (1, 1)))
    return sums[:, 1:-1] + (sums[:, :-2] + sums[:, 2:]) / 2


def _count_tones(lightness):
    steps = np.clip((lightness / 4).astype(np.int64), 0, 24)
    cells = steps + 25 * np.arange(len(steps))[:, None]
    shares = np.bincount(cells.reshape(-1), minlength=25 * len(steps)) / lightness.shape[1]
    shares = shares.reshape(-1, 25)
    return np.exp(-(shares * np.log(np.maximum(shares, 1e-12))).sum(axis=1))
