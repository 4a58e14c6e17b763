"""Courses of the learning rate, as functions of the step alone."""

import keras
from keras import ops


class WarmUp(keras.optimizers.schedules.LearningRateSchedule):
    """Rises linearly to another schedule, and follows it from there.

    Args:
        schedule: A `LearningRateSchedule`.
        num_steps: Steps of the rise.
    """

    def __init__(self, schedule, num_steps):
        super().__init__()
        self.schedule, self.num_steps = schedule, num_steps

    def __call__(self, step):
        """Learning rate of a step."""
        share = (ops.cast(step, "float32") + 1) / max(self.num_steps, 1)
        return ops.minimum(share, 1.0) * self.schedule(step)

    def get_config(self):
        """For Keras' serialization."""
        return {"schedule": self.schedule, "num_steps": self.num_steps}


def learning_rate(config, steps_per_epoch):
    """Builds the course of a run's learning rate.

    Args:
        config: Any object with `schedule` (`"constant"`, `"cosine"`, `"step"` or `"plateau"`),
            `learning_rate`, `warmup_steps`, `epochs`, `decay_epochs` and `decay_factor`.
        steps_per_epoch: Steps of an epoch.

    Returns:
        A `LearningRateSchedule`, or a float for `"plateau"`, whose drops a callback makes.
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
    return WarmUp(schedule, config.warmup_steps)
