"""Optimizers, their learning-rate schedules, and the averaged weights that they keep."""

import contextlib

import keras
import tensorflow as tf
from keras import ops


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


class AtRunStep(keras.optimizers.schedules.LearningRateSchedule):
    """Follows another schedule over the steps of a run, of which an optimizer makes only some.

    An optimizer counts its own updates. Without this, one that makes every fifth step would end
    the run after a fifth of its schedule. It makes all of `lone_start` steps at the start of the
    run, or none of `idle_start`, and every N-th step from then on.
    """

    def __init__(self, schedule, lone_start=0, idle_start=0, every=1):
        super().__init__()
        self.schedule, self.every = schedule, every
        self.lone_start, self.idle_start = lone_start, idle_start

    def __call__(self, step):
        step = ops.cast(step, "int32")
        # Of N steps the last is an update.
        later = self.lone_start + (step - self.lone_start + 1) * self.every - 1
        return self.schedule(self.idle_start + ops.where(step < self.lone_start, step, later))

    def get_config(self):
        return {
            "schedule": self.schedule,
            "lone_start": self.lone_start,
            "idle_start": self.idle_start,
            "every": self.every,
        }


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to another schedule over `num_steps`, and follows it from there."""

    def __init__(self, schedule, num_steps):
        super().__init__()
        self.schedule, self.num_steps = schedule, num_steps

    def __call__(self, step):
        share = (ops.cast(step, "float32") + 1) / max(self.num_steps, 1)
        return ops.minimum(share, 1.0) * self.schedule(step)

    def get_config(self):
        return {"schedule": self.schedule, "num_steps": self.num_steps}


def learning_rate(config, steps_per_epoch, of_discriminator=False):
    """Builds the learning rate of an optimizer, of the discriminator's or of the generator's.

    It is a `LearningRateSchedule` of the optimizer's own updates that follows the steps of the run,
    its warm-up those since the optimizer's first; or a float for `"plateau"`, whose drops a
    callback makes. `config` is any object with the options of schedules and phases of a `Config`.
    """
    peak = config.learning_rate
    if config.schedule == "plateau":
        return peak
    schedules = keras.optimizers.schedules
    if config.schedule == "cosine":
        schedule = schedules.CosineDecay(peak, config.epochs * steps_per_epoch)
    else:
        factor = config.decay_factor if config.schedule == "step" else 1.0
        schedule = schedules.ExponentialDecay(
            peak, config.decay_epochs * steps_per_epoch, factor, staircase=True
        )
    start = config.pretrain_epochs * steps_per_epoch
    every = config.discriminator_every if of_discriminator else config.generator_every
    if of_discriminator and start:
        schedule = AtRunStep(schedule, idle_start=start)
    schedule = WarmUp(schedule, config.warmup_steps)
    if config.is_adversarial and every > 1:
        schedule = AtRunStep(schedule, 0 if of_discriminator else start, every=every)
    return schedule


def build_optimizer(config, steps_per_epoch, of_discriminator=False):
    """Builds the optimizer of the generator, or of the discriminator, which keeps no average."""
    optimizer = AdamW(
        learning_rate(config, steps_per_epoch, of_discriminator),
        weight_decay=config.weight_decay,
        beta_1=config.beta_1,
        beta_2=config.beta_2,
        global_clipnorm=config.clip_norm or None,
        use_ema=config.ema > 0 and not of_discriminator,
        ema_momentum=config.ema,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "beta", "gamma"])
    if config.precision == "float16":
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    return optimizer


@contextlib.contextmanager
def averaged_weights(network, optimizer):
    """Lends a network the average of its weights, and gives its own back.

    Without `use_ema` of the optimizer that trains it, nothing changes.
    """
    own = [variable.numpy() for variable in network.trainable_variables]
    optimizer.finalize_variable_values(network.trainable_variables)
    try:
        yield network
    finally:
        for variable, value in zip(network.trainable_variables, own, strict=True):
            variable.assign(value)
