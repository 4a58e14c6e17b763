"""Color conversion against published values, scikit-image, tensorflow-io, and its own laws."""

import colorsys
import warnings

import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from pipelines.color import spaces

PRIMARIES = {
    (1, 0, 0): (53.24, 80.09, 67.20),
    (0, 1, 0): (87.73, -86.18, 83.18),
    (0, 0, 1): (32.30, 79.19, -107.86),
    (0, 0, 0): (0, 0, 0),
    (1, 1, 1): (100, 0, 0),
}
CORNERS = np.stack(np.meshgrid([0, 1], [0, 1], [0, 1]), axis=-1).reshape(-1, 3).astype(np.float32)


@pytest.fixture(scope="module")
def rgb():
    return np.random.default_rng(0).random((2, 16, 12, 3), np.float32)


@pytest.fixture(scope="module")
def levels():
    return np.random.default_rng(1).integers(0, 256, (2, 16, 12, 3), np.uint8)


@pytest.mark.parametrize(("rgb", "lab"), PRIMARIES.items())
def test_published_values(rgb, lab):
    np.testing.assert_allclose(spaces.rgb_to_lab(np.float32(rgb)), lab, atol=0.01)
    np.testing.assert_allclose(spaces.rgb_to_lab(np.uint8(rgb) * 255), lab, atol=0.01)


def test_documented_ranges():
    ramp = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1)
    lab = spaces.rgb_to_lab(cube).numpy().reshape(-1, 3)
    np.testing.assert_allclose(lab.min(axis=0), [0, -86.2, -107.9], atol=0.05)
    np.testing.assert_allclose(lab.max(axis=0), [100, 98.25, 94.5], atol=0.05)


def test_scikit_image_agrees(rgb):
    lab = spaces.rgb_to_lab(rgb)
    np.testing.assert_allclose(lab, skimage.color.rgb2lab(rgb), atol=2e-3)
    np.testing.assert_allclose(spaces.lab_to_rgb(lab), skimage.color.lab2rgb(lab), atol=1e-4)


def test_tensorflow_io_agrees(rgb):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its native libraries, not needed here, may not load.
        # It has no wheel beyond Python 3.12.
        tfio = pytest.importorskip("tensorflow_io")
        expected = tfio.experimental.color.rgb_to_lab(rgb)
    np.testing.assert_allclose(spaces.rgb_to_lab(rgb), expected, atol=2e-3)


def test_scikit_image_agrees_on_both_sides_of_the_knees():
    dark = np.linspace(0, 0.15, 301, dtype=np.float32)
    rgb = np.stack(np.meshgrid(dark, [0, 0.03, 0.1], [0, 0.05], indexing="ij"), -1).astype("f4")
    lab, expected = spaces.rgb_to_lab(rgb).numpy(), skimage.color.rgb2lab(rgb.astype(np.float64))
    np.testing.assert_allclose(lab, expected, atol=2e-3)
    np.testing.assert_allclose(spaces.lab_to_rgb(lab), rgb, atol=1e-5)


def test_lightness_is_the_first_of_lab(rgb, levels):
    for pictures in (rgb, levels, CORNERS):
        expected = spaces.rgb_to_lab(pictures)[..., :1]
        np.testing.assert_allclose(spaces.rgb_to_lightness(pictures), expected, atol=1e-4)


def test_luma_agrees_with_the_standard_library(rgb):
    expected = [colorsys.rgb_to_yiq(*pixel)[0] for pixel in rgb[0, 0]]
    # The standard library rounds the weights of BT.601 to two digits.
    np.testing.assert_allclose(spaces.rgb_to_luma(rgb)[0, 0, :, 0], expected, atol=0.01)
    np.testing.assert_allclose(spaces.rgb_to_luma(np.eye(3, dtype=np.float32))[:, 0], spaces.LUMA)


def test_round_trips(rgb):
    np.testing.assert_allclose(spaces.lab_to_rgb(spaces.rgb_to_lab(rgb)), rgb, atol=2e-5)
    np.testing.assert_allclose(spaces.linear_to_srgb(spaces.srgb_to_linear(rgb)), rgb, atol=1e-6)
    np.testing.assert_allclose(spaces.lab_to_rgb(spaces.rgb_to_lab(CORNERS)), CORNERS, atol=2e-5)


def test_eight_bits_survive_the_round_trip(levels):
    restored = spaces.lab_to_rgb(spaces.rgb_to_lab(levels)).numpy()
    np.testing.assert_array_equal(np.round(restored * 255), levels)


@pytest.mark.parametrize("most", [255, 65535])
@pytest.mark.parametrize(
    "convert",
    [spaces.rgb_to_lab, spaces.rgb_to_lightness, spaces.rgb_to_luma, spaces.srgb_to_linear],
)
def test_integers_equal_floats(convert, most):
    levels = np.random.default_rng(1).integers(
        0, most + 1, (2, 16, 12, 3), np.min_scalar_type(most)
    )
    expected = convert(np.float32(levels / most))
    np.testing.assert_allclose(convert(levels), expected, atol=2e-4, rtol=1e-5)


def test_gray_has_no_chroma():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=-1)
    assert np.abs(spaces.rgb_to_lab(gray)[:, 1:]).max() < 0.02


