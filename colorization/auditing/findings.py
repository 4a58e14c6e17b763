"""Audits: what is in a set of pictures, before a model is trained on it.

Copies are identical files or similar pictures: perceptual hashes propose, small pictures in color
decide. A copy may be resized, recompressed, slightly cropped or brightened, or mirrored, since
training mirrors pictures too. The thresholds are this project's own; docs/audit.md explains them.
"""

import dataclasses

import numpy as np
import tensorflow as tf

from colorization.auditing.inspection import Measures, measure
from pipelines.photos import formats
from pipelines.sources import hashing, listings
from pipelines.sources.listings import Source

RADIUS = hashing.LARGEST_RADIUS
# Root mean square over a thumbnail's numbers, in levels of 255.
MOST_APART = 20
LEAST_CORRELATED = 0.95
# Below this standard deviation of levels a picture shows nothing to recognize it by.
FLAT = 4
_PAIRS = 4096
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)


@dataclasses.dataclass(frozen=True)
class PictureSet:
    """A set for `training` or `validation`, and the findings in it.

    `measures` are of the pictures that can be read; `damaged` says what is wrong with the others,
    by position. `copies` are groups of copies, each an array of rows of the measures.
    """

    role: str
    source: Source
    measures: Measures
    damaged: dict
    copies: list

    def names(self, rows):
        """Names of the pictures of some rows of the measures."""
        return [self.source.names[position] for position in self.measures.positions[rows]]

    @property
    def gray(self):
        """Rows of the pictures without color."""
        return np.flatnonzero(self.measures.gray)

    @property
    def tinted(self):
        """Rows of the color pictures in one tint."""
        return np.flatnonzero(self.measures.tints.is_tinted & ~self.measures.gray)

    def is_exact(self, rows):
        """Whether the files of some rows are identical."""
        return len(set(self.measures.contents[rows].tolist())) == 1

    @property
    def copies_by_kind(self):
        """The groups of identical files, and the others."""
        exact = [rows for rows in self.copies if self.is_exact(rows)]
        return exact, [rows for rows in self.copies if not self.is_exact(rows)]


@dataclasses.dataclass(frozen=True)
class Audit:
    """The `PictureSet`s, and pairs of arrays of rows of both that are copies of each other."""

    sets: list
    leaks: list

    def exclusions(self):
        """What training should leave out, as a list of pairs of a name and the reason."""
        first = self.sets[0]
        why = dict.fromkeys(first.gray.tolist(), "gray")
        for row in first.tinted.tolist():
            why[row] = f"in one tint, of hue {first.measures.tints.hue[row]:.0f} degrees"
        for rows, others in self.leaks:
            seen = listings.quote(self.sets[1].names(others[:1])[0])
            for row in rows.tolist():
                why.setdefault(row, f"copy of {seen} of the validation set")
        for rows in first.copies:
            # The largest stays, of those that are not left out for another reason.
            left = [row for row in rows.tolist() if row not in why]
            if left:
                kept = max(left, key=lambda row: np.prod(first.measures.sizes[row].astype(float)))
                name = listings.quote(first.names([kept])[0])
                why |= {row: f"copy of {name}" for row in left if row != kept}
        found = {int(first.measures.positions[row]): reason for row, reason in why.items()}
        found |= first.damaged
        return [(first.source.names[position], found[position]) for position in sorted(found)]


def audit(data, val_data=None, on_progress=lambda num_pictures: None):
    """Reads the pictures of a source to train on, and perhaps one to validate on, for an `Audit`.

    `on_progress` is called with the number of pictures read since the last call. Raises `UserError`
    if no picture of a source can be read.
    """
    sources = {"training": data} | ({} if val_data is None else {"validation": val_data})
    measured = [measure(source, on_progress) for source in sources.values()]
    names = ("contents", "hashes", "thumbnails")
    columns = (np.concatenate([getattr(one, name) for one in measured]) for name in names)
    num_first = len(measured[0].positions)
    parts = [
        (rows[rows < num_first], rows[rows >= num_first] - num_first)
        for rows in group_copies(*columns)
    ]
    sets = []
    for (role, source), measures in zip(sources.items(), measured, strict=True):
        copies = [part[len(sets)] for part in parts if len(part[len(sets)]) > 1]
        sets.append(PictureSet(role, source, measures, _why_damaged(source, measures), copies))
    return Audit(sets, [part for part in parts if len(part[0]) and len(part[1])])


def _why_damaged(source, measures):
    bad = np.ones(len(source.names), bool)
    bad[measures.positions] = False
    found = {}
    for position, element in zip(np.flatnonzero(bad), source.taken(bad), strict=True):
        try:
            encoded = source.read(element).numpy()
        except tf.errors.OpError as error:
            found[int(position)] = f"damaged: can't be read ({type(error).__name__})"
            continue
        kind = formats.identify(encoded)
        if not encoded:
            why = "an empty file"
        elif kind is None:
            why = "no picture"
        elif kind.trained:
            why = f"a broken {kind.name} file, or one of a kind that training does not read"
        else:
            why = f"{kind.name}, which training does not read"
        found[int(position)] = f"damaged: {why}"
    return found


def group_copies(contents, hashes, thumbnails):
    """Groups pictures that are copies of each other, directly or through others.

    The arguments are as in `Measures`. Returns a list of int arrays: the rows of each group of two
    or more, ascending.
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
