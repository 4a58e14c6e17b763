"""Optimizers on several devices, and learning-rate schedules against their formulas."""

import subprocess
import sys
import types

import keras
import numpy as np
import pytest

from colorization.training import optimizer
from colorization.training.adversarial import PHASES
from colorization.training.callbacks import Phases

PEAK, EPOCHS, STEPS = 3e-3, 6, 15
STEP = np.arange(EPOCHS * STEPS + 20)


def options(**changes):
    defaults = dict(
        schedule="constant",
        learning_rate=PEAK,
        warmup_steps=0,
        epochs=EPOCHS,
        decay_epochs=2,
        decay_factor=0.5,
        is_adversarial=False,
        pretrain_epochs=0,
        generator_every=1,
        discriminator_every=1,
    )
    return types.SimpleNamespace(**(defaults | changes))


def course(**changes):
    """The learning rate of every step of a run, and of some behind its end."""
    schedule = optimizer.learning_rate(options(**changes), STEPS)
    return schedule, np.array([float(schedule(step)) for step in STEP])


@pytest.mark.parametrize("warmup", [0, 1, 40])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_formulas(schedule, warmup):
    share = {
        "constant": 1,
        "cosine": (1 + np.cos(np.pi * np.minimum(STEP / (EPOCHS * STEPS), 1))) / 2,
        "step": 0.5 ** (STEP // (2 * STEPS)),
    }[schedule]
    rise = np.minimum((STEP + 1) / max(warmup, 1), 1)
    found = course(schedule=schedule, warmup_steps=warmup)[1]
    np.testing.assert_allclose(found, PEAK * share * rise, rtol=1e-5, atol=1e-9)


def test_landmarks():
    cosine = course(schedule="cosine", warmup_steps=10)[1]
    assert cosine[0] == pytest.approx(PEAK / 10) and cosine[:11].argmax() == 9
    assert cosine[EPOCHS * STEPS // 2] == pytest.approx(PEAK / 2)
    assert np.all(cosine[EPOCHS * STEPS :] < 1e-9)
    steps = course(schedule="step", decay_epochs=1, decay_factor=0.1)[1][: EPOCHS * STEPS]
    drops = np.flatnonzero(np.diff(steps)) + 1
    np.testing.assert_array_equal(drops, np.arange(1, EPOCHS) * STEPS)


def test_plateau_is_a_number():
    """Its drops are a callback's, which sets what is no schedule."""
    assert optimizer.learning_rate(options(schedule="plateau"), STEPS) == PEAK


@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_schedules_are_kept_with_an_optimizer(schedule):
    built, expected = course(schedule=schedule, warmup_steps=7)
    again = optimizer.WarmUp.from_config(built.get_config())
    np.testing.assert_array_equal([float(again(step)) for step in STEP[:30]], expected[:30])


def test_an_optimizer_follows_it():
    sgd = keras.optimizers.SGD(course(schedule="cosine", warmup_steps=4)[0])
    variable = keras.Variable(0.0)
    steps = []
    for _ in range(6):
        before = float(variable)
        sgd.apply([keras.ops.ones(())], [variable])
        steps.append(before - float(variable))
    expected = course(schedule="cosine", warmup_steps=4)[1][:6]
    np.testing.assert_allclose(steps, expected, rtol=1e-3)


UPDATES = [
    {"generator_every": 5},
    {"discriminator_every": 3},
    {"pretrain_epochs": 2},
    {"pretrain_epochs": 2, "generator_every": 4},
    {"pretrain_epochs": 1, "discriminator_every": 7},
]


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["cosine", "step"])
@pytest.mark.parametrize("rhythm", UPDATES, ids=str)
def test_both_networks_follow_the_steps_of_the_run(rhythm, schedule):
    """However many of them each is updated at."""
    config = options(schedule=schedule, is_adversarial=True, **rhythm)
    every = config.generator_every, config.discriminator_every
    phases = Phases(config.pretrain_epochs, *every, STEPS)
    phases.set_model(types.SimpleNamespace())
    rates = [optimizer.learning_rate(config, STEPS, flag) for flag in (False, True)]
    expected = course(schedule=schedule)[1]
    made = [0, 0]
    for step in range(EPOCHS * STEPS):
        phases.on_epoch_begin(step // STEPS)
        phases.on_train_batch_begin(step % STEPS)
        for network, is_updated in enumerate(PHASES[phases.model.phase]):
            if is_updated:
                rate = float(rates[network](made[network]))
                assert rate == pytest.approx(expected[step], rel=1e-5, abs=1e-9)
                made[network] += 1


def test_a_rare_update_sees_the_end_of_the_cosine():
    config = options(schedule="cosine", is_adversarial=True, generator_every=5)
    rate = optimizer.learning_rate(config, STEPS)
    assert float(rate(EPOCHS * STEPS // 5 - 1)) < 0.001 * PEAK


def test_a_discriminator_warms_up_when_it_starts():
    config = options(warmup_steps=10, is_adversarial=True, pretrain_epochs=3)
    rates = [float(optimizer.learning_rate(config, STEPS, True)(step)) for step in range(12)]
    expected = PEAK * np.minimum((np.arange(12) + 1) / 10, 1)
    np.testing.assert_allclose(rates, expected, rtol=1e-5)


# Adam with an epsilon far above the gradient steps along the gradient itself.
_STEP = """
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])

import keras
from colorization.training.optimizer import AdamW

for clip_norm, expected in (1.0, [-0.6, -0.8]), (10.0, [-3.0, -4.0]), (None, [-3.0, -4.0]):
    with strategy.scope():
        variable = keras.Variable(np.zeros(2, "float32"))
        optimizer = AdamW(
            1e6, beta_2=0.0, epsilon=1e6, weight_decay=0.0, global_clipnorm=clip_norm
        )
        optimizer.build([variable])

    @tf.function
    def step():
        def replica_step():
            index = tf.distribute.get_replica_context().replica_id_in_sync_group
            gradient = tf.gather(tf.constant([[3.0, 0.0], [0.0, 4.0]]), index)
            optimizer.apply([gradient], [variable])
        strategy.run(replica_step)

    step()
    np.testing.assert_allclose(variable.numpy(), expected, rtol=1e-4)
"""


@pytest.mark.slow
def test_gradients_are_clipped_by_the_norm_of_their_sum_over_devices():
    subprocess.run([sys.executable, "-c", _STEP], check=True)
