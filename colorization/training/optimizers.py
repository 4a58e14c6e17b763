"""AdamW whose clipping sees the gradient of the whole batch."""

import keras
import tensorflow as tf


class AdamW(keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` that sums gradients over replicas before it clips them.

    Keras clips what each replica has computed on its share of the batch and sums afterwards, so
    that the step depends on the number of devices. Both methods below are Keras' own seams of
    that order.
    """

    def _clip_gradients(self, grads):
        replica = tf.distribute.get_replica_context()
        return super()._clip_gradients(replica.all_reduce(tf.distribute.ReduceOp.SUM, grads))

    def _all_reduce_sum_gradients(self, grads_and_vars):
        return grads_and_vars  # Summed before clipping.
