"""The discriminator of whole pictures."""

import keras
import numpy as np

from colorization.models.whole import whole


def inputs(batch=2, size=32):
    random = np.random.default_rng(0)
    return [random.normal(size=(batch, size, size, n)).astype(np.float32) for n in (1, 2)]


def widths(model):
    return [layer.filters for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]


def test_one_logit_for_each_picture():
    model = whole(32, base_filters=4, num_layers=3)
    assert model(inputs()).shape == (2, 1)


def test_widths_of_the_published_networks():
    assert widths(whole(224, 1, 3)) == [64, 128, 256, 512, 512]
    assert widths(whole(128, base_filters=16, num_layers=6)) == [16, 32, 64, 128, 256, 512]


def test_normalization_and_dropout_are_to_choose():
    for normalization in (True, False):
        for dropout in (0.0, 0.3):
            model = whole(32, 1, 2, 4, 3, normalization, dropout)
            kinds = [type(layer).__name__ for layer in model.layers]
            assert kinds.count("BatchNormalization") == 3 * normalization
            assert kinds.count("Dropout") == 3 * (dropout > 0)


def test_without_normalization_a_logit_is_of_its_own_picture_alone():
    model = whole(32, base_filters=4, num_layers=3, normalization=False)
    pictures = inputs()
    together = model(pictures, training=True)
    alone = model([part[:1] for part in pictures], training=True)
    np.testing.assert_allclose(alone[0], together[0], rtol=1e-5)


def test_the_place_matters():
    model = whole(32, base_filters=4, num_layers=3)
    pictures = inputs(1)
    moved = [np.roll(part, 8, axis=1) for part in pictures]
    assert abs(float(model(pictures)[0, 0]) - float(model(moved)[0, 0])) > 1e-3
