"""Runs side by side: what of a network is measured, and how two are held against each other."""

import keras
import numpy as np
import pytest

from colorization.evaluation import EvaluationError, features, runs
from colorization.models.colornet import colornet
from colorization.models.layers import generate
from pipelines.color import codecs, spaces

MEANS = features.Features(
    "squeezenet",
    {},
    lambda rgb: rgb.mean(axis=(0, 1), dtype=np.float32),
    lambda one, other: float(np.abs(one.mean((0, 1)) - other.mean((0, 1))).sum()),
)


@pytest.fixture(scope="module")
def pictures():
    small = np.random.default_rng(0).uniform(0.1, 0.9, (14, 3, 3, 3))
    return (keras.ops.image.resize(small, (48, 48)).numpy() * 255).astype(np.uint8)


def paint(*values):
    """A generator that gives the same values everywhere."""
    inputs = keras.Input((None, None, 1))
    bias = keras.initializers.Constant(0)
    layer = keras.layers.Conv2D(len(values), 1, kernel_initializer="zeros", bias_initializer=bias)
    made = keras.Model(inputs, layer(inputs))
    layer.bias.assign(values)
    return made


def outcome(network, pictures, codec="lab", digest="pictures", num_variants=3):
    return runs.measure_run(network, codecs.CODECS[codec], pictures, digest, [MEANS], num_variants)


@pytest.mark.parametrize("codec", ["lab", "gray_ab"])
def test_chroma_is_put_on_the_lightness_of_the_picture(codec, pictures):
    colored = runs.color_pictures(paint(0.02, 0.01), codecs.CODECS[codec], pictures)
    made, own = (spaces.rgb_to_lab(rgb).numpy()[..., 0] for rgb in (colored, pictures))
    assert np.abs(made - own).max() < 1


def test_rgb_keeps_the_lightness_that_was_predicted(pictures):
    colored = runs.color_pictures(paint(0.2, 0.2, 0.2), codecs.CODECS["lightness_rgb"], pictures)
    assert (colored == 153).all()


def test_a_sheet_has_rows_of_gray_colored_and_truth(pictures):
    sheet = runs.sheet(pictures[:5], pictures[:5] // 2, pictures[:5] // 4)
    assert sheet.shape == (4 * 48, 5 * 48, 3)
    assert np.ptp(sheet[:48].astype(int), axis=-1).max() <= 1
    for column in range(5):
        across = slice(48 * column, 48 * (column + 1))
        np.testing.assert_array_equal(sheet[48:96, across], pictures[column] // 2)
        np.testing.assert_array_equal(sheet[144:, across], pictures[column])


@pytest.mark.slow
def test_the_difference_of_a_run_and_itself_is_nothing(pictures):
    one = outcome(paint(0.1, 0.0), pictures)
    for value in runs.difference([one], [one]).values():
        np.testing.assert_array_equal([value.value, value.low, value.high], 0)


@pytest.mark.slow
def test_a_difference_is_that_of_the_means_and_turns_its_sign_with_the_sides(pictures):
    one, other = outcome(paint(0.1, 0.0), pictures), outcome(paint(-0.1, 0.2), pictures)
    forth, back = runs.difference([one], [other]), runs.difference([other], [one])
    assert {"psnr", "ssim", "colorfulness", "red-error", "blue-error"} <= forth.keys()
    for name, value in forth.items():
        expected = other.figures[name].value - one.figures[name].value
        assert value.value == pytest.approx(expected, abs=1e-5)
        assert value.low <= value.value <= value.high
        assert back[name].value == pytest.approx(-expected, abs=1e-5)


@pytest.mark.slow
def test_seeds_are_averaged(pictures):
    one, other = outcome(paint(0.1, 0.0), pictures), outcome(paint(-0.1, 0.2), pictures)
    both = runs.difference([one, other], [one])["psnr"].value
    expected = (one.figures["psnr"].value - other.figures["psnr"].value) / 2
    assert both == pytest.approx(expected, abs=1e-6)


def test_runs_of_other_pictures_are_not_compared(pictures):
    one, other = (outcome(paint(0.1, 0.0), pictures, digest=name) for name in "ab")
    with pytest.raises(EvaluationError, match="measured on different pictures"):
        runs.difference([one], [other])


def test_red_is_farther_from_blue_than_from_red(pictures):
    red, blue = outcome(paint(0.5, 0.3), pictures), outcome(paint(0.1, -0.5), pictures)
    assert red.figures["red-error"].value < blue.figures["red-error"].value
    assert red.figures["blue-error"].value > blue.figures["blue-error"].value


@pytest.mark.slow
def test_variants_differ_by_noise_alone(pictures):
    network = colornet(2, 4, noise_size=6)
    found = outcome(network, pictures[:4], "lab_128")
    assert found.figures["squeezenet-diversity"].value > 0
    # In gray, three variants, the truth.
    assert found.sheet.shape == (5 * 48, 4 * 48, 3)
    plain = outcome(paint(0.1, 0.0), pictures[:4])
    assert "squeezenet-diversity" not in plain.figures


@pytest.mark.slow
def test_noise_reaches_the_picture_that_it_was_drawn_for(pictures):
    network, codec = colornet(2, 4, noise_size=6), codecs.CODECS["lab_128"]
    draws = np.random.default_rng(0).standard_normal((14, 6), np.float32)
    colored = runs.color_pictures(network, codec, pictures, draws)
    condition, _ = codec.encode(keras.ops.convert_to_tensor(pictures))
    prediction = generate(network, condition, keras.ops.convert_to_tensor(draws))
    rgb = codec.decode(condition, prediction)
    np.testing.assert_allclose(colored, np.asarray(rgb) * 255, atol=2)
