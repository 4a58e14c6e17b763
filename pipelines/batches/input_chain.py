"""The input chain: shuffle, repeat, read, crop, batch, encode, prefetch.

The batch of a step is a function of the seed and the step alone, so that a run can start at any
step as if it had never stopped.
"""

import os

import numpy as np
import tensorflow as tf

from pipelines.batches import augment, distributed
from pipelines.batches.survey import PARALLEL, plain, usable, usable_turns
from pipelines.color import bins, hints
from pipelines.color.spaces import rgb_to_lab
from pipelines.errors import UserError, first_line
from pipelines.files import atomic_path
from pipelines.sources import records

# Passes, pictures and steps are counted without an end.
_FOREVER = np.iinfo(np.int64).max


def check_cache(where):
    """Raises `UserError` unless a `--cache` is `"none"`, `"memory"` or a folder."""
    if where not in ("none", "memory") and not os.path.isdir(where):
        raise UserError(
            f"--cache is none, memory or a folder that exists. Received: {where or 'nothing'}. "
            "Make the folder, or choose another."
        )


def training_batches(source, found, codec, options, start_step=0, shard=(0, 1), service=None):
    """Builds the endless training chain, from the batch of `start_step` on.

    `options` is any object with `image_size`, `crop_area`, `flip`, `lightness_jitter`, `aging`,
    `cache`, `shuffle_buffer`, `batch_size` and `seed`. `shard` is a pair `(number, count)`: which
    of so many equal shares of every batch. No picture of another share is decoded; together they
    are the batches of `(0, 1)`. The workers of a `service` read and cut the pictures; None: this
    process.

    Returns a dataset of pairs `(condition, target)`, float32, of shapes `(batch_size / count,
    image_size, image_size, channels)`. Raises `UserError` if `options.cache` is a folder that does
    not exist or can't be written, or if `options.aging` is asked of pairs, which have gray pictures
    of their own.
    """
    check_cache(options.cache)
    if options.aging and source.read_gray:
        raise UserError(
            "--aging makes gray pictures out of color ones, and pairs have their own. Received: "
            f"--aging={options.aging} --data={source.name}. Set --aging=0."
        )
    encoded, read = usable(source, found), source.read_all
    if options.cache != "none":
        encoded, read = encoded.map(read, PARALLEL), tf.identity
        if options.cache == "memory":
            encoded = encoded.cache()
        else:
            encoded, read = _cache_on_disk(encoded, options.cache, found)
    elements = _with_turns(encoded, source, found)
    start = start_step * options.batch_size
    order = _order(elements, found.num_usable, options, start)
    pictures = tf.data.Dataset.zip(tf.data.Dataset.range(start, _FOREVER), order)
    crop = _cropper(read, options)
    number, count = shard
    size = options.batch_size // count
    if count > 1:
        pictures = pictures.filter(lambda i, _: i % options.batch_size // size == number)
    if service:
        batches = distributed.cut_batches(service, pictures, crop, size, start_step)
    else:
        batches = pictures.map(crop, PARALLEL).batch(size, drop_remainder=True)
    steps = tf.data.Dataset.range(start_step, _FOREVER)
    encode = _encoder(codec, options, shard)
    return _prefetch(tf.data.Dataset.zip(steps, batches).map(encode))


def _order(elements, num_elements, options, start):
    """The elements of one pass after the other, each in an order of its own, from a place on."""
    first_epoch, position = divmod(start, num_elements)
    buffer = min(num_elements, options.shuffle_buffer)

    @plain
    def one_pass(epoch):
        # Sets the seed of this function's graph alone: the order follows from it and the epoch.
        tf.random.set_seed(options.seed + 1)
        return elements.shuffle(buffer, seed=epoch, reshuffle_each_iteration=False)

    return tf.data.Dataset.range(first_epoch, _FOREVER).flat_map(one_pass).skip(position)


def _cropper(read, options):
    """Function of the number of a picture in the run, and of its element, to a crop of it."""

    @plain
    def crop(index, element):
        seed = tf.stack([tf.cast(options.seed, tf.int64), index])
        picture = augment.random_resized_crop(
            read(element["picture"]),
            seed,
            options.image_size,
            options.crop_area,
            options.flip,
            element.get("turn"),
        )
        if options.aging:
            # Shifted off the seeds of the crops, as those of steps below.
            picture = augment.age(picture, seed + [3 * 2**40, 0], options.aging)
        return picture

    return crop


def _encoder(codec, options, shard):
    """Function of a step and of its crops to what the networks take and should predict."""

    @plain
    def encode(step, pictures):
        condition, target = codec.encode(pictures)
        if options.lightness_jitter:
            # Shifted off the seeds of the crops, which count pictures.
            seed = tf.stack([tf.cast(options.seed, tf.int64) + 2**40, step])
            condition = augment.jitter_lightness(
                condition, seed, options.lightness_jitter, codec, shard
            )
        if codec.takes_hints:
            seed = tf.stack([tf.cast(options.seed, tf.int64) + 2 * 2**40, step])
            truth = codec.target_scaling.invert(target)
            condition = codec.hint(condition, *hints.draw_hints(truth, seed, shard))
        return condition, target

    return encode


def _with_turns(pictures, source, found):
    """Puts the orientation beside every picture of a source, if any picture has one."""
    turns = usable_turns(found, source.read_gray is not None)
    if turns is None:
        return pictures.map(lambda picture: {"picture": picture})
    return tf.data.Dataset.zip({"picture": pictures, "turn": turns})


def _cache_on_disk(encoded, folder, found):
    """Returns the places of pictures in a file, which is made if it is missing, and their reader.

    Not by `Dataset.cache`: that would take the pictures of another source for these, and stop at
    the lock that an interrupted run leaves. And shuffling would hold pictures, not places.
    """
    path = os.path.join(folder, f"pictures-{found.fingerprint}.tfrecord")
    is_paired = encoded.element_spec.shape.rank == 1
    if not os.path.exists(path):
        try:
            with atomic_path(path) as part, tf.io.TFRecordWriter(part) as writer:
                one_by_one = encoded.unbatch() if is_paired else encoded
                for picture in one_by_one.as_numpy_iterator():
                    writer.write(picture)
        except (OSError, tf.errors.OpError) as error:
            raise UserError(f"--cache={folder} can't be written: {first_line(error)}") from error
    found_places = np.array(records.find_places(path), object)
    if not is_paired:
        return tf.data.Dataset.from_tensor_slices(found_places), records.read_record
    pairs = tf.data.Dataset.from_tensor_slices(found_places.reshape(-1, 2, 3))
    return pairs, lambda pair: tf.stack([records.read_record(pair[i]) for i in (0, 1)])


def center_batches(source, found, size, batch_size, shard=(0, 1)):
    """Builds one pass over the pictures in order, cut to their centers.

    The last batch may hold fewer pictures. `shard`, a pair `(number, count)`, takes the batches
    `number`, `number + count` and so on alone. Returns a dataset of uint8 of shape `(batch, size,
    size, 3)`, or of pairs `(batch, size, size, 6)`.
    """

    @plain
    def crop(element):
        picture = source.read_all(element["picture"])
        return augment.center_crop(picture, size, element.get("turn"))

    pictures, (number, count) = _with_turns(usable(source, found), source, found), shard
    if count > 1:
        numbered = pictures.enumerate()
        numbered = numbered.filter(lambda i, _: i // batch_size % count == number)
        pictures = numbered.map(lambda _, element: element)
    return _prefetch(pictures.map(crop, PARALLEL).batch(batch_size))


def cut_centers(source, found, size, number):
    """The first usable pictures of a source, cut to their centers, as one uint8 array."""
    return next(center_batches(source, found, size, number).as_numpy_iterator())


def _prefetch(batches):
    # With autotuning an iterator takes seconds to go away, at the end of every validation.
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.prefetch(2).with_options(options)


def measure_prior(source, found, size=64):
    """Measures how often each bin of chroma occurs in a source, at a low resolution.

    Returns float64 of shape `(num_bins,)` that sums to 1.
    """
    pictures = center_batches(source, found, size, batch_size=64)
    batches = pictures.map(plain(lambda rgb: rgb_to_lab(rgb[..., :3])))
    return bins.measure_prior(batches.as_numpy_iterator())
