"""The adversarial step, its phases and the averages of its weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.losses import ADVERSARIAL_LOSSES
from colorization.training.adversarial import AdversarialModel
from colorization.training.callbacks import DropOnPlateau, Phases
from colorization.training.optimizer import averaged_weights


def _linear(inputs, name):
    """A network of one weight a channel, so that a step can be worked out by hand."""
    joined = inputs if not isinstance(inputs, list) else keras.layers.Concatenate()(inputs)
    outputs = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(joined)
    return keras.Model(inputs, outputs, name=name)


def _model(weight=2.0, rate=0.1, **options):
    """The model of a step; run eagerly, it is not traced, which takes longer than the step."""
    shape = (None, None, 1)
    generator = _linear(keras.Input(shape), "generator")
    discriminator = _linear([keras.Input(shape), keras.Input(shape)], "discriminator")
    model = AdversarialModel(generator, discriminator)
    model.compile(
        keras.optimizers.SGD(rate),
        keras.optimizers.SGD(rate),
        ADVERSARIAL_LOSSES["wasserstein"],
        lambda target, prediction: tf.square(target - prediction),
        weight,
        **options,
    )
    return model


def _batch():
    random = np.random.default_rng(0)
    return tuple(random.normal(size=(4, 8, 8, 1)).astype(np.float32) for _ in range(2))


def test_a_step_is_gradient_descent_on_both_losses():
    condition, target = _batch()
    model = _model()
    model.train_on_batch(condition, target)
    # The generator's only weight is 1, so that it predicts the condition. The critic's loss is
    # mean(D(fake)) - mean(D(real)); its weight on the condition cancels.
    critic = 1 - 0.1 * (condition.mean() - target.mean())
    gradient = 2.0 * np.mean(2 * (condition - target) * condition) - critic * condition.mean()
    np.testing.assert_allclose(model.discriminator.get_weights()[0].ravel(), [1, critic], rtol=1e-5)
    np.testing.assert_allclose(
        model.generator.get_weights()[0].item(), 1 - 0.1 * gradient, rtol=1e-5
    )


def test_the_discriminator_is_bit_identical_before_its_first_epoch():
    condition, target = _batch()
    model = _model()
    seen = []
    note = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append(model.discriminator.get_weights()[0].tobytes())
    )
    start = model.discriminator.get_weights()[0].tobytes()
    model.fit(condition, target, epochs=3, verbose=0, callbacks=[Phases(2, 1, 1, 1), note])
    assert seen[0] == seen[1] == start
    assert seen[2] != start


def _updates(phases, epochs=1, steps=7):
    """Which networks each step of a run moves."""
    condition, target = (np.tile(part, (steps, 1, 1, 1)) for part in _batch())
    model, seen = _model(), []

    def look(batch=None, logs=None):
        seen.append((model.generator.get_weights()[0], model.discriminator.get_weights()[0]))

    look()
    note = keras.callbacks.LambdaCallback(on_train_batch_end=look)
    options = {"batch_size": 4, "epochs": epochs, "verbose": 0, "shuffle": False}
    model.fit(condition, target, callbacks=[phases, note], **options)
    moved = [
        tuple(bool(np.any(a != b)) for a, b in zip(before, after, strict=True))
        for before, after in zip(seen, seen[1:], strict=False)
    ]
    return [{(True, True): "both", (True, False): "g", (False, True): "d"}[m] for m in moved]


@pytest.mark.slow
def test_either_network_may_be_updated_now_and_then():
    # A critic has its steps before the generator has one.
    assert _updates(Phases(0, 3, 1, 7)) == ["d", "d", "both", "d", "d", "both", "d"]
    assert _updates(Phases(0, 1, 3, 7)) == ["g", "g", "both", "g", "g", "both", "g"]
    # Steps are counted on from epoch to epoch.
    updates = _updates(Phases(1, 1, 2, 3), epochs=3, steps=3)
    assert updates == ["g"] * 3 + ["g", "both", "g"] + ["both", "g", "both"]


def test_the_penalty_is_weighted_into_the_loss_of_the_critic():
    condition, target = _batch()
    losses = []
    for penalty_weight in (0.0, 10.0):
        model = _model(penalty_weight=penalty_weight)
        logs = model.train_on_batch(condition, target, return_dict=True)
        losses.append(model.discriminator.get_weights()[0].ravel())
    # The critic's logits are the sum of condition and target: a slope of 1 in each of 64 values.
    assert logs["penalty"] == pytest.approx((np.sqrt(64) - 1) ** 2, rel=1e-5)
    # d/dw of (8 |w| - 1)^2 at w = 1 is 16 * 7.
    np.testing.assert_allclose(losses[1] - losses[0], [0, -0.1 * 10 * 16 * 7], rtol=1e-4)


def test_the_discriminator_takes_what_it_is_shown():
    condition, target = _batch()

    def shown(condition, target, prediction):
        return [0 * condition, target + 3], [0 * condition, 2 * prediction]

    model = _model(shown=shown)
    logs = model.train_on_batch(condition, target, return_dict=True)
    # All weights are 1: the prediction is the condition.
    gap = 2 * condition.mean() - (target + 3).mean()
    assert logs["discriminator_loss"] == pytest.approx(gap, rel=1e-4)
    critic = 1 - 0.1 * gap
    assert logs["generator_loss"] == pytest.approx(-critic * 2 * condition.mean(), rel=1e-4)
    gradient = 2.0 * np.mean(2 * (condition - target) * condition) - critic * 2 * condition.mean()
    np.testing.assert_allclose(
        model.generator.get_weights()[0].item(), 1 - 0.1 * gradient, rtol=1e-5
    )


def test_labels_are_smoothed_within_their_bounds():
    condition, target = _batch()
    seen = []

    def discriminator_loss(real_logits, fake_logits, real_labels, fake_labels):
        seen.append((real_labels, fake_labels))
        return tf.reduce_mean(real_logits - fake_logits)

    model = _model(label_smoothing=0.2)
    model.discriminator_loss = discriminator_loss
    model.train_step((tf.constant(condition), tf.constant(target)))
    real, fake = (np.ravel(labels) for labels in seen[0])
    assert len(set(real)) == len(set(fake)) == 4
    assert 0.8 <= real.min() and real.max() <= 1 and 0 <= fake.min() and fake.max() <= 0.2


def test_an_extra_term_is_part_of_the_loss():
    condition, target = _batch()
    logs = [
        _model(extra=extra).train_on_batch(condition, target, return_dict=True)
        for extra in (None, lambda condition, target, prediction: tf.constant(3.0))
    ]
    assert logs[1]["extra"] == 3
    assert logs[1]["loss"] == pytest.approx(logs[0]["loss"] + 3, rel=1e-5)


def test_the_generator_alone_trains_on_the_distance():
    condition, target = _batch()
    model = _model(weight=3.0, run_eagerly=True)
    model.phase = "pretraining"
    logs = model.train_on_batch(condition, target, return_dict=True)
    gradient = 3.0 * np.mean(2 * (condition - target) * condition)
    np.testing.assert_allclose(
        model.generator.get_weights()[0].item(), 1 - 0.1 * gradient, rtol=1e-5
    )
    assert set(logs) == {"loss", "distance"}


def test_validation_measures_the_distance():
    condition, target = _batch()
    logs = _model(run_eagerly=True).test_on_batch(condition, target, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(np.square(condition - target)), rel=1e-5)


def test_the_average_follows_its_formula_and_the_weights_come_back():
    generator = _linear(keras.Input((None, None, 1)), "generator")
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75)
    generator.compile(optimizer, "mse", run_eagerly=True)
    condition, target = _batch()
    weights = []
    for _ in range(3):
        generator.train_on_batch(condition, target)
        weights.append(generator.get_weights()[0].item())
    average = weights[0]
    for weight in weights[1:]:
        average = 0.75 * average + 0.25 * weight
    with averaged_weights(generator, optimizer):
        assert generator.get_weights()[0].item() == pytest.approx(average, rel=1e-5)
    assert generator.get_weights()[0].item() == weights[-1]


def test_without_an_average_the_weights_are_lent_as_they_are():
    generator = _linear(keras.Input((None, None, 1)), "generator")
    optimizer = keras.optimizers.SGD(1.0)
    with averaged_weights(generator, optimizer):
        assert generator.get_weights()[0].item() == 1


def test_both_learning_rates_drop_on_a_plateau():
    condition, target = _batch()
    model = _model(rate=0.0, run_eagerly=True)  # No progress.
    model.optimizer.learning_rate = model.discriminator_optimizer.learning_rate = 1e-9
    drop = DropOnPlateau("loss", factor=0.5, patience=1, min_delta=1.0, mode="min")
    model.phase = "pretraining"
    model.fit(condition, target, epochs=3, verbose=0, callbacks=[drop])
    rates = [
        float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        for optimizer in (model.optimizer, model.discriminator_optimizer)
    ]
    assert rates[0] == rates[1] == pytest.approx(1e-9 / 4)