@pytest.mark.parametrize(
    "convert",
    [
        spaces.rgb_to_lab,
        spaces.rgb_to_lightness,
        spaces.lab_to_rgb,
        spaces.lab_to_linear,
        spaces.rgb_to_luma,
    ],
)
def test_gradients_are_finite(convert):
    values = tf.constant(np.concatenate([CORNERS, np.full((1, 3), 0.04045, np.float32)]))
    if convert in (spaces.lab_to_rgb, spaces.lab_to_linear):
        values = spaces.rgb_to_lab(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = convert(values)
    gradient = tape.gradient(result, values).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max(axis=-1).min() > 0


def test_gradients_are_the_slopes_of_scikit_image(rgb):
    values = np.concatenate([rgb[0, 0], rgb[0, 1] / 20])
    with tf.GradientTape() as tape:
        colors = tf.constant(values)
        tape.watch(colors)
        total = tf.reduce_sum(spaces.rgb_to_lab(colors))
    found = tape.gradient(total, colors)
    for channel, step in enumerate(1e-6 * np.eye(3)):
        above, below = (skimage.color.rgb2lab(values + side) for side in (step, -step))
        expected = (above - below).sum(axis=-1) / 2e-6
        np.testing.assert_allclose(found[:, channel], expected, rtol=1e-3, atol=0.02)


def as_lab(rgb):
    return spaces.rgb_to_lab(rgb)


def there_and_back(rgb):
    return spaces.lab_to_rgb(spaces.rgb_to_lab(rgb))


def reduced(rgb):
    lab = spaces.rgb_to_lab(rgb) * [1.0, 1.5, 1.5]
    return spaces.reduce_chroma_to_gamut(spaces.lab_to_linear(lab))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (as_lab, "rgb"),
        (as_lab, "levels"),
        (there_and_back, "rgb"),
        (spaces.rgb_to_lightness, "rgb"),
        (spaces.rgb_to_lightness, "levels"),
        (reduced, "rgb"),
        (spaces.rgb_to_luma, "rgb"),
        (spaces.rgb_to_luma, "levels"),
    ],
)
def test_runs_the_same_everywhere(convert, kind, request):
    pictures = request.getfixturevalue(kind)
    eager = convert(pictures).numpy()
    one_by_one = np.stack([convert(picture) for picture in pictures])
    compiled = tf.function(convert, jit_compile=True)(pictures)
    mapped = tf.data.Dataset.from_tensor_slices(pictures).map(convert)
    for other in (one_by_one, compiled, np.stack(list(mapped.as_numpy_iterator()))):
        np.testing.assert_allclose(other, eager, atol=2e-4)
    assert mapped.element_spec.shape == pictures.shape[1:3] + eager.shape[3:]


def test_unknown_sizes_keep_their_channels():
    spec = tf.TensorSpec((None, None, None, 3))
    function = tf.function(as_lab, input_signature=[spec]).get_concrete_function()
    assert function.structured_outputs.shape.as_list() == [None, None, None, 3]


class TestReduceChromaToGamut:
    def test_outside(self):
        random = np.random.default_rng(2)
        lab = random.uniform([5, -128, -128], [95, 128, 128], (500, 3)).astype(np.float32)
        linear = spaces.lab_to_linear(lab).numpy()
        result = spaces.reduce_chroma_to_gamut(linear).numpy()
        assert result.min() > -2e-4 and result.max() < 1 + 2e-4
        moved = np.abs(result - linear).min(axis=-1) > 1e-3
        assert moved.sum() > 200
        # skimage's L* of what came out is the L* that went in; 1e-4 of light is 0.09 near black.
        rgb = spaces.linear_to_srgb(np.clip(result, 0, 1))
        np.testing.assert_allclose(skimage.color.rgb2lab(rgb)[:, 0], lab[:, 0], atol=0.1)
        # All three channels keep the same share of their way from gray.
        gray = (spaces.RGB_TO_XYZ[1] * linear).sum(axis=-1, keepdims=True)
        shares = (result - gray)[moved] / (linear - gray)[moved]
        np.testing.assert_allclose(shares, shares[:, :1].repeat(3, axis=1), rtol=1e-2, atol=1e-3)
        assert 0 < shares.min() and shares.max() < 1

    def test_stops_at_the_edge(self):
        linear = spaces.lab_to_linear(np.float32([[50, 120, 0], [50, 0, -128], [90, -80, 80]]))
        result = spaces.reduce_chroma_to_gamut(linear).numpy()
        edge = np.minimum(result.min(axis=-1), 1 - result.max(axis=-1))
        np.testing.assert_allclose(edge, 0, atol=2e-4)

    def test_inside_is_untouched(self, rgb):
        for picture in (rgb, CORNERS):
            linear = spaces.srgb_to_linear(picture)
            kept = spaces.reduce_chroma_to_gamut(linear)
            np.testing.assert_allclose(kept, linear, atol=1e-6)


@pytest.mark.parametrize(
    "convert",
    [
        spaces.rgb_to_lab,
        spaces.rgb_to_lightness,
        spaces.rgb_to_luma,
        spaces.lab_to_rgb,
        spaces.reduce_chroma_to_gamut,
    ],
)
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (np.zeros((4, 4, 4), np.float32), "3 channels last. Received: shape=\\(4, 4, 4\\)"),
        (np.float32(0), "3 channels last"),
        (np.zeros((4, 4, 3), np.int32), "floats.*Received: dtype=int32"),
    ],
)
def test_errors(convert, value, message):
    with pytest.raises(ValueError, match=message):
        convert(value)


def test_lab_is_never_eight_bit():
    with pytest.raises(ValueError, match="Received: dtype=uint8"):
        spaces.lab_to_rgb(np.zeros((4, 4, 3), np.uint8))
