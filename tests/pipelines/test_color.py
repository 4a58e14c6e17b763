"""Color conversion against published values, scikit-image, tensorflow-io, and its own laws."""

import colorsys
import warnings

import numpy as np
import pytest
import skimage.color
import tensorflow as tf

from pipelines import color

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
    np.testing.assert_allclose(color.rgb_to_lab(np.float32(rgb)), lab, atol=0.01)
    np.testing.assert_allclose(color.rgb_to_lab(np.uint8(rgb) * 255), lab, atol=0.01)


def test_documented_ranges():
    ramp = np.arange(0, 256, 15, dtype=np.uint8)
    cube = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1)
    lab = color.rgb_to_lab(cube).numpy().reshape(-1, 3)
    np.testing.assert_allclose(lab.min(axis=0), [0, -86.2, -107.9], atol=0.05)
    np.testing.assert_allclose(lab.max(axis=0), [100, 98.25, 94.5], atol=0.05)


def test_scikit_image_agrees(rgb):
    lab = color.rgb_to_lab(rgb)
    np.testing.assert_allclose(lab, skimage.color.rgb2lab(rgb), atol=2e-3)
    np.testing.assert_allclose(color.lab_to_rgb(lab), skimage.color.lab2rgb(lab), atol=1e-4)


def test_tensorflow_io_agrees(rgb):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its native libraries, not needed here, may not load.
        import tensorflow_io as tfio

        expected = tfio.experimental.color.rgb_to_lab(rgb)
    np.testing.assert_allclose(color.rgb_to_lab(rgb), expected, atol=2e-3)


def test_luma_agrees_with_the_standard_library(rgb):
    expected = [colorsys.rgb_to_yiq(*pixel)[0] for pixel in rgb[0, 0]]
    # The standard library rounds the weights of BT.601 to two digits.
    np.testing.assert_allclose(color.rgb_to_luma(rgb)[0, 0, :, 0], expected, atol=0.01)
    np.testing.assert_allclose(color.rgb_to_luma(np.eye(3, dtype=np.float32))[:, 0], color.LUMA)


def test_round_trips(rgb):
    np.testing.assert_allclose(color.lab_to_rgb(color.rgb_to_lab(rgb)), rgb, atol=2e-5)
    np.testing.assert_allclose(color.linear_to_srgb(color.srgb_to_linear(rgb)), rgb, atol=1e-6)
    np.testing.assert_allclose(color.lab_to_rgb(color.rgb_to_lab(CORNERS)), CORNERS, atol=2e-5)


def test_eight_bits_survive_the_round_trip(levels):
    restored = color.lab_to_rgb(color.rgb_to_lab(levels)).numpy()
    np.testing.assert_array_equal(np.round(restored * 255), levels)


@pytest.mark.parametrize("convert", [color.rgb_to_lab, color.rgb_to_luma, color.srgb_to_linear])
def test_uint8_equals_float(convert, levels):
    expected = convert(np.float32(levels) / 255)
    np.testing.assert_allclose(convert(levels), expected, atol=2e-4, rtol=1e-5)


def test_gray_has_no_chroma():
    gray = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=-1)
    assert np.abs(color.rgb_to_lab(gray)[:, 1:]).max() < 0.02


@pytest.mark.parametrize(
    "convert", [color.rgb_to_lab, color.lab_to_rgb, color.lab_to_linear, color.rgb_to_luma]
)
def test_gradients_are_finite(convert):
    values = tf.constant(np.concatenate([CORNERS, np.full((1, 3), 0.04045, np.float32)]))
    if convert in (color.lab_to_rgb, color.lab_to_linear):
        values = color.rgb_to_lab(values)
    with tf.GradientTape() as tape:
        tape.watch(values)
        result = convert(values)
    gradient = tape.gradient(result, values).numpy()
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max(axis=-1).min() > 0


def as_lab(rgb):
    return color.rgb_to_lab(rgb)


def there_and_back(rgb):
    return color.lab_to_rgb(color.rgb_to_lab(rgb))


def reduced(rgb):
    return color.reduce_chroma_to_gamut(color.rgb_to_lab(rgb) * [1.0, 1.5, 1.5])


@pytest.mark.parametrize(
    ("convert", "kind"),
    [
        (as_lab, "rgb"),
        (as_lab, "levels"),
        (there_and_back, "rgb"),
        (reduced, "rgb"),
        (color.rgb_to_luma, "rgb"),
        (color.rgb_to_luma, "levels"),
    ],
)
def test_runs_the_same_everywhere(convert, kind, request):
    pictures = request.getfixturevalue(kind)
    eager = convert(pictures).numpy()
    one_by_one = np.stack([convert(picture) for picture in pictures])
    compiled = tf.function(convert, jit_compile=True)(pictures)
    mapped = tf.data.Dataset.from_tensor_slices(pictures).map(convert)
    # The gamut search answers in steps of chroma, and rounding may move a pixel by one of them.
    tolerance = 0.2 if convert is reduced else 2e-4
    for other in (one_by_one, compiled, np.stack(list(mapped.as_numpy_iterator()))):
        np.testing.assert_allclose(other, eager, atol=tolerance)
    assert mapped.element_spec.shape == pictures.shape[1:3] + eager.shape[3:]


def test_unknown_sizes_keep_their_channels():
    spec = tf.TensorSpec((None, None, None, 3))
    function = tf.function(as_lab, input_signature=[spec]).get_concrete_function()
    assert function.structured_outputs.shape.as_list() == [None, None, None, 3]


class TestReduceChromaToGamut:
    def test_outside(self):
        random = np.random.default_rng(2)
        lab = random.uniform([5, -128, -128], [95, 128, 128], (500, 3)).astype(np.float32)
        result = color.reduce_chroma_to_gamut(lab).numpy()
        np.testing.assert_array_equal(result[:, 0], lab[:, 0])
        chroma = np.hypot(*result[:, 1:].T)
        outside = (chroma < np.hypot(*lab[:, 1:].T)) & (chroma > 1)
        assert outside.sum() > 200
        hue, expected = (np.arctan2(x[outside, 2], x[outside, 1]) for x in (result, lab))
        np.testing.assert_allclose(hue, expected, atol=1e-4)
        rgb = color.lab_to_rgb(result).numpy()
        # A slope of 12.92 carries the tolerance of 1e-4 of light near black into sRGB.
        assert rgb.min() > -2e-3 and rgb.max() < 1 + 1e-3

    def test_stops_at_the_edge(self):
        lab = color.rgb_to_lab(CORNERS[CORNERS.sum(axis=-1) == 1])
        result = color.reduce_chroma_to_gamut(lab * [1.0, 1.5, 1.5])
        np.testing.assert_allclose(result, lab, atol=0.3)

    def test_inside_is_untouched(self, rgb):
        for lab in (color.rgb_to_lab(rgb), color.rgb_to_lab(CORNERS)):
            np.testing.assert_array_equal(color.reduce_chroma_to_gamut(lab), lab)

    def test_num_steps_refines(self):
        lab = np.float32([50, 120, 0])
        coarse, fine = (color.reduce_chroma_to_gamut(lab, steps)[1] for steps in (3, 12))
        assert 0 <= fine - coarse <= 120 / 2**3


@pytest.mark.parametrize(
    "convert",
    [color.rgb_to_lab, color.rgb_to_luma, color.lab_to_rgb, color.reduce_chroma_to_gamut],
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
        color.lab_to_rgb(np.zeros((4, 4, 3), np.uint8))
