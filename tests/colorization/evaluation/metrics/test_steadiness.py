import cv2
import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from colorization.evaluation.metrics.steadiness import Steadiness


def flicker(frames, lightness):
    """The flicker of frames in Lab."""
    found = Steadiness()
    for lab, light in zip(frames, lightness, strict=True):
        found.add(np.zeros(lab.shape, np.uint8), lab, light)
    return found.flicker


def consistency(frames):
    """The consistency of frames in sRGB."""
    found = Steadiness()
    for rgb in frames:
        found.add(rgb, np.float32(rgb), np.zeros(rgb.shape[:2], np.float32))
    return found.consistency


def moving(count, step, color=lambda number: (10.0, -20.0)):
    """Frames in Lab of a texture that moves, and their lightness."""
    texture = cv2.resize(
        np.random.default_rng(0).uniform(20, 80, (30, 40)).astype(np.float32),
        (160, 120),
        interpolation=cv2.INTER_CUBIC,
    )
    frames = []
    for number in range(count):
        part = texture[:96, step * number : step * number + 96]
        ab = np.broadcast_to(np.float32(color(number)), (*part.shape, 2))
        frames.append(np.concatenate([part[..., None], ab], axis=-1))
    return frames, [frame[..., 0] for frame in frames]


def test_colors_that_stay_with_what_moves_do_not_flicker():
    frames, lightness = moving(4, 3)
    for frame in frames:
        frame[..., 1] = frame[..., 0]
    assert flicker(frames, lightness) < 0.3


def test_flicker_is_the_distance_in_ab_by_which_all_colors_change():
    frames, lightness = moving(5, 2, lambda number: (3 * (number % 2), 4 * (number % 2)))
    assert flicker(frames, lightness) == pytest.approx(5, abs=1e-4)


def test_pixels_that_cannot_be_followed_do_not_count():
    frames, lightness = moving(2, 0, lambda number: (number, 0))
    frames[1][:48, :, 1] = 90
    lightness[1] = lightness[1].copy()
    lightness[1][:48] = 100 - lightness[1][:48]
    assert 1 <= flicker(frames, lightness) < 6


def test_a_cut_is_no_flicker():
    frames, lightness = moving(4, 2)
    others, _ = moving(4, 2, lambda number: (-60, 60))
    flipped = [np.ascontiguousarray(frame[::-1, ::-1]) for frame in others]
    film = frames + flipped
    assert flicker(film, [frame[..., 0] for frame in film]) == pytest.approx(0, abs=1e-4)


def test_flicker_refuses_frames_that_are_too_small():
    frames = [np.zeros((63, 80, 3), np.float32)] * 2
    with pytest.raises(ValueError, match="64 pixels on a side"):
        flicker(frames, [frame[..., 0] for frame in frames])


def test_distribution_consistency_is_that_of_scipy():
    frames = np.random.default_rng(0).integers(0, 60, (6, 64, 65, 3)).astype(np.uint8)
    frames[3:] += 30
    histograms = [
        [np.histogram(frame[..., c], 256, (0, 256))[0] for c in range(3)] for frame in frames
    ]
    expected = []
    for step in (1, 2, 4):
        pairs = zip(histograms[:-step], histograms[step:], strict=True)
        expected.append(
            np.mean(
                [[jensenshannon(p, q) ** 2 for p, q in zip(*pair, strict=True)] for pair in pairs]
            )
        )
    assert consistency(frames) == pytest.approx(np.mean(expected), rel=1e-4)


def test_distribution_consistency_needs_five_frames():
    assert np.isnan(consistency(np.zeros((4, 64, 64, 3), np.uint8)))
