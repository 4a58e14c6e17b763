"""Sets of TensorFlow Datasets, read record by record from the files that TFDS prepared."""

import os

from pipelines.errors import UserError, first_line
from pipelines.sources import listings, record_places
from pipelines.sources.listings import Source

_FORMAT = "tfrecord"


def open_set(specification, rest):
    """Opens `tfds:NAME[:SPLIT]`, in the order of the files; the split is `train` unless given.

    The source is one of pairs if the set has pictures named `color` and `gray`, else of the first
    feature that is a picture. Raises `UserError` if the set can't be prepared, is stored otherwise
    than in TFRecord files, or has no pictures or no such split.
    """
    import tensorflow as tf
    import tensorflow_datasets as tfds

    name, _, split = rest.partition(":")
    split = split or "train"
    try:
        builder = tfds.builder(name)
        features = builder.info.features
        pictures = [k for k in features if isinstance(features[k], tfds.features.Image)]
        keys = ["color", "gray"] if {"color", "gray"} <= set(pictures) else pictures[:1]
        if not keys:
            raise UserError(f"{specification} has no feature that is a picture.")
        builder.download_and_prepare()
        kind = builder.info.file_format.value
        if kind != _FORMAT:
            raise UserError(
                f"{specification}: sets are read from {_FORMAT} files. Received: one in {kind}. "
                f"Prepare it with file_format={_FORMAT!r}."
            )
        rows = _rows(builder.info.splits[split].file_instructions, keys)
    except UserError:
        raise
    except Exception as error:
        # TFDS raises its own, urllib's and file system errors alike.
        raise UserError(f"{specification} could not be opened: {first_line(error)}") from error
    return Source(
        specification,
        tf.data.Dataset.from_tensor_slices(rows),
        [f"{specification}#{i}" for i in range(len(rows))],
        read_first_picture,
        listings.digest([builder.info.full_name, split, str(len(rows))]),
        read_gray=read_second_picture if len(keys) == 2 else None,
    )


def _rows(instructions, keys):
    """Places of the records that TFDS would read, each with the names of its pictures."""
    keys, rows = [os.fsencode(key) for key in keys], []
    for part in instructions:
        found = record_places.find_places(os.fspath(part.filename))[part.skip :]
        rows += [place + keys for place in (found if part.take == -1 else found[: part.take])]
    return rows


def read_first_picture(place):
    """Reads the encoded picture of a record, in color."""
    return record_places.read_feature(place, place[3])


def read_second_picture(place):
    """Reads the encoded gray picture of a record of a pair."""
    return record_places.read_feature(place, place[4])
