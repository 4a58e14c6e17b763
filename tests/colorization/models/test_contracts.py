"""What every network keeps to, whatever its architecture."""

import keras
import numpy as np
import pytest

from colorization.models.chroma import chroma
from colorization.models.colornet import colornet
from colorization.models.discriminators import patch
from colorization.models.efficientnet_lite import FixedNormalization
from colorization.models.encoder_decoder import encoder_decoder
from colorization.models.pretrained_unet import pretrained_unet
from colorization.models.residual import residual
from colorization.models.unet import unet

# Name: (small build, channels of the inputs, shape of the output for 32x64 pixels).
MODELS = {
    "unet": (lambda: unet(2, depth=3, base_filters=4), [1], (32, 64, 2)),
    "colornet": (lambda: colornet(2, base_filters=4, depth=2), [1], (32, 64, 2)),
    "colornet_mended": (
        lambda: colornet(
            3, 4, depth=2, downsampling="strided", upsampling="resize", leaky_slope=0.2
        ),
        [1],
        (32, 64, 3),
    ),
    "encoder_decoder": (lambda: encoder_decoder(3, base_filters=4), [1], (32, 64, 3)),
    "pretrained_unet": (lambda: pretrained_unet(2, base_filters=4), [1], (32, 64, 2)),
    "patch": (lambda: patch(base_filters=4), [1, 2], (2, 6, 1)),
    "chroma": (lambda: chroma(5, widths=(8, 8, 8, 8)), [4], (8, 16, 5)),
    "residual": (
        lambda: residual(5, base_filters=4, num_blocks=(1, 1, 1, 2)),
        [1],
        (8, 16, 5),
    ),
}


# The large ones, whose encoders are of their published size, and those of many layers.
SLOW = {"pretrained_unet", "chroma", "colornet_mended", "encoder_decoder", "residual"}
NAMES = [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in MODELS]


@pytest.fixture(params=NAMES, scope="module")
def name(request):
    return request.param


@pytest.fixture(scope="module")
def built(name):
    """A small model, and the weights that seed 1 gave it."""
    keras.utils.set_random_seed(1)
    model = MODELS[name][0]()
    return model, model.get_weights()


@pytest.fixture(scope="module")
def case(name, built):
    """The model when its every weight matters, its inputs, and the shape it should return."""
    _, channels, shape = MODELS[name]
    model, _ = built
    random = np.random.default_rng(0)
    for weight in model.weights:
        noise = random.normal(0, 0.1, weight.shape)
        weight.assign(np.abs(1 + noise) if "variance" in weight.name else weight + noise)
    inputs = [random.uniform(-1, 1, (2, 32, 64, count)).astype(np.float32) for count in channels]
    for condition in inputs:
        # The last of four channels says where hints are.
        condition[..., 3:4] = condition[..., 3:4] > 0.8
    return model, inputs if len(inputs) > 1 else inputs[0], shape


def predict(model, inputs):
    return keras.ops.convert_to_numpy(model(inputs, training=False))


def test_shape_and_dtype(case):
    model, inputs, shape = case
    output = predict(model, inputs)
    assert output.shape == (2, *shape)
    assert output.dtype == np.float32
    assert np.isfinite(output).all() and output.std() > 0
    assert model.output_shape == (None, None, None, shape[-1])


@pytest.mark.slow
def test_save_and_reload(case, tmp_path):
    model, inputs, _ = case
    model.save(tmp_path / "model.keras")
    reloaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(predict(reloaded, inputs), predict(model, inputs))
    assert reloaded.name == model.name


def test_batch_of_two_is_two_batches_of_one(case):
    model, inputs, _ = case
    together = predict(model, inputs)
    for i in range(2):
        one = keras.tree.map_structure(lambda part, i=i: part[i : i + 1], inputs)
        np.testing.assert_allclose(predict(model, one)[0], together[i], rtol=1e-4, atol=1e-5)


def test_normalization_spans_replicas(case):
    model, _, _ = case
    layers = model._flatten_layers()
    norms = [layer for layer in layers if isinstance(layer, keras.layers.BatchNormalization)]
    # Statistics that stay need not be gathered.
    moving = [layer for layer in norms if not isinstance(layer, FixedNormalization)]
    assert norms and all(layer.synchronized for layer in moving)


@pytest.mark.slow
def test_training_moves_every_weight(case):
    model, inputs, shape = case
    before = model.get_weights()
    old = {weight.path: weight.numpy() for weight in model.trainable_weights}
    # Adam moves whatever has a gradient, small ones too. Tracing takes longer than the two steps.
    model.compile("adam", "mse", run_eagerly=True)
    # Twice, since weights behind a scale that starts at zero wait for it.
    model.fit(inputs, np.ones((2, *shape), np.float32), epochs=2, verbose=0)
    still = [w.path for w in model.trainable_weights if np.all(w.numpy() == old[w.path])]
    model.set_weights(before)
    # Shifts that a linear layer takes to the next batch norm, which takes them back.
    assert not [path for path in still if "_project_BN/beta" not in path]


def test_mixed_precision_returns_float32(name):
    build, channels, shape = MODELS[name]
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = build()
    finally:
        keras.config.set_dtype_policy(policy)
    inputs = [np.zeros((1, 32, 64, count), np.float32) for count in channels]
    output = model(inputs if len(inputs) > 1 else inputs[0])
    assert output.dtype == "float32"
    assert output.shape == (1, *shape)
    halves = {layer.compute_dtype for layer in model.layers}
    assert halves == {"bfloat16", "float32"}


def test_the_global_seed_decides_the_weights(name, built):
    builds = [built[1]]
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        builds.append(MODELS[name][0]().get_weights())
    for first, again in zip(*builds[:2], strict=True):
        np.testing.assert_array_equal(first, again)
    assert any(np.any(a != b) for a, b in zip(builds[0], builds[2], strict=True))
