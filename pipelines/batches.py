"""The input chain: shuffle, repeat, read, crop, batch, encode, prefetch.

Law of the file: the batch of a step is a function of the seed and of the step alone, so that a
run can start at any step as if it had never stopped.
"""

import dataclasses
import json
import logging
import os

import numpy as np
import tensorflow as tf

from pipelines import augment, decode, quantization
from pipelines.color import rgb_to_lab
from pipelines.sources import SourceError

MOST_DAMAGED = 0.1
NUM_NAMED = 10
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
    """

    listing: str
    fingerprint: str
    num_pictures: int
    damaged: list
    gray: list
    skipped: list

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
    spread = tf.reduce_max(picture, axis=-1) - tf.reduce_min(picture, axis=-1)
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


def check_cache(where):
    """Checks a `--cache`: `"none"`, `"memory"` or a folder.

    Raises:
        SourceError: If it is none of these.
    """
    if where not in ("none", "memory") and not os.path.isdir(where):
        raise SourceError(
            f"--cache is none, memory or a folder that exists. Received: {where or 'nothing'}. "
            "Make the folder, or choose another."
        )


def training_batches(source, found, codec, options, start_step=0):
    """Builds the endless training chain.

    Args:
        source: A `Source`.
        found: Its `Survey`.
        codec: The `Codec` that splits pictures.
        options: Any object with `image_size`, `crop_area`, `flip`, `lightness_jitter`, `cache`,
            `shuffle_buffer`, `batch_size` and `seed`.
        start_step: Step of the run whose batch comes first.

    Returns:
        Dataset of pairs `(condition, target)`, float32, of shapes `(batch_size, image_size,
        image_size, channels)`.

    Raises:
        SourceError: If `options.cache` is a folder that does not exist or can't be written.
    """
    check_cache(options.cache)
    encoded = usable(source, found)
    if options.cache != "none":
        encoded = encoded.map(source.read, PARALLEL)
        if options.cache == "memory":
            encoded = encoded.cache()
        else:
            encoded = _cache_on_disk(encoded, options.cache, found)
    read = source.read if options.cache == "none" else tf.identity
    buffer = min(found.num_usable, options.shuffle_buffer)
    start = start_step * options.batch_size
    first_epoch, position = divmod(start, found.num_usable)

    def one_pass(epoch):
        # Sets the seed of this function's graph alone: the order follows from it and the epoch.
        tf.random.set_seed(options.seed + 1)
        return encoded.shuffle(buffer, seed=epoch, reshuffle_each_iteration=False)

    def crop(index, element):
        picture = decode.decode_in_graph(read(element))
        seed = tf.stack([tf.cast(options.seed, tf.int64), index])
        return augment.random_resized_crop(
            picture, seed, options.image_size, options.crop_area, options.flip
        )

    def encode(step, pictures):
        condition, target = codec.encode(pictures)
        if options.lightness_jitter:
            # Shifted off the seeds of the crops, which count pictures.
            seed = tf.stack([tf.cast(options.seed, tf.int64) + 2**40, step])
            condition = augment.jitter_lightness(condition, seed, options.lightness_jitter, codec)
        return condition, target

    forever = np.iinfo(np.int64).max
    order = tf.data.Dataset.range(first_epoch, forever).flat_map(one_pass).skip(position)
    pictures = tf.data.Dataset.zip(tf.data.Dataset.range(start, forever), order)
    batches = pictures.map(crop, PARALLEL).batch(options.batch_size, drop_remainder=True)
    steps = tf.data.Dataset.range(start_step, forever)
    return _prefetch(tf.data.Dataset.zip(steps, batches).map(encode))


def _cache_on_disk(encoded, folder, found):
    # Not `Dataset.cache`: that would take the pictures of another source for these, and stop at the
    # lock that an interrupted run leaves.
    path = os.path.join(folder, f"pictures-{found.fingerprint}.tfrecord")
    if not os.path.exists(path):
        part = f"{path}.{os.getpid()}.part"
        try:
            with tf.io.TFRecordWriter(part) as writer:
                for picture in encoded.as_numpy_iterator():
                    writer.write(picture)
            os.replace(part, path)
        except (OSError, tf.errors.OpError) as error:
            reason = str(error).strip().splitlines()[0]
            raise SourceError(f"--cache={folder} can't be written: {reason}") from error
    pictures = tf.data.TFRecordDataset(path)
    return pictures.apply(tf.data.experimental.assert_cardinality(found.num_usable))


def center_batches(source, found, size, batch_size):
    """Builds one pass over the pictures in order, cut to their centers.

    Args:
        source: A `Source`.
        found: Its `Survey`.
        size: Height and width of the crops, in pixels.
        batch_size: Pictures in a batch; the last may hold fewer.

    Returns:
        Dataset of uint8 tensors of shape `(batch, size, size, 3)`.
    """

    def crop(element):
        return augment.center_crop(decode.decode_in_graph(source.read(element)), size)

    return _prefetch(usable(source, found).map(crop, PARALLEL).batch(batch_size))


def _prefetch(batches):
    # With autotuning an iterator takes seconds to go away, at the end of every validation.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


def measure_prior(source, found, size=64):
    """Measures how often each bin of chroma occurs in a source, at a low resolution.

    Returns:
        Float64 array of shape `(num_bins,)` that sums to 1.
    """
    batches = center_batches(source, found, size, batch_size=64).map(rgb_to_lab)
    return quantization.measure_prior(batches.as_numpy_iterator())
