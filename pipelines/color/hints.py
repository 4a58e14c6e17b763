"""Color hints for training: what a person, or the frame before, says of a picture's colors.

Most crops get none, so that the network also colors by itself. Some get points and small patches of
the true color, as a person would set them; a few get most of the picture's colors, displaced and
noisy, as a neighboring frame of a film would give them.

Source: Zhang et al., "Real-Time User-Guided Image Colorization with Learned Deep Priors", 2017,
section 3.1: patches of 1 to 9 pixels, their number drawn from a geometric distribution of p = 1/8.
"""

import tensorflow as tf

NONE_SHARE, FILM_SHARE = 0.6, 0.1
MAX_POINTS = 48
_GEOMETRIC = 1 / 8


def draw_hints(ab, seed, shard=(0, 1)):
    """Draws hints for a batch of true colors, ab in CIE units of shape `(batch, height, width, 2)`.

    `seed` is of shape `(2,)`. `shard` is a pair `(number, count)`: which of so many equal shares of
    a batch this is. A picture gets the same hints in a share as in the whole batch. Returns ab of
    the hints, `(batch, height, width, 2)`, and where there are any, `(batch, height, width, 1)`, 0
    or 1. The former is 0 where the latter is.
    """
    (number, count), size = shard, tf.shape(ab)[0]

    def draw(shape, index, kind=tf.random.stateless_uniform):
        drawn = kind([size * count, *shape], seed + [0, index])
        return drawn[number * size : (number + 1) * size]

    def hint(chosen, paint, *more):
        # Most pictures get none, so that painting all would double the work.
        places = tf.where(chosen)
        colors, mask = paint(
            tf.gather_nd(ab, places), lambda *what: tf.gather_nd(draw(*what), places), *more
        )
        return places, tf.concat([colors * mask, mask], axis=-1)

    way = draw([], 0)
    # One for all shares of a batch.
    shift = tf.cast(tf.random.stateless_uniform([2], seed + [0, 5]) * 7, tf.int32) - 3
    film = hint(way < FILM_SHARE, _film, shift)
    points = hint(way >= FILM_SHARE + NONE_SHARE, _points)
    places, hints = (tf.concat(parts, axis=0) for parts in zip(film, points, strict=True))
    shape = tf.concat([tf.shape(ab, tf.int64)[:3], [3]], axis=0)
    hinted = tf.scatter_nd(places, hints, shape)
    return hinted[..., :2], hinted[..., 2:]


def _points(ab, draw):
    """Patches of the mean color of what they cover."""
    shape = tf.shape(ab)
    number = tf.math.log(tf.maximum(draw([1], 1), 1e-6)) / tf.math.log(1 - _GEOMETRIC)
    exists = tf.cast(tf.range(MAX_POINTS), tf.float32) < 1 + tf.floor(number)
    half = tf.floor(draw([MAX_POINTS], 2) * 5)
    covered = []
    for index, length in ((3, shape[1]), (4, shape[2])):
        center = tf.floor(draw([MAX_POINTS], index) * tf.cast(length, tf.float32))[..., None]
        off = tf.abs(tf.cast(tf.range(length), tf.float32) - center)
        covered.append(tf.cast(off <= half[..., None], tf.float32))
    rows, columns = covered
    rows *= tf.cast(exists, tf.float32)[..., None]
    area = tf.reduce_sum(rows, axis=-1) * tf.reduce_sum(columns, axis=-1)
    sums = tf.einsum("bky,byxc,bkx->bkc", rows, ab, columns)
    colors = sums / tf.maximum(area, 1.0)[..., None]
    cover = tf.matmul(rows, columns, transpose_a=True)[..., None]
    painted = [tf.matmul(rows * colors[..., c, None], columns, transpose_a=True) for c in (0, 1)]
    return tf.stack(painted, axis=-1) / tf.maximum(cover, 1.0), tf.cast(cover > 0, tf.float32)


def _film(ab, draw, shift):
    """The whole picture's colors, moved, off and with holes."""
    shape = tf.shape(ab)
    moved = tf.roll(ab, shift=shift, axis=[1, 2])
    off = 3.0 * draw([1, 1, 2], 6, tf.random.stateless_normal)
    uneven = tf.image.resize(4.0 * draw([6, 6, 2], 7, tf.random.stateless_normal), shape[1:3])
    holes = tf.image.resize(draw([8, 8, 1], 8), shape[1:3])
    grid = draw([1, 1, 1], 9)
    return moved + off + uneven, tf.cast(holes > 0.2 + 0.6 * grid, tf.float32)
