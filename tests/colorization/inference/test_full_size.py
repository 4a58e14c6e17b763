"""Full size by NumPy and OpenCV, against the exported graph's own operations."""

import concurrent.futures

import numpy as np
import pytest
import skimage.data
import tensorflow as tf

from colorization.inference import full_size, graph, graph_steps, sight
from pipelines.color import arrays, spaces

RNG = np.random.default_rng(0)


def photos():
    noise = RNG.integers(0, 256, (61, 83, 3), dtype=np.uint8)
    astronaut = skimage.data.astronaut()[::3, ::4]
    ramp = np.arange(256, dtype=np.uint8).reshape(8, 32)
    eight = [noise, astronaut, np.stack([ramp] * 3, -1), noise[:, :, :1].repeat(3, -1), noise[:1]]
    deep = RNG.integers(0, 65_536, (40, 50, 3)).astype(np.uint16)
    return [*eight, noise[:, :1], deep, deep[..., :1].repeat(3, -1), noise[:1, :1]]


def in_graph(rgb, coefficients, amount):
    """What the exported model does."""
    height, width = rgb.shape[:2]
    lightness = spaces.rgb_to_lightness(rgb[None])
    local = graph_steps.enlarge_rows(coefficients[None], 0, height, height, width)
    ab = graph_steps.apply(lightness, local) * amount
    return graph._to_rgb(tf.concat([lightness, ab], axis=-1), tf.as_dtype(rgb.dtype))[0].numpy()


@pytest.mark.parametrize("rgb", photos(), ids=lambda rgb: f"{rgb.dtype}{rgb.shape}")
@pytest.mark.parametrize("strength", [5, 40, 200])
def test_colors_are_those_of_the_graph_to_a_level(rgb, strength, monkeypatch):
    monkeypatch.setattr(full_size, "_STRIP_PIXELS", 500)
    coefficients = RNG.normal(0, 1, (16, 32, 4)).astype(np.float32)
    coefficients *= np.array([0.1, 0.1, strength, strength], np.float32)
    mask = RNG.random(rgb.shape[:2], np.float32)
    for saturation, given in ((1.0, None), (2.0, None), (0.7, mask)):
        found = full_size.apply(rgb, coefficients, saturation, given)
        amount = np.float32(saturation)
        if given is not None:
            amount = amount * given[None, ..., None]
        expected = in_graph(rgb, coefficients, amount)
        assert found.dtype == rgb.dtype
        # Of sixteen bits, colors this strong leave a few to rounding.
        levels = 1 if rgb.dtype == np.uint8 else 16
        assert np.abs(found.astype(int) - expected).max() <= levels


@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_a_gray_photo_without_color_is_left_as_it_is(depth):
    levels = np.arange(np.iinfo(depth).max + 1).astype(depth).reshape(16, -1, 1).repeat(3, -1)
    nothing = np.zeros((4, 4, 4), np.float32)
    difference = full_size.apply(levels, nothing).astype(int) - levels
    # The published white point is rounded, which parts the channels of sixteen bits by a little.
    assert np.abs(difference).max() <= (0 if depth == np.uint8 else 3)


def test_lightness_is_kept_under_strong_colors():
    gray = np.arange(256, dtype=np.uint8).reshape(16, 16, 1).repeat(3, -1)
    coefficients = np.full((4, 4, 4), [0, 0, 90, -70], np.float32)
    colored = full_size.apply(gray, coefficients)
    kept = arrays.rgb_to_lightness(colored / 255) - arrays.rgb_to_lightness(gray / 255)
    # Half a level of one channel.
    assert np.abs(kept).max() < 0.35


def test_threads_and_strips_change_nothing(monkeypatch):
    rgb = RNG.integers(0, 256, (300, 400, 3), dtype=np.uint8)
    coefficients = RNG.normal(0, 9, (16, 32, 4)).astype(np.float32)
    with concurrent.futures.ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(lambda _: full_size.apply(rgb, coefficients), range(3))
    monkeypatch.setattr(full_size, "_STRIP_PIXELS", 10**9)
    for other in (*others, full_size.apply(rgb, coefficients)):
        np.testing.assert_array_equal(other, first)


@pytest.mark.parametrize("rgb", photos(), ids=lambda rgb: f"{rgb.dtype}{rgb.shape}")
def test_the_network_sees_what_the_graph_shows_it(rgb):
    for shape in ((16, 32), (64, 48), (80, 96)):
        found = sight.lightness(rgb, shape)
        small = tf.image.resize(rgb[None], shape, "lanczos3", antialias=True)
        levels = np.clip(small / np.iinfo(rgb.dtype).max, 0, 1)
        expected = spaces.rgb_to_lightness(tf.constant(levels, tf.float32))
        assert found.dtype == np.float32 and found.shape == (1, *shape, 1)
        np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.parametrize("size", [(8, 12), (32, 48), (7, 10)])
def test_fits_are_those_of_the_graph(size):
    lightness = RNG.uniform(0, 100, (1, 32, 48, 1)).astype(np.float32)
    ab = RNG.normal(0, 40, (3, *size, 2)).astype(np.float32)
    found = full_size.fit(lightness, ab)
    expected = graph_steps.fit(lightness.repeat(3, 0), ab)
    np.testing.assert_allclose(found, expected, atol=5e-3)


@pytest.mark.parametrize("values", ["linear", "lab"])
def test_arrays_are_converted_as_tensors_are(values):
    rgb = RNG.random((500, 3)).astype(np.float32)
    if values == "linear":
        found = arrays.srgb_to_linear(rgb)
        np.testing.assert_allclose(found, spaces.srgb_to_linear(rgb), atol=1e-6)
        np.testing.assert_allclose(arrays.linear_to_srgb(found), rgb, atol=1e-6)
    else:
        lab = spaces.rgb_to_lab(rgb)
        np.testing.assert_allclose(arrays.rgb_to_lab(rgb), lab, atol=1e-3)
        np.testing.assert_allclose(arrays.rgb_to_lightness(rgb), lab[:, :1], atol=1e-4)
