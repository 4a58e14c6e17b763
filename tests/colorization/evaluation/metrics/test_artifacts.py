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


def _scene(height=128, width=192):
    """Two walls of unlike lightness under an edge, and no chroma."""
    lab = np.zeros((height, width, 3), np.float32)
    lab[..., 0] = np.where(np.arange(width) < width // 2, 40, 70)
    return lab


def test_constant_chroma_has_no_blotches_on_whatever_lightness():
    for truth in (_scene(), PHOTO, _noise((160, 160))):
        picture = truth.copy()
        picture[..., 1:] = (20, -30)
        assert artifacts.blotches(truth, picture) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("scale", [1, 2, 5])
@pytest.mark.parametrize("amplitude", [3, 12])
def test_the_amplitude_of_blotches_comes_back_at_any_size(amplitude, scale):
    truth = _scene(128 * scale, 192 * scale)
    picture, stripes = truth.copy(), np.arange(128 * scale) // (16 * scale) % 2
    # Half of each wall lies above the mean, half below, in a* and b* alike.
    picture[..., 1:] = amplitude / np.sqrt(2) * (2 * stripes - 1)[:, None, None]
    assert artifacts.blotches(truth, picture) == pytest.approx(amplitude, rel=0.01)


def test_colors_that_change_at_an_edge_in_lightness_are_no_blotches():
    truth = _scene()
    picture = truth.copy()
    picture[:, :96, 1:] = (30, 40)
    assert artifacts.blotches(truth, picture) == pytest.approx(0, abs=1e-4)
    # Half of what was one wall.
    truth[..., 0] = 50
    assert artifacts.blotches(truth, picture) == pytest.approx(25, rel=0.01)


def test_texture_and_small_patches_have_no_flat_regions():
    random, picture = np.random.default_rng(0), _noise((128, 128))
    rough = np.zeros((128, 128, 3), np.float32)
    rough[..., 0] = random.uniform(20, 80, (128, 128))
    assert artifacts.blotches(rough, picture) == 0
    rough[10:20, 10:20, 0] = 50
    assert artifacts.blotches(rough, picture) == 0


def test_grain_does_not_hide_a_wall():
    truth = _scene(512, 768)
    truth[..., 0] += np.random.default_rng(0).normal(0, 3, truth.shape[:2])
    picture = truth.copy()
    picture[256:, :, 1] = 20
    assert artifacts.blotches(truth, picture) == pytest.approx(10, rel=0.02)


def test_regions_weigh_by_their_area():
    truth, picture = _scene(), _scene()
    truth[:, :48, 0], truth[:, 48:, 0] = 40, 70
    picture[:64, :48, 1] = 16
    found = artifacts.blotches(truth, picture)
    # Two columns on either side of the edge are not flat.
    assert found == pytest.approx(8 * 46 / 188, rel=0.01)
