"""Surveys: what is in a source, found out before training on it.

Law of the file: every picture is read once. What is damaged or gray is counted, named and left out;
too much of it stops the run.
"""

import dataclasses
import json
import logging
import os

import numpy as np
import tensorflow as tf

from pipelines import decode
from pipelines.sources import SourceError

MOST_DAMAGED = 0.1
NUM_NAMED = 10
# Fixed, since autotuning makes an iterator take seconds to go away.
PARALLEL = os.cpu_count() or 1


@dataclasses.dataclass(frozen=True)
class Survey:
    """What is in a source: which pictures to use, and which not and why.

    Args:
        listing: Digest of the source when it was surveyed.
        fingerprint: Digest of the contents of the usable pictures.
        num_pictures: Number of elements, usable or not.
        damaged: Names of elements that hold no readable picture.
        gray: Names of pictures without color.
        skipped: Positions of both in the source.
        excluded: Names that `exclusions.exclude` had left out of the source.
    """

    listing: str
    fingerprint: str
    num_pictures: int
    damaged: list
    gray: list
    skipped: list
    excluded: list = dataclasses.field(default_factory=list)

    @property
    def num_usable(self):
        """Number of pictures to train on."""
        return self.num_pictures - len(self.skipped)


def survey(source):
    """Reads every picture of a source once.

    Args:
        source: A `Source`.

    Returns:
        A `Survey`. Damaged and gray pictures are counted, and the first ten named in the log.

    Raises:
        SourceError: If more than 10 % of the pictures are damaged, or none is usable.
    """

    def inspect(position, element):
        encoded = source.read(element)
        picture = decode.decode_in_graph(encoded)
        return position, is_gray(picture), tf.strings.to_hash_bucket_fast(encoded, 2**62)

    rows = source.elements.enumerate().map(inspect, PARALLEL).ignore_errors()
    good, gray, digest = set(), [], 0
    for position, without_color, content in rows.as_numpy_iterator():
        good.add(int(position))
        digest = (digest * 31 + int(content)) % 2**64
        if without_color:
            gray.append(int(position))
    damaged = [i for i in range(len(source.names)) if i not in good]
    found = Survey(
        listing=source.listing,
        fingerprint=f"{digest:016x}",
        num_pictures=len(source.names),
        damaged=[source.names[i] for i in damaged],
        gray=[source.names[i] for i in gray],
        skipped=sorted(damaged + gray),
        excluded=source.excluded,
    )
    _report(source, found)
    return found


def _report(source, found):
    for kind, names in (("damaged", found.damaged), ("gray", found.gray)):
        if names:
            logging.warning(
                "%s: %d of %d pictures are %s and are skipped: %s%s",
                source.name,
                len(names),
                found.num_pictures,
                kind,
                ", ".join(names[:NUM_NAMED]),
                ", ..." if len(names) > NUM_NAMED else "",
            )
    if len(found.damaged) > MOST_DAMAGED * found.num_pictures:
        raise SourceError(
            f"{source.name}: {len(found.damaged)} of {found.num_pictures} files are damaged or no "
            f"JPEG, PNG, GIF, BMP or opaque WebP pictures, more than {MOST_DAMAGED:.0%}; the first "
            f"is {found.damaged[0]}. Remove or convert them, or point --data at the pictures."
        )
    if not found.num_usable:
        raise SourceError(
            f"{source.name}: training needs pictures in color, and of {found.num_pictures} "
            f"{len(found.gray)} are gray. Point --data at others."
        )


def is_gray(picture):
    """Whether at most a thousandth of a uint8 picture's pixels are off gray by over 10 levels."""
    # Not `tf.reduce_max` over the channels, which takes longer than decoding.
    red, green, blue = tf.unstack(picture, axis=-1)
    largest = tf.maximum(tf.maximum(red, green), blue)
    spread = largest - tf.minimum(tf.minimum(red, green), blue)
    return tf.reduce_mean(tf.cast(spread > 10, tf.float32)) <= 0.001


def save_survey(found, path):
    """Writes a survey as JSON, whole or not at all."""
    with open(path + ".part", "w") as file:
        json.dump(dataclasses.asdict(found), file, indent=1)
    os.replace(path + ".part", path)


def load_survey(path):
    """Reads a survey that `save_survey` wrote."""
    with open(path) as file:
        return Survey(**json.load(file))


def usable(source, found):
    """Dataset of the elements of a source that its survey found usable."""
    keep = np.ones(found.num_pictures, bool)
    keep[found.skipped] = False
    kept = tf.data.Dataset.zip(source.elements, tf.data.Dataset.from_tensor_slices(keep))
    kept = kept.filter(lambda element, usable: usable)
    kept = kept.map(lambda element, usable: element)
    return kept.apply(tf.data.experimental.assert_cardinality(found.num_usable))
