import numpy as np
import pytest
import scipy.ndimage
import tensorflow as tf

from colorization.inference import graph_steps

RNG = np.random.default_rng(0)


def noise(*shape, scale=100.0):
    return (RNG.random(shape) * scale).astype(np.float32)


def window_mean(plane, radius):
    """Mean over each window by its definition, pixel by pixel."""
    height, width = plane.shape
    mean = np.empty((height, width))
    for y in range(height):
        for x in range(width):
            rows = slice(max(0, y - radius), y + radius + 1)
            mean[y, x] = plane[rows, max(0, x - radius) : x + radius + 1].mean()
    return mean


def guided_slopes(guide, plane, radius, epsilon):
    """He et al. 2013, algorithm 1, in float64."""
    guide, plane = guide.astype(np.float64), plane.astype(np.float64)
    mean_guide, mean_plane = window_mean(guide, radius), window_mean(plane, radius)
    variance = window_mean(guide * guide, radius) - mean_guide**2
    covariance = window_mean(guide * plane, radius) - mean_guide * mean_plane
    return window_mean(covariance / (variance + epsilon), radius)


@pytest.mark.parametrize("shape", [(40, 31), (5, 60), (1, 1), (3, 2)])
def test_box_mean_is_scipys(shape):
    plane = noise(*shape)
    ours = graph_steps.box_mean(plane[None, ..., None], 8)[0, ..., 0]
    inside = scipy.ndimage.uniform_filter(np.ones(shape), 17, mode="constant")
    expected = scipy.ndimage.uniform_filter(plane.astype(float), 17, mode="constant") / inside
    np.testing.assert_allclose(ours, expected, rtol=1e-4)


def test_slopes_are_those_of_the_guided_filter_of_the_paper():
    lightness, ab = noise(2, 23, 30, 1), noise(2, 23, 30, 2) - 50
    ours = graph_steps.slopes(lightness, ab, radius=3, epsilon=20.0)
    for picture in range(2):
        for channel in range(2):
            expected = guided_slopes(lightness[picture, ..., 0], ab[picture, ..., channel], 3, 20.0)
            np.testing.assert_allclose(ours[picture, ..., channel], expected, atol=1e-3)


def joint_bilateral(lightness, plane):
    """Kopf et al. 2007 with a triangle for a spatial kernel, pixel by pixel, in float64."""
    (height, width), (rows, columns) = lightness.shape, plane.shape
    cells = tf.image.resize(lightness[..., None], (rows, columns), antialias=True)[..., 0].numpy()
    result = np.empty((height, width))
    for y, x in np.ndindex(height, width):
        row = np.clip((y + 0.5) * rows / height - 0.5, 0, rows - 1)
        column = np.clip((x + 0.5) * columns / width - 0.5, 0, columns - 1)
        down, across = np.indices((rows, columns)) - np.array([row, column])[:, None, None]
        near = np.maximum(1 - abs(down), 0) * np.maximum(1 - abs(across), 0)
        weights = near * (np.exp(-(((lightness[y, x] - cells) / 8) ** 2) / 2) + 1e-6)
        result[y, x] = (weights * plane).sum() / weights.sum()
    return result


@pytest.mark.parametrize("size", [(5, 6), (20, 24), (7, 9), (1, 1)])
def test_chroma_is_enlarged_as_by_a_joint_bilateral_filter(size):
    lightness, ab = noise(2, 20, 24, 1, scale=30.0), noise(2, *size, 2) - 50
    ours = graph_steps.enlarge_alike(lightness, ab)
    for picture in range(2):
        for channel in range(2):
            expected = joint_bilateral(lightness[picture, ..., 0], ab[picture, ..., channel])
            np.testing.assert_allclose(ours[picture, ..., channel], expected, atol=1e-2)


def test_coefficients_give_back_what_was_enlarged():
    lightness, ab = noise(2, 20, 28, 1), noise(2, 5, 7, 2) - 50
    coefficients = graph_steps.fit(lightness, ab)
    expected = graph_steps.enlarge_alike(lightness, ab)
    np.testing.assert_allclose(graph_steps.apply(lightness, coefficients), expected, atol=1e-3)


def bilateral_filter(lightness, ab, plane, reach):
    """Tomasi and Manduchi 1998 over lightness, texture and color, where it is flat, in float64."""
    height, width = plane.shape
    cells = [
        tf.image.resize(moment[..., None], (height, width), antialias=True)[..., 0].numpy()
        for moment in (lightness, lightness**2)
    ]
    texture = np.sqrt(np.maximum(window_mean(cells[1], 1) - window_mean(cells[0], 1) ** 2, 0))
    step = reach * min(height, width)
    place = np.indices((height, width)) / step
    looks = [cells[0] / 6.0, texture, *np.moveaxis(ab / 24, -1, 0), *place]
    looks = np.stack(looks, axis=-1).astype(np.float64)
    pairs = [np.s_[y : y + 2, x : x + 2] for y in range(0, height, 2) for x in range(0, width, 2)]
    others = np.array([looks[pair].mean(axis=(0, 1)) for pair in pairs])
    said = np.array([plane[pair].mean() for pair in pairs])
    weights = np.exp(-((looks[..., None, :] - others) ** 2).sum(axis=-1) / 2)
    averaged = (weights * said).sum(axis=-1) / weights.sum(axis=-1)
    return plane + (averaged - plane) * np.exp(-((texture / 5) ** 2))


