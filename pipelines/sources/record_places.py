"""Records of TFRecord files by their places: what is shuffled are these, not whole pictures.

A place is a string tensor: path of the file, offset and length of the record in bytes, its frame
included. More may follow, which `read_record` passes over.
"""

import os
import struct

import tensorflow as tf

# Bytes of a record before and after its data: its length, and two checksums.
BEFORE, BEHIND = 12, 4


def find_places(path):
    """Lists the places, `[path, offset, length]` in bytes, of all records of a file, in its order.

    The path is on any file system that TensorFlow reads; a file that can't be read is a
    `tf.errors.OpError`.
    """
    name, places, offset = everywhere(path), [], 0
    with tf.io.gfile.GFile(name, "rb") as file:
        size = file.size()
        while offset + BEFORE <= size:
            file.seek(offset)
            length = BEFORE + struct.unpack("<Q", file.read(8))[0] + BEHIND
            places.append([name, b"%d" % offset, b"%d" % length])
            offset += length
    return places


def everywhere(path):
    """A path that holds in any working directory, as that of a tf.data service's worker.

    As bytes: names in a file system need not be UTF-8.
    """
    return os.fsencode(path if "://" in path else os.path.abspath(path))


def read_record(place):
    """Reads the record at a place, a string tensor of shape `(3 or more,)`, in-graph.

    Raises `tf.errors.DataLossError` if the record's checksum is not that of its bytes.
    """
    numbers = tf.strings.to_number(place[1:3], tf.int64)
    # A data set of one record, since TensorFlow has no other way to one in the middle.
    file = tf.raw_ops.TFRecordDatasetV2(
        filenames=place[:1], compression_type="", buffer_size=numbers[1], byte_offsets=numbers[:1]
    )
    types = {"output_types": [tf.string], "output_shapes": [[]]}
    first = tf.raw_ops.TakeDataset(input_dataset=file, count=1, **types)
    (record,) = tf.raw_ops.DatasetToSingleElement(dataset=first, **types)
    return record


def read_feature(place, name):
    """Reads one feature of the `tf.train.Example` at a place, in-graph; errors are `read_record`'s.

    `name` is a text or a scalar string tensor, of a feature that is one string.
    """
    nothing = tf.constant([], tf.string)
    # Not `tf.io.parse_single_example`, whose names are no tensors.
    parsed = tf.raw_ops.ParseExampleV2(
        serialized=read_record(place),
        names=nothing,
        sparse_keys=nothing,
        dense_keys=[name],
        ragged_keys=nothing,
        dense_defaults=[nothing],
        num_sparse=0,
        sparse_types=[],
        ragged_value_types=[],
        ragged_split_types=[],
        dense_shapes=[[]],
    )
    return parsed.dense_values[0]
