"""Random numbers of a training step: functions of the run's seed, the step and the sample.

Every sample of a batch gets numbers of its own, the same ones whether one device sees
the whole batch or several see shares of it, and whether the run was interrupted before or not.
"""

import tensorflow as tf


def step_seed(seed, purpose, *counters):
    """Derives a seed from a run's seed, a purpose and the numbers of steps taken.

    Args:
        seed: Integer.
        purpose: Integer that tells apart what is drawn in one step.
        *counters: Integer tensors.

    Returns:
        int32 tensor of shape `(2,)`, for TensorFlow's stateless functions.
    """
    derived = tf.constant([seed % 2**31, purpose], tf.int32)
    for counter in counters:
        derived = tf.random.fold_in(derived, tf.cast(counter, tf.int32))
    return derived


def uniform(seed, shape, low=0.0, high=1.0):
    """Draws numbers from U(low, high) for this replica's share of the batch.

    Args:
        seed: As `step_seed` returns it.
        shape: Shape of the share, samples first; all replicas have equal shares.
        low: Smallest number.
        high: Bound of the largest number.

    Returns:
        float32 tensor of that shape.
    """
    return _share(tf.random.stateless_uniform, seed, shape, minval=low, maxval=high)


def normal(seed, shape):
    """Draws numbers from N(0, 1) for this replica's share of the batch, as `uniform` does."""
    return _share(tf.random.stateless_normal, seed, shape)


def _share(draw, seed, shape, **options):
    context = tf.distribute.get_replica_context()
    count, *rest = tf.unstack(tf.convert_to_tensor(shape))
    numbers = draw([count * context.num_replicas_in_sync, *rest], seed, **options)
    start = context.replica_id_in_sync_group * count
    return numbers[start : start + count]
