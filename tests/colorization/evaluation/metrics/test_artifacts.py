"""Artifacts: by Fourier transform, by hand, and by the laws that make them measures at all."""

import numpy as np
import pytest
from scipy import ndimage
from skimage import data
from skimage.color import rgb2lab

from colorization.evaluation.metrics import artifacts

PHOTO = rgb2lab(data.chelsea()[20:155, 80:280]).astype(np.float32)


def _noise(size, seed=0):
    lab = np.zeros((*size, 3), np.float32)
    lab[..., 1:] = np.random.default_rng(seed).normal(0, 5, (*size, 2))
    return lab


@pytest.mark.parametrize("period", [2, 4])
def test_a_checkerboard_repeats_wholly(period):
    rows, columns = np.indices((70, 70))
    picture = np.zeros((70, 70, 3))
    board = (rows // (period // 2) + columns // (period // 2)) % 2
    picture[..., 1], picture[..., 2] = 20 * board, -30 * board
    assert artifacts.checkerboard(picture) == pytest.approx(100)


def test_noise_repeats_as_far_as_chance_has_it():
    # A block of 32 x 32 holds 64 repetitions; the mean of each 4 x 4 was taken off before.
    found = artifacts.checkerboard(_noise((323, 323)))
    assert found == pytest.approx(100 / 64, rel=0.1)


def test_checkerboard_is_the_energy_at_the_frequencies_of_the_period():
    picture = _noise((35, 35))
    picture[..., 1] += 3 * np.cos(np.pi / 2 * np.arange(35))
    ab = picture[..., 1:].astype(float)
    means = np.lib.stride_tricks.sliding_window_view(ab, (4, 4), (0, 1)).mean(axis=(-2, -1))
    power = np.abs(np.fft.fft2(ab[1:33, 1:33] - means, axes=(0, 1))) ** 2
    expected = 100 * power[::8, ::8].sum() / power.sum()
    assert artifacts.checkerboard(picture) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("chroma", [0, 30])
def test_flat_chroma_has_no_checkerboard(chroma):
    assert artifacts.checkerboard(np.full((40, 50, 3), chroma, np.float32)) == 0


def test_enlarging_chroma_by_nearest_pixels_shows_and_smoothing_does_not():
    coarse = _noise((40, 40))[..., 1:]
    nearest, smooth = np.zeros((2, 160, 160, 3), np.float32)
    nearest[..., 1:] = coarse.repeat(4, axis=0).repeat(4, axis=1)
    smooth[..., 1:] = ndimage.zoom(coarse, (4, 4, 1), order=3, mode="reflect", grid_mode=True)
    assert artifacts.checkerboard(nearest) > artifacts.checkerboard(smooth) > 0


def test_pictures_smaller_than_a_block_are_refused():
    with pytest.raises(ValueError, match="35 pixels.*34"):
        artifacts.checkerboard(np.zeros((34, 90, 3)))


def test_neither_truth_nor_gray_bleeds():
    gray = PHOTO * np.array([1, 0, 0], np.float32)
    assert artifacts.bleeding(PHOTO, PHOTO) == 0
    assert artifacts.bleeding(PHOTO, gray) == 0


def _step():
    """Left half dark and red, right half light and gray."""
    lab = np.zeros((20, 40, 3), np.float32)
    lab[:, :20], lab[:, 20:] = (30, 50, 0), (80, 0, 0)
    return lab


def test_color_that_runs_over_an_edge_bleeds():
    truth = _step()
    over = truth.copy()
    over[:, 20:22, 1] = 50
    # Of inner pixels, columns 16, 17, 18 and 21, 22, 23, 24 are flat and within 4 of the edge's
    # two, 19 and 20; chroma falls from 50 to 0 over columns 21 and 22, by 25 each.
    near = [column for column in range(15, 25) if column not in (19, 20)]
    assert artifacts.bleeding(truth, over) == pytest.approx(2 * 25 / len(near))


def test_the_more_chroma_is_blurred_the_more_it_bleeds():
    found = []
    for sigma in (1, 2, 3):
        blurred = PHOTO.copy()
        blurred[..., 1:] = ndimage.gaussian_filter(_step_like(PHOTO)[..., 1:], (sigma, sigma, 0))
        found.append(artifacts.bleeding(_step_like(PHOTO), blurred))
    assert 0 < found[0] < found[1]


def _step_like(photo):
    """The photo in three lightnesses, each of one chroma."""
    lab = photo.copy()
    level = np.digitize(ndimage.median_filter(lab[..., 0], 9), (40, 60))
    lab[..., 0] = 20 + 30 * level
    lab[..., 1:] = np.array([(40, 0), (0, 40), (-30, -30)], np.float32)[level]
    return lab


def test_a_picture_without_edges_bleeds_nowhere():
    flat = np.full((30, 30, 3), 50, np.float32)
    assert artifacts.bleeding(flat, _noise((30, 30))) == 0
