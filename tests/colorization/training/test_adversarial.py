"""The adversarial step, its phases and the averages of its weights."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.losses.adversarial import ADVERSARIAL_LOSSES
from colorization.training.adversarial import AdversarialModel
from colorization.training.averaging import averaged_weights
from colorization.training.callbacks import AdversaryAfter, DropOnPlateau


def _linear(inputs, name):
    """A network of one weight a channel, so that a step can be worked out by hand."""
    joined = inputs if not isinstance(inputs, list) else keras.layers.Concatenate()(inputs)
    outputs = keras.layers.Conv2D(1, 1, use_bias=False, kernel_initializer="ones")(joined)
    return keras.Model(inputs, outputs, name=name)


def _model(weight=2.0, rate=0.1):
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
    model.fit(condition, target, epochs=3, verbose=0, callbacks=[AdversaryAfter(2), note])
    assert seen[0] == seen[1] == start
    assert seen[2] != start


def test_the_generator_alone_trains_on_the_distance():
    condition, target = _batch()
    model = _model(weight=3.0)
    model.adversarial = False
    logs = model.train_on_batch(condition, target, return_dict=True)
    gradient = 3.0 * np.mean(2 * (condition - target) * condition)
    np.testing.assert_allclose(
        model.generator.get_weights()[0].item(), 1 - 0.1 * gradient, rtol=1e-5
    )
    assert set(logs) == {"loss", "distance"}


def test_validation_measures_the_distance():
    condition, target = _batch()
    logs = _model().test_on_batch(condition, target, return_dict=True)
    assert logs["loss"] == pytest.approx(np.mean(np.square(condition - target)), rel=1e-5)


def test_the_average_follows_its_formula_and_the_weights_come_back():
    generator = _linear(keras.Input((None, None, 1)), "generator")
    optimizer = keras.optimizers.SGD(1.0, use_ema=True, ema_momentum=0.75)
    generator.compile(optimizer, "mse")
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
    model = _model(rate=0.0)  # No progress.
    model.optimizer.learning_rate = model.discriminator_optimizer.learning_rate = 1e-9
    drop = DropOnPlateau("loss", factor=0.5, patience=1, min_delta=1.0, mode="min")
    model.adversarial = False
    model.fit(condition, target, epochs=3, verbose=0, callbacks=[drop])
    rates = [
        float(keras.ops.convert_to_numpy(optimizer.learning_rate))
        for optimizer in (model.optimizer, model.discriminator_optimizer)
    ]
    assert rates[0] == rates[1] == pytest.approx(1e-9 / 4)