@pytest.mark.parametrize("size", [(8, 12), (5, 7), (1, 1)])
def test_what_looks_alike_is_averaged_as_a_bilateral_filter_does(size):
    lightness = noise(2, 4 * size[0], 4 * size[1], 1, scale=20.0)
    ab, prediction = noise(2, *size, 2, scale=50.0), noise(2, *size, 3)
    ours = graph_steps.average_alike(lightness, ab, prediction, 0.3)
    for picture in range(2):
        for channel in range(3):
            plane = prediction[picture, ..., channel]
            expected = bilateral_filter(lightness[picture, ..., 0], ab[picture], plane, 0.3)
            np.testing.assert_allclose(ours[picture, ..., channel], expected, rtol=1e-3, atol=0.02)


def test_what_is_not_flat_stays_as_it_is():
    lightness = np.full((1, 64, 64, 1), 50, np.float32)
    lightness[:, :, 32:] += 90 * (np.indices((64, 32)).sum(axis=0) // 4 % 2)[..., None] - 45
    ab = noise(1, 16, 16, 2, scale=10.0)
    found = graph_steps.average_alike(lightness, ab, ab, 0.5).numpy()
    np.testing.assert_allclose(found[:, :, 10:], ab[:, :, 10:], atol=1e-3)
    assert found[:, :, :6].std() < ab[:, :, :6].std() / 3


def test_a_wall_becomes_even_and_its_neighbor_stays_another():
    lightness = np.full((1, 64, 64, 1), 30, np.float32)
    lightness[:, :, 32:] = 70
    ab = noise(1, 16, 16, 2, scale=10.0)
    ab[:, :, 8:] += 10
    even = graph_steps.average_alike(lightness, ab, ab, 0.5).numpy()
    # Two columns of cells on each side of the edge have its texture.
    for half, mean in ((np.s_[0, :, :6], 5), (np.s_[0, :, 10:], 15)):
        assert even[half].std() < ab[half].std() / 3
        assert abs(even[half].mean() - mean) < 1


def enlarged(lightness, coefficients):
    height, width = lightness.shape[1:3]
    rows = graph_steps.enlarge_rows(coefficients, 0, height, height, width)
    return graph_steps.apply(lightness, rows).numpy()


def test_constant_chroma_stays_constant():
    ab = np.broadcast_to(np.float32([30, -45]), (1, 20, 28, 2))
    coefficients = graph_steps.fit(noise(1, 20, 28, 1), ab)
    result = enlarged(noise(1, 83, 111, 1), coefficients)
    np.testing.assert_allclose(result, np.broadcast_to([30, -45], result.shape), atol=2e-2)


def test_edges_of_lightness_sharpen_chroma():
    bright = np.zeros((1, 256, 256, 1), np.float32)
    bright[:, :, 101:] = 1
    full_lightness, truth = 25 + 50 * bright, bright * np.float32([40, -30])
    lightness = tf.image.resize(full_lightness, (128, 128), antialias=True)
    quarter = tf.image.resize(truth, (32, 32), antialias=True)
    ours = enlarged(full_lightness, graph_steps.fit(lightness, quarter))
    bilinear = tf.image.resize(quarter, (256, 256)).numpy()

    def root_mean_square(error):
        return np.sqrt(np.mean(error[:, :, 91:111] ** 2))

    assert root_mean_square(ours - truth) < root_mean_square(bilinear - truth) / 2


def test_under_flat_lightness_chroma_is_enlarged_bilinearly():
    ab = noise(1, 10, 13, 2) - 50
    flat = np.full((1, 40, 52, 1), 60, np.float32)
    result = enlarged(np.full((1, 80, 104, 1), 60, np.float32), graph_steps.fit(flat, ab))
    expected = tf.image.resize(tf.image.resize(ab, (40, 52)), (80, 104))
    np.testing.assert_allclose(result, expected, atol=1e-2)


@pytest.mark.parametrize("size", [(37, 61), (4, 7), (1, 1), (90, 5)])
def test_strips_are_rows_of_the_whole(size):
    coefficients = noise(2, 9, 13, 4)
    height, width = size
    whole = tf.image.resize(coefficients, size).numpy()
    for step in (1, 7, height):
        strips = [
            graph_steps.enlarge_rows(coefficients, top, min(step, height - top), height, width)
            for top in range(0, height, step)
        ]
        np.testing.assert_allclose(np.concatenate(strips, axis=1), whole, atol=1e-3)


def test_extremes_are_finite():
    for level in (0.0, 100.0):
        lightness = np.full((1, 3, 50, 1), level, np.float32)
        coefficients = graph_steps.fit(lightness, noise(1, 3, 50, 2, scale=1e3))
        assert np.isfinite(enlarged(np.full((1, 1, 1, 1), level, np.float32), coefficients)).all()
