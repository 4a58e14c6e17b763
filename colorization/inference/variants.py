"""Several colorings of one photo: other choices where the network itself sees a choice.

Logits are float32, `(height, width, num_bins)`, of one photo, over the bins of
`pipelines.color.bins`. Pure functions of their arguments, the seed among them, that run in a graph.

A color drawn for each pixel alone is confetti, and smooth noise paints blobs across things. So the
photo is first cut into soft regions of pixels that look alike and about which the network says
the same; a region draws one color from what the network believes of it, and its pixels lean
toward that color as far as their own distributions allow.
"""

import tensorflow as tf

from colorization.inference import graph_steps
from colorization.inference.drawing import (
    CALM,
    CHROMA_SCALE,
    LIGHTNESS_SCALE,
    LIKENESS,
    MIN_DISTANCE,
    NEAR,
    NUM_DRAWS,
    NUM_REGIONS,
    NUM_SUGGESTIONS,
    PERSUASION,
    PLACE_SCALE,
    SOFTNESS,
)
from pipelines.color import bins


def sample(lightness, logits, temperature, seed, count):
    """Draws colorings, the most likely first, none much like another.

    `lightness` is L*, `(height, width, 1)`, at the size of `logits`; `temperature` is that of the
    annealed mean that takes one color from each distribution. Equal seeds give equal colorings.

    Returns ab of shape `(n, height, width, 2)`, with `n <= count`; fewer where the network leaves
    no choice. The first is the coloring without any draw, and two of them differ by at least
    `MIN_DISTANCE` in the mean of their distances in ab.
    """
    plain = bins.annealed_mean(logits, temperature)
    probabilities = tf.nn.softmax(logits)
    features = _features(lightness, bins.annealed_mean(logits, 1.0))
    num_draws = NUM_DRAWS * count

    def draw(index):
        key = tf.stack([seed, index])
        return _draw(logits, probabilities, features, temperature, key)

    spec = (tf.float32, tf.float32)
    drawn, likelihood = tf.map_fn(
        draw, tf.range(num_draws), fn_output_signature=spec, parallel_iterations=1
    )
    drawn = tf.gather(drawn, tf.argsort(likelihood, direction="DESCENDING"))
    return _unlike(tf.concat([plain[None], drawn], axis=0), count)


def likely_colors(probabilities):
    """Sums up a distribution, of shape `(num_bins,)`, by its likeliest colors.

    Returns ab, `(NUM_SUGGESTIONS, 2)`, and the share of the distribution around each, falling.
    """
    centers, left, found = tf.constant(bins.bin_centers()), probabilities, []
    for _ in range(NUM_SUGGESTIONS):
        offsets = centers - tf.gather(centers, tf.argmax(left))
        near = left * tf.cast(tf.norm(offsets, axis=-1) < NEAR, tf.float32)
        share = tf.reduce_sum(near)
        ab = tf.reduce_sum(near[:, None] * centers, axis=0) / (share + 1e-9)
        found.append(tf.concat([ab, share[None]], axis=0))
        left -= near
    found = tf.stack(found)
    found = tf.gather(found, tf.argsort(found[:, 2], direction="DESCENDING", stable=True))
    return found[:, :2], found[:, 2]


def _features(lightness, ab):
    """What regions are formed by, in steps: `(height * width, 5)`."""
    shape = tf.shape(ab)
    longer = tf.cast(tf.maximum(shape[0], shape[1]), tf.float32)
    place = graph_steps.places(shape[0], shape[1]) / (longer * PLACE_SCALE)
    features = [lightness / LIGHTNESS_SCALE, ab / CHROMA_SCALE, place]
    return tf.reshape(tf.concat(features, axis=-1), [-1, 5])


def _draw(logits, probabilities, features, temperature, key):
    """One coloring, and the mean log-likelihood of what its regions drew."""
    num_bins = logits.shape[-1]
    regions, likeness = _regions(features, key)
    shares = regions / (tf.reduce_sum(regions, axis=0) + 1e-6)
    beliefs = tf.matmul(shares, tf.reshape(probabilities, [-1, num_bins]), transpose_a=True)
    log_beliefs = tf.math.log(beliefs + 1e-9)
    gumbel = -tf.math.log(-tf.math.log(tf.random.stateless_uniform(tf.shape(beliefs), key, 1e-7)))
    # Regions that are alike share their noise: two halves of one coat choose one color.
    chosen = tf.argmax(log_beliefs * CALM + tf.matmul(likeness, gumbel), axis=-1)
    centers = tf.constant(bins.bin_centers())
    goal = tf.matmul(regions, tf.gather(centers, chosen))
    # Squared distance of every bin from the goal, less what all bins of a pixel have in common.
    lean = tf.matmul(goal, centers, transpose_b=True) - tf.reduce_sum(centers**2, axis=-1) / 2
    leaning = logits + tf.reshape(lean, tf.shape(logits)) / PERSUASION**2
    likelihood = tf.reduce_sum(
        tf.gather(log_beliefs, chosen, batch_dims=1) * tf.reduce_mean(regions, axis=0)
    )
    return bins.annealed_mean(leaning, temperature), likelihood


def _regions(features, key):
    """Soft membership of each pixel, `(num_pixels, NUM_REGIONS)`, and how alike regions are.

    The latter is of shape `(NUM_REGIONS, NUM_REGIONS)`, in rows of length 1.
    """
    picked = tf.random.stateless_uniform([NUM_REGIONS], key, 0, tf.shape(features)[0], tf.int32)
    centers = tf.gather(features, picked)
    for _ in range(4):
        regions = tf.nn.softmax(-_squares(features, centers) / SOFTNESS)
        weights = tf.reduce_sum(regions, axis=0)[:, None] + 1e-6
        centers = tf.matmul(regions, features, transpose_a=True) / weights
    likeness = tf.nn.l2_normalize(tf.exp(-_squares(centers, centers) / LIKENESS), axis=-1)
    return regions, likeness


def _squares(one, other):
    """Squared distances between two lists of points."""
    products = 2 * tf.matmul(one, other, transpose_b=True)
    return tf.reduce_sum(one**2, axis=-1)[:, None] - products + tf.reduce_sum(other**2, axis=-1)


def _unlike(candidates, count):
    """Keeps, in order, up to `count` candidates that are no near-duplicates of those kept."""
    num_candidates = tf.shape(candidates)[0]

    def consider(index, kept):
        others = tf.gather(candidates, kept)
        distances = tf.reduce_mean(tf.norm(others - candidates[index], axis=-1), axis=[1, 2])
        new = (tf.size(kept) < count) & (tf.reduce_min(distances) >= MIN_DISTANCE)
        return index + 1, tf.cond(new, lambda: tf.concat([kept, [index]], axis=0), lambda: kept)

    _, kept = tf.while_loop(
        lambda index, _: index < num_candidates,
        consider,
        (tf.constant(1), tf.constant([0])),
        shape_invariants=(tf.TensorShape([]), tf.TensorShape([None])),
    )
    return tf.gather(candidates, kept)
