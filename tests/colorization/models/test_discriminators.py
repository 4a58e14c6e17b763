"""The discriminators, against the published architectures."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from colorization.models.discriminators import features, patch, whole


@pytest.mark.parametrize(("num_layers", "side"), [(1, 16), (2, 34), (3, 70), (4, 142)])
def test_receptive_field(num_layers, side):
    model = patch(base_filters=2, num_layers=num_layers)
    pictures = [tf.random.normal((1, 224, 224, channels)) for channels in (1, 2)]
    with tf.GradientTape() as tape:
        tape.watch(pictures)
        logits = model(pictures, training=False)
        middle = logits.shape[1] // 2
        logit = logits[0, middle, middle, 0]
    for gradient in tape.gradient(logit, pictures):
        seen = np.abs(gradient).sum(axis=(0, -1)) > 0
        rows, columns = np.flatnonzero(seen.any(axis=1)), np.flatnonzero(seen.any(axis=0))
        assert np.ptp(rows) + 1 == np.ptp(columns) + 1 == side
        assert seen[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()


def test_a_change_outside_the_patch_goes_unseen():
    model = patch(base_filters=2)
    pictures = [np.random.default_rng(0).normal(size=(1, 128, 128, c)) for c in (1, 2)]
    pictures = [picture.astype(np.float32) for picture in pictures]
    before = model(pictures, training=False)
    pictures[1][0, 70:, 70:] += 1
    after = model(pictures, training=False)
    changed = np.flatnonzero(np.abs(after - before)[0].max(axis=(1, 2)))
    # Logit i begins at pixel 8 i - 23 and sees 70.
    assert changed[0] == next(i for i in range(14) if 8 * i - 23 + 69 >= 70)


def test_size_of_the_published_code():
    widths = [3, 64, 128, 256, 512, 1]
    expected = sum(16 * a * b for a, b in zip(widths, widths[1:], strict=False))
    expected += 64 + 1 + 2 * (128 + 256 + 512)  # Biases where there is no batch norm.
    model = patch()
    assert sum(int(np.prod(w.shape)) for w in model.trainable_weights) == expected == 2_765_633


@pytest.mark.parametrize(("size", "logits"), [(256, 30), (128, 14), (64, 6)])
def test_logits_of_a_picture(size, logits):
    model = patch(base_filters=2)
    shape = model([np.zeros((1, size, size, c), np.float32) for c in (1, 2)]).shape
    assert shape == (1, logits, logits, 1)


def test_width_stops_at_eight_times():
    kernels = [w.shape for w in patch(base_filters=4, num_layers=5).weights if w.name == "kernel"]
    assert [shape[-1] for shape in kernels] == [4, 8, 16, 32, 32, 32, 1]


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


def maps(batch=2, side=8, channels=(3, 5, 7)):
    random = np.random.default_rng(0)
    shapes = [(batch, side >> level, side >> level, count) for level, count in enumerate(channels)]
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def test_each_map_of_features_is_judged_by_itself_at_the_size_of_the_coarsest():
    model, seen = features((3, 5, 7), base_filters=4), maps()
    before = model(seen).numpy()
    assert before.shape == (2, 2, 2, 3)
    for level in range(3):
        other = [part + (index == level) * part**2 for index, part in enumerate(seen)]
        changed = np.abs(model(other) - before).max(axis=(0, 1, 2)) > 0
        assert changed.tolist() == [index == level for index in range(3)]


def test_features_are_judged_whatever_their_scale():
    model = features((3, 5, 7), base_filters=4)
    loud, louder = ([scale * part for part in maps()] for scale in (1e3, 1e4))
    np.testing.assert_allclose(model(louder), model(loud), rtol=1e-3, atol=1e-3)
