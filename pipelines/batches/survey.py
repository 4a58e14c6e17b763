"""Surveys: what is in a source, found out before training on it.

Every picture is read once. What can't be used is counted, named and left out; too much damage stops
the run.
"""

import dataclasses
import json
import os

import numpy as np
import tensorflow as tf

from pipelines.batches import decoding
from pipelines.color.gray import is_gray
from pipelines.errors import UserError
from pipelines.files import atomic_write, warn_of
from pipelines.photos import formats

MOST_DAMAGED = 0.1
# A border is 4 % of a picture's shorter side; white is a level over 240 in all channels.
BORDER = 0.04
WHITE = 240
# Fixed, since autotuning makes an iterator take seconds to go away.
PARALLEL = os.cpu_count() or 1
# For what a chain computes: no Python statement of it depends on a tensor, and to rewrite all of it
# as if one did takes seconds.
plain = tf.autograph.experimental.do_not_convert


@dataclasses.dataclass(frozen=True)
class Survey:
    """What is in a source: which pictures to use, and which not and why.

    Args:
        listing: Digest of the source when it was surveyed.
        fingerprint: Digest of the contents of the usable pictures.
        num_pictures: Number of elements, usable or not.
        damaged: Names of elements that hold no readable picture.
        gray: Names of pictures without color.
        skipped: Positions of all that are not usable in the source.
        excluded: Names that `listings.exclude` had left out of the source.
        mismatched: Names of pairs whose two pictures differ in size.
        not_white: Names of pictures whose border is less white than required.
        turned: Lists of a position and the Exif orientation of its picture, of a pair those of
            both, for the elements that are not stored upright.
    """

    listing: str
    fingerprint: str
    num_pictures: int
    damaged: list
    gray: list
    skipped: list
    excluded: list = dataclasses.field(default_factory=list)
    mismatched: list = dataclasses.field(default_factory=list)
    not_white: list = dataclasses.field(default_factory=list)
    turned: list = dataclasses.field(default_factory=list)

    @property
    def contents(self):
        """What a run depends on of the pictures, wherever they lie."""
        return self.fingerprint, self.num_pictures, self.skipped, self.turned

    @property
    def num_usable(self):
        """Number of pictures to train on."""
        return self.num_pictures - len(self.skipped)


def survey(source, white_background=0.0):
    """Reads every picture of a source once: a `Survey`.

    `white_background` is the `white_share` that a picture must have; 0 takes all. What is left out
    is counted, and the first ten named in the log. Raises `UserError` if more than 10 % of the
    pictures are damaged, or of the pairs differ in size; or if nothing is left.
    """

    @plain
    def inspect(position, element):
        # One, or of a pair two.
        files = tf.reshape(source.read_all(element), [-1])
        pictures, turns = zip(*map(_decode_upright, tf.unstack(files)), strict=True)
        picture = pictures[0]
        is_mismatched = tf.reduce_any(tf.shape(picture) != tf.shape(pictures[-1]))
        is_not_white = white_share(picture) < white_background if white_background else False
        # The first that holds is reported.
        flaws = tf.stack([is_mismatched, is_gray(picture), is_not_white])
        content = tf.strings.to_hash_bucket_fast(tf.strings.reduce_join(files), 2**62)
        return position, flaws, content, tf.stack(turns)

    rows = source.elements.enumerate().map(inspect, PARALLEL).ignore_errors()
    good, digest, turned = set(), 0, []
    flawed = {"mismatched": [], "gray": [], "not_white": []}
    for position, flaws, content, turns in rows.as_numpy_iterator():
        good.add(int(position))
        if np.any(turns != 1):
            turned.append([int(position), *turns.tolist()])
        flaw = next((name for name, holds in zip(flawed, flaws, strict=True) if holds), None)
        if flaw:
            flawed[flaw].append(int(position))
        if flaw in (None, "gray"):
            digest = (digest * 31 + int(content)) % 2**64
    flawed["damaged"] = [i for i in range(len(source.names)) if i not in good]
    found = Survey(
        listing=source.listing,
        fingerprint=f"{digest:016x}",
        num_pictures=len(source.names),
        skipped=sorted(position for positions in flawed.values() for position in positions),
        excluded=source.excluded,
        turned=turned,
        **{name: [source.names[i] for i in positions] for name, positions in flawed.items()},
    )
    _report(source, found)
    return found


