"""Perceptual hashes: which of many pictures look alike, without comparing each with each.

A hash is 64 bits, each the sign of one low frequency of a picture's lightness. A smaller,
recompressed or brighter copy keeps nearly all of them; mirroring flips known ones.

Sources: Zauner, "Implementation and benchmarking of perceptual image hash functions", 2010 (hashes
of the discrete cosine transform); Norouzi et al., "Fast search in Hamming space with multi-index
hashing", 2012.
"""

import numpy as np

SIZE = 32
NUM_BITS = 64
NUM_BANDS = 4
# Bits that two hashes may differ in: of four bands one then differs in one bit at most.
LARGEST_RADIUS = 2 * NUM_BANDS - 1

# In the zigzag order of JPEG the mean comes first, which says nothing of what a picture shows.
_FREQUENCIES = sorted(
    ((row, column) for row in range(SIZE) for column in range(SIZE)),
    key=lambda pair: (pair[0] + pair[1], pair[0]),
)[1 : NUM_BITS + 1]
_ROWS, _COLUMNS = np.transpose(_FREQUENCIES)
_SHIFTS = np.arange(NUM_BITS, dtype=np.uint64)
# A mirrored picture has its odd horizontal frequencies negated.
MIRROR = np.bitwise_or.reduce((_COLUMNS % 2).astype(np.uint64) << _SHIFTS)

_BAND_BITS = NUM_BITS // NUM_BANDS
_MOST_CANDIDATES = 2**20


def perceptual_hashes(lightness):
    """Hashes pictures by what they look like.

    They are lightness of any unit, of shape `(num_pictures, 32, 32)`. Returns uint64 of shape
    `(num_pictures,)`; that of a mirrored picture is `^ MIRROR`.
    """
    steps = (np.arange(SIZE) + 0.5) * np.pi / SIZE
    cosines = np.cos(np.arange(_COLUMNS.max() + 1)[:, None] * steps)
    frequencies = cosines @ np.asarray(lightness, np.float64) @ cosines.T
    bits = (frequencies[:, _ROWS, _COLUMNS] > 0).astype(np.uint64)
    return np.bitwise_or.reduce(bits << _SHIFTS, axis=1)


def close_pairs(hashes, radius):
    """Finds all pairs of hashes that differ in few bits, as they are or with one mirrored.

    Two hashes that differ in 7 bits at most agree, but for one bit, in one of four bands of 16. So
    only those are compared that do, in time that grows little faster than the number of hashes. The
    hashes are uint64 of shape `(num_pictures,)`; `radius` bits may differ, at most
    `LARGEST_RADIUS`.

    Yields triples `(first, second, mirrored)`: int arrays of positions, each first before its
    second, and whether these pairs are close once one is mirrored. A pair may come more than once.
    """
    if not 0 <= radius <= LARGEST_RADIUS:
        raise ValueError(f"`radius` is 0 to {LARGEST_RADIUS}. Received: {radius}.")
    flips = [0] + [1 << bit for bit in range(_BAND_BITS)] if radius >= NUM_BANDS else [0]
    for band in range(NUM_BANDS):
        keys = _band(hashes, band)
        order = np.argsort(keys, kind="stable")
        starts = np.searchsorted(keys[order], np.arange(2**_BAND_BITS + 1))
        for mirrored in (False, True):
            turned = hashes ^ MIRROR if mirrored else hashes
            for flip in flips:
                wanted = _band(turned, band) ^ flip
                for first, second in _joined(starts[wanted], starts[wanted + 1], order):
                    apart = np.bitwise_count(turned[first] ^ hashes[second])
                    kept = (apart <= radius) & (first < second)
                    if kept.any():
                        yield first[kept], second[kept], mirrored


def _band(hashes, band):
    # Every fourth bit rather than sixteen in a row, since low frequencies vary less.
    bits = (hashes[:, None] >> _SHIFTS[band::NUM_BANDS]) & np.uint64(1)
    return (bits << _SHIFTS[:_BAND_BITS]).sum(axis=1).astype(np.int64)


def _joined(starts, stops, order):
    """Pairs each position with those of a range of `order`, a bounded number at a time."""
    ends = np.cumsum(stops - starts)
    begin = 0
    while begin < len(starts):
        done = ends[begin - 1] if begin else 0
        end = max(begin + 1, int(np.searchsorted(ends, done + _MOST_CANDIDATES, side="right")))
        counts = (stops - starts)[begin:end]
        first = np.repeat(np.arange(begin, end), counts)
        offsets = np.arange(len(first)) - np.repeat(np.cumsum(counts) - counts, counts)
        yield first, order[np.repeat(starts[begin:end], counts) + offsets]
        begin = end
