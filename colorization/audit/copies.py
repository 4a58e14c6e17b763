"""Copies: which pictures are the same photograph, identical files or similar ones.

Perceptual hashes propose, small pictures in color decide. A copy may be resized, recompressed,
slightly cropped or brightened, or mirrored, since training mirrors pictures too.

The thresholds are this project's own: docs/audit.md says on which pictures they were chosen.
"""

import numpy as np

from pipelines.sources import hashing

RADIUS = hashing.LARGEST_RADIUS
# Root mean square over a thumbnail's numbers, in levels of 255.
MOST_APART = 20
LEAST_CORRELATED = 0.95
# Below this standard deviation of levels a picture shows nothing to recognize it by.
FLAT = 4
_PAIRS = 4096
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


def group_copies(contents, hashes, thumbnails):
    """Groups pictures that are copies of each other, directly or by others of the group.

    Args:
        contents: Digests of the files, of shape `(num_pictures,)`.
        hashes: Of `hashing.perceptual_hashes`, of the same shape.
        thumbnails: uint8 array of shape `(num_pictures, 16, 16, 3)`.

    Returns:
        List of int arrays: positions of the pictures of each group of two or more, ascending.
    """
    _, kept, copy_of = np.unique(contents, return_index=True, return_inverse=True)
    # Of identical files one is compared. Labels are positions among those.
    labels = np.arange(len(kept))
    lightness = thumbnails[kept] @ _LUMA
    shown = np.flatnonzero(lightness.std(axis=(1, 2)) >= FLAT)
    for first, second, mirrored in hashing.close_pairs(hashes[kept[shown]], RADIUS):
        for start in range(0, len(first), _PAIRS):
            pair = shown[first[start : start + _PAIRS]], shown[second[start : start + _PAIRS]]
            new = labels[pair[0]] != labels[pair[1]]
            one, other = pair[0][new], pair[1][new]
            same = _look_alike(thumbnails[kept[one]], thumbnails[kept[other]], mirrored)
            for a, b in zip(one[same], other[same], strict=True):
                labels[labels == labels[b]] = labels[a]
    labels = labels[copy_of.reshape(-1)]
    order = np.argsort(labels, kind="stable")
    cuts = np.flatnonzero(np.diff(labels[order])) + 1
    groups = [np.sort(group) for group in np.split(order, cuts) if len(group) > 1]
    return sorted(groups, key=lambda group: group[0])


def _look_alike(one, other, mirrored):
    one = one.astype(np.float32)
    other = (other[:, :, ::-1] if mirrored else other).astype(np.float32)
    apart = np.sqrt(np.square(one - other).mean(axis=(1, 2, 3)))
    one, other = (_standardize(pictures @ _LUMA) for pictures in (one, other))
    correlated = (one * other).mean(axis=(1, 2))
    return (apart <= MOST_APART) & (correlated >= LEAST_CORRELATED)


def _standardize(lightness):
    centered = lightness - lightness.mean(axis=(1, 2), keepdims=True)
    return centered / centered.std(axis=(1, 2), keepdims=True)