def _decode_upright(encoded):
    turn = decoding.read_orientation(encoded)
    picture = decoding.decode_in_graph(encoded)
    picture = tf.cond(turn > 1, lambda: decoding.upright(picture, turn), lambda: picture)
    picture.set_shape([None, None, 3])
    return picture, turn


_FLAWS = {
    "damaged": "damaged",
    "mismatched": "of another size than their partners",
    "gray": "gray",
    "not_white": "without a white background",
}


def describe_skipped(found):
    """Says in words what a survey leaves out, such as `"3 damaged and 1 gray skipped"`."""
    counts = {words: len(getattr(found, name)) for name, words in _FLAWS.items()}
    # Damaged and gray pictures are counted even if there are none.
    parts = [f"{n} {words}" for words, n in counts.items() if n or words in ("damaged", "gray")]
    return " and ".join([", ".join(parts[:-1]), parts[-1]]) + " skipped"


def _report(source, found):
    for kind, words in _FLAWS.items():
        what = f"pictures are {words} and are skipped"
        warn_of(getattr(found, kind), source.name, found.num_pictures, what)
    most = MOST_DAMAGED * found.num_pictures
    if len(found.damaged) > most:
        kind = formats.by_suffix(found.damaged[0])
        untrained = kind and not kind.trained
        note = f", and training does not read {kind.name}" if untrained else ""
        raise UserError(
            f"{source.name}: {len(found.damaged)} of {found.num_pictures} files are damaged or no "
            f"{formats.TRAINED_NAMES} pictures, more than {MOST_DAMAGED:.0%}; the first "
            f"is {found.damaged[0]}{note}. Remove or convert them, or name another folder."
        )
    if len(found.mismatched) > most:
        raise UserError(
            f"{source.name}: the pictures of a pair have one size, and those of "
            f"{len(found.mismatched)} of {found.num_pictures} pairs differ, more than "
            f"{MOST_DAMAGED:.0%}; the first is {found.mismatched[0]}. Resize or remove them."
        )
    if not found.num_usable:
        also = f" and {len(found.not_white)} lack a white background" if found.not_white else ""
        raise UserError(
            f"{source.name}: training needs pictures in color, and of {found.num_pictures} "
            f"{len(found.gray)} are gray{also}. Name others"
            + (", or lower --white_background." if also else ".")
        )


def white_share(picture):
    """Share of the border of a uint8 picture that is white, in `[0, 1]`.

    The border is that of the upper half alone: drawn figures mostly extend past the lower edge.
    """
    height, width = tf.unstack(tf.shape(picture)[:2])
    thickness = BORDER * tf.cast(tf.minimum(height, width), tf.float32)
    thickness = tf.cast(tf.math.ceil(thickness), tf.int32)
    upper = tf.reduce_all(picture[: (height + 1) // 2] > WHITE, axis=-1)
    parts = upper[:thickness], upper[thickness:, :thickness], upper[thickness:, -thickness:]
    is_white = tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)
    return tf.reduce_mean(tf.cast(is_white, tf.float32))


def save_survey(found, path):
    """Writes a survey as JSON, whole or not at all."""
    with atomic_write(path, "w") as file:
        json.dump(dataclasses.asdict(found), file, indent=1)


def load_survey(path):
    """Reads a survey that `save_survey` wrote."""
    with open(path) as file:
        return Survey(**json.load(file))


def usable(source, found):
    """Dataset of the elements of a source that its survey found usable."""
    keep = np.ones(found.num_pictures, bool)
    keep[found.skipped] = False
    return source.taken(keep)


def usable_turns(found, is_paired):
    """Exif orientations of the elements that `usable` gives: a dataset of int32, of pairs two each.

    None where every picture is stored upright.
    """
    if not found.turned:
        return None
    turns = np.ones((found.num_pictures, 2 if is_paired else 1), np.int32)
    for position, *orientations in found.turned:
        turns[position] = orientations
    turns = np.delete(turns, found.skipped, axis=0)
    return tf.data.Dataset.from_tensor_slices(turns if is_paired else turns[:, 0])
