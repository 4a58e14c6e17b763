"""What happens around steps: a loss that is not finite is named by its first step."""

import numpy as np
import pytest
import tensorflow as tf

from colorization.training.callbacks import StopAtNonFiniteLoss
from colorization.training.state import TrainingError

NAN, INF = float("nan"), float("inf")


class Loss:
    """A loss that notes when it is looked at, as a device would be waited for."""

    def __init__(self, value, looks):
        self.value, self.looks = value, looks

    def __float__(self):
        self.looks.append(self.value)
        return self.value


def epoch(stop, number, values, looks=None):
    """Shows the callback an epoch; its losses are means, so that a bad one stays bad."""
    stop.on_epoch_begin(number)
    for step, value in enumerate(values):
        made = tf.constant(value) if looks is None else Loss(value, looks)
        stop.on_train_batch_end(step, {"loss": made, "distance": 1.0})
    stop.on_epoch_end(number)


@pytest.mark.parametrize("every", [1, 3, 50])
@pytest.mark.parametrize("bad", [NAN, INF, -INF])
@pytest.mark.parametrize("first", [0, 2, 3, 6])
def test_the_first_bad_step_is_named(every, bad, first):
    stop = StopAtNonFiniteLoss(7, every)
    epoch(stop, 0, np.ones(7))
    values = [1.0] * first + [bad] * (7 - first)
    expected = rf"^loss is not finite at step {7 + first + 1} \(epoch 2\)"
    with pytest.raises(TrainingError, match=expected):
        epoch(stop, 1, values)


def test_the_device_is_not_waited_for_at_every_step():
    looks, stop = [], StopAtNonFiniteLoss(9, every=4)
    stop.on_epoch_begin(0)
    seen = []
    for step in range(9):
        stop.on_train_batch_end(step, {"loss": Loss(1.0, looks)})
        seen.append(len(looks))
    assert seen == [0, 0, 0, 4, 4, 4, 4, 8, 8]
    # Nothing is saved before the last steps are looked at.
    stop.on_epoch_end(0)
    assert len(looks) == 9


def test_an_interrupted_epoch_leaves_nothing_behind():
    stop = StopAtNonFiniteLoss(3)
    stop.on_epoch_begin(0)
    stop.on_train_batch_end(0, {"loss": NAN})
    epoch(stop, 0, [1.0, 1.0, 1.0])
