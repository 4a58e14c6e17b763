"""Models for several workers, on one: the steps are Keras' own, and empty batches do not count."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.training.cluster.workers import SynchronizedModel
from colorization.training.optimizer import AdamW

RANDOM = np.random.default_rng(0)
CONDITION = RANDOM.normal(size=(10, 8, 8, 1)).astype("float32")
TARGET = RANDOM.normal(size=(10, 8, 8, 2)).astype("float32")


def dataset(count):
    return tf.data.Dataset.from_tensor_slices((CONDITION[:count], TARGET[:count]))


def compiled(kind):
    keras.utils.set_random_seed(1)
    condition = keras.Input((8, 8, 1))
    model = kind(condition, keras.layers.Conv2D(2, 3, padding="same")(condition))
    model.compile(AdamW(1e-2, global_clipnorm=1.0), "mse")
    model.optimizer.build(model.trainable_variables)
    return model


@pytest.fixture(scope="module")
def trained():
    """A synchronized model, its history, and the same trained by Keras."""
    strategy = tf.distribute.MultiWorkerMirroredStrategy()

    def feed(batches):
        return strategy.distribute_datasets_from_function(lambda _: batches)

    with strategy.scope():
        model = compiled(SynchronizedModel)
    # What a worker gets whose batches end before another's.
    empty = tf.data.Dataset.from_tensors((CONDITION[:0], TARGET[:0]))
    checks = dataset(10).batch(4).concatenate(empty)
    steps = {"epochs": 2, "steps_per_epoch": 3, "verbose": 0, "shuffle": False}
    batches = dataset(10).repeat().batch(4, drop_remainder=True)
    history = model.fit(
        feed(batches), validation_data=feed(checks), validation_steps=4, **steps
    ).history
    plain = compiled(keras.Model)
    return model, history, plain, plain.fit(batches, **steps).history


def test_its_steps_are_those_of_keras(trained):
    model, history, plain, expected = trained
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-6)
    for one, other in zip(model.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_validation_is_the_mean_over_pictures_whatever_the_batches(trained):
    model, history, _, _ = trained
    expected = np.mean((np.asarray(model(CONDITION)) - TARGET) ** 2)
    np.testing.assert_allclose(history["val_loss"][-1], expected, rtol=1e-6)


def test_functions_are_traced_once(trained):
    model = trained[0]
    assert model.train_function.experimental_get_tracing_count() == 1
    assert model.test_function.experimental_get_tracing_count() == 1
