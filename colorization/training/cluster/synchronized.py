"""Models whose steps run on several workers, with the numbers of one.

Keras' own functions of a step reduce every number that a step reports in a way that fails on more
than one machine. These run the same `train_step` and `test_step`.
"""

import keras
import tensorflow as tf

from colorization.training.adversarial import AdversarialModel


class SynchronizedModel(keras.Model):
    """A compiled, built model under a `MultiWorkerMirroredStrategy`.

    What a step reports is the mean over all workers, so that they see the same course of the
    losses and decide alike. Training gives all devices equal shares of a batch; testing gives
    them whole batches, of which some may have one more than others.
    """

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        """Builds nothing: Keras would reduce a batch of pictures over all workers for its shape."""

    def _get_metrics_result_or_logs(self, logs):
        """What the functions below report is whole: nothing has to be read across workers again."""
        return logs

    def make_train_function(self, force=False):
        """Makes the function of a step."""
        if self.train_function is not None and not force:
            return self.train_function

        def on_share(data):
            return _mean_over_replicas(self.train_step(data))

        @tf.function
        def step(iterator):
            losses = self.distribute_strategy.run(on_share, args=(next(iterator),))
            return {name: self._first(value) for name, value in losses.items()}

        self.train_function = step
        return step

    def make_test_function(self, force=False):
        """Makes the function of a batch of the validation on each device."""
        if self.test_function is not None and not force:
            return self.test_function
        reported = []

        def on_batch(data):
            def measure():
                reported[:] = self.test_step(data)
                return tf.constant(True)

            # A device that has no batch left is given an empty one.
            is_there = tf.shape(tf.nest.flatten(data)[0])[0] > 0
            return tf.cond(is_there, measure, lambda: tf.constant(False))

        @tf.function
        def step(iterator):
            self.distribute_strategy.run(on_batch, args=(iterator.get_next(),))
            # Read across workers: sums over all of them.
            return {m.name: m.result() for m in self.metrics if m.name in reported}

        self.test_function = step
        return step

    def _first(self, value):
        return self.distribute_strategy.experimental_local_results(value)[0]


class SynchronizedAdversarialModel(AdversarialModel, SynchronizedModel):
    """An `AdversarialModel` on several workers."""


def _mean_over_replicas(losses):
    # One message for all of them.
    together = tf.stack([tf.cast(value, tf.float32) for value in losses.values()])
    mean = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, together)
    return dict(zip(losses, tf.unstack(mean), strict=True))
