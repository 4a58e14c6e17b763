"""Several colorings and suggested colors, in NumPy: what `variants` does in an exported model.

The same seeds draw the same numbers as there, so that engines give the same variants.
"""

import dataclasses

import numpy as np

from colorization.inference import full_size
from pipelines.color import arrays, bins

NUM_REGIONS = 7
NUM_DRAWS = 4
MIN_DISTANCE = 3.0
# Chosen by eye on photographs. What counts as one step between pixels: L* units, ab units, and
# the photo's longer side; how softly regions end, and how far they share noise, in steps squared;
# the ab units over which a drawn color persuades a pixel; and how much likelier likely colors are
# drawn.
LIGHTNESS_SCALE, CHROMA_SCALE, PLACE_SCALE = 16.0, 10.0, 1.0
SOFTNESS, LIKENESS = 0.15, 1.0
PERSUASION = 22.0
CALM = 1.4
NUM_SUGGESTIONS = 6
# Colors nearer than this, in ab units, are one suggestion.
NEAR = 18.0
# Colors of less light or more are hardly told apart.
_DARKEST, _LIGHTEST = 40, 80
# Share below which a color is no suggestion.
_LEAST = 0.02


def sample(lightness, logits, temperature, seed, count):
    """Draws up to `count` colorings, as `variants.sample` does: ab, `(n, height, width, 2)`.

    `lightness` is L*, `(height, width, 1)`, at the size of `logits`, `(height, width, num_bins)`.
    `temperature` is that of the annealed mean that takes one color from each distribution; equal
    seeds, from 0 to `options.MAX_SEED`, give equal colorings. There are fewer where the network
    leaves no choice. The first is the coloring without any draw.
    """
    shape = logits.shape[:2]
    logits = logits.reshape(-1, logits.shape[-1])
    plain, probabilities = _annealed_mean(logits / temperature), softmax(logits)
    features = _features(lightness, probabilities @ bins.bin_centers())
    draws = [
        _draw(logits, probabilities, features, temperature, (seed, index))
        for index in range(NUM_DRAWS * count)
    ]
    draws.sort(key=lambda draw: -draw[1])
    kept = [plain]
    for ab, _ in draws:
        if len(kept) == count:
            break
        if min(np.linalg.norm(other - ab, axis=-1).mean() for other in kept) >= MIN_DISTANCE:
            kept.append(ab)
    return np.stack(kept).reshape(-1, *shape, 2)


def likely_colors(probabilities):
    """Sums up a distribution by its likeliest colors, as `variants.likely_colors` does.

    Of probabilities of shape `(num_bins,)` it returns ab, `(NUM_SUGGESTIONS, 2)`, and the share of
    the distribution around each, `(NUM_SUGGESTIONS,)`, falling.
    """
    centers, left = bins.bin_centers(), probabilities
    colors, shares = [], []
    for _ in range(NUM_SUGGESTIONS):
        near = left * (np.linalg.norm(centers - centers[left.argmax()], axis=-1) < NEAR)
        colors.append(near @ centers / (near.sum() + np.float32(1e-9)))
        shares.append(near.sum())
        left = left - near
    order = np.argsort(np.negative(shares), stable=True)
    return np.array(colors)[order], np.array(shares)[order]


def uniform_bits(key, number):
    """Draws as `tf.random.stateless_uniform` does on a processor, whose generator is Philox4x32-10.

    `key` is a pair of whole numbers: what TensorFlow calls the seed. Returns uint32 of shape
    `(number,)`.

    Source: Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011.
    """
    counter = [np.array([key[i // 2] >> 32 * (i % 2) & 0xFFFFFFFF], np.uint64) for i in range(4)]
    # TensorFlow scrambles its seeds by the generator itself.
    mixed = _philox(counter, (0x3EC8F720, 0x02461E29))
    blocks = np.arange(-(-number // 4), dtype=np.uint64)
    counter = [blocks, np.zeros_like(blocks), *(np.full_like(blocks, m[0]) for m in mixed[2:])]
    drawn = _philox(counter, (int(mixed[0][0]), int(mixed[1][0])))
    return np.stack(drawn, axis=-1).reshape(-1)[:number].astype(np.uint32)


def _philox(counter, key):
    """Ten rounds on four arrays of 32-bit numbers, which are kept in 64 bits."""
    low = np.uint64(0xFFFFFFFF)
    for index in range(10):
        keys = [
            np.uint64(part + index * step & 0xFFFFFFFF)
            for part, step in zip(key, (0x9E3779B9, 0xBB67AE85), strict=True)
        ]
        first = counter[0] * np.uint64(0xD2511F53)
        second = counter[2] * np.uint64(0xCD9E8D57)
        counter = [
            second >> np.uint64(32) ^ counter[1] ^ keys[0],
            second & low,
            first >> np.uint64(32) ^ counter[3] ^ keys[1],
            first & low,
        ]
    return counter


def _features(lightness, ab):
    """What regions are formed by, in steps: `(height * width, 5)`."""
    height, width = lightness.shape[:2]
    place = np.indices((height, width), np.float32).reshape(2, -1).T
    place /= np.float32(max(height, width) * PLACE_SCALE)
    lightness = lightness.reshape(-1, 1) / np.float32(LIGHTNESS_SCALE)
    return np.concatenate([lightness, ab / np.float32(CHROMA_SCALE), place], axis=-1)


def _draw(logits, probabilities, features, temperature, key):
    """One coloring, and the mean log-likelihood of what its regions drew."""
    centers = bins.bin_centers()
    regions, likeness = _regions(features, key)
    shares = regions / (regions.sum(axis=0) + np.float32(1e-6))
    log_beliefs = np.log(shares.T @ probabilities + np.float32(1e-9))
    bits = uniform_bits(key, log_beliefs.size).reshape(log_beliefs.shape)
    # The bits become the fraction of a number from 1 to 2.
    share = (bits & np.uint32(0x7FFFFF) | np.uint32(0x3F800000)).view(np.float32) - np.float32(1)
    gumbel = -np.log(-np.log(share * np.float32(1 - 1e-7) + np.float32(1e-7)))
    # Regions that are alike share their noise: two halves of one coat choose one color.
    chosen = np.argmax(log_beliefs * np.float32(CALM) + likeness @ gumbel, axis=-1)
    goal = regions @ centers[chosen]
    # Squared distance of every bin from the goal, less what all bins of a pixel have in common.
    lean = goal @ centers.T - (centers**2).sum(axis=-1) / 2
    lean /= np.float32(PERSUASION**2)
    lean += logits
    lean /= np.float32(temperature)
    likelihood = log_beliefs[np.arange(NUM_REGIONS), chosen] @ regions.mean(axis=0)
    return _annealed_mean(lean), likelihood


def _regions(features, key):
    """Soft membership of each pixel, `(num_pixels, NUM_REGIONS)`, and how alike regions are."""
    centers = features[uniform_bits(key, NUM_REGIONS) % len(features)]
    for _ in range(4):
        regions = softmax(-_squares(features, centers) / np.float32(SOFTNESS))
        centers = regions.T @ features / (regions.sum(axis=0)[:, None] + np.float32(1e-6))
    likeness = np.exp(-_squares(centers, centers) / np.float32(LIKENESS))
    return regions, likeness / np.linalg.norm(likeness, axis=-1, keepdims=True)


def _squares(one, other):
    """Squared distances between two lists of points."""
    return (one**2).sum(axis=-1)[:, None] - 2 * one @ other.T + (other**2).sum(axis=-1)


def softmax(logits):
    """Probabilities of logits, over the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    powers /= powers.sum(axis=-1, keepdims=True)
    return powers


def _annealed_mean(scaled):
    """The color of each row of logits over the temperature."""
    powers = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    # The sums are a third column, so that the powers are read once.
    totals = powers @ np.insert(bins.bin_centers(), 2, 1, axis=-1)
    return totals[:, :2] / totals[:, 2:]


@dataclasses.dataclass(frozen=True)
class Suggestion:
    """A color that a model thinks likely.

    Attributes:
        color: `"#rrggbb"`.
        share: Share of the model's belief, in `[0, 1]`.
    """

    color: str
    share: float


def level_at(lightness, place):
    """L* of what a network sees, `(1, h, w, 1)`, at a place: shares of its height and width."""
    shape = lightness.shape[1:3]
    row, column = (min(int(at * size), size - 1) for at, size in zip(place, shape, strict=True))
    return float(lightness[0, row, column, 0])


def suggestions(ab, shares, level):
    """Makes a list of `Suggestion` of what an engine tells of a place of L* `level`.

    `ab`, `(n, 2)` in CIE units, and `shares`, `(n,)`, are falling. Those of too small a share are
    left out, and one color is named once.
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
