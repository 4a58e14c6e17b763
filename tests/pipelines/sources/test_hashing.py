"""Perceptual hashes: what they are, and that no close pair is missed."""

import numpy as np
import pytest
import scipy.fft

from pipelines.sources import hashing


@pytest.fixture(scope="module")
def pictures():
    return np.random.default_rng(0).uniform(0, 100, (50, 32, 32))


def test_bits_are_signs_of_the_lowest_frequencies_but_the_mean(pictures):
    frequencies = scipy.fft.dctn(pictures, axes=(1, 2))
    # Row and column of the first frequencies of the zigzag, for bits 0 to 4.
    for bit, (row, column) in enumerate([(0, 1), (1, 0), (0, 2), (1, 1), (2, 0)]):
        signs = (hashing.perceptual_hashes(pictures) >> np.uint64(bit)) & np.uint64(1)
        np.testing.assert_array_equal(signs, frequencies[:, row, column] > 0)


def test_brightness_and_contrast_change_no_bit(pictures):
    np.testing.assert_array_equal(
        hashing.perceptual_hashes(pictures), hashing.perceptual_hashes(20 + 0.5 * pictures)
    )


def test_a_mirrored_picture_has_known_bits_turned(pictures):
    np.testing.assert_array_equal(
        hashing.perceptual_hashes(pictures[:, :, ::-1]),
        hashing.perceptual_hashes(pictures) ^ hashing.MIRROR,
    )


@pytest.mark.parametrize("radius", [0, 3, 4, 7])
@pytest.mark.parametrize("most_candidates", [100, 2**20])
def test_close_pairs_are_those_of_a_comparison_of_each_with_each(
    radius, most_candidates, monkeypatch
):
    monkeypatch.setattr(hashing, "_MOST_CANDIDATES", most_candidates)
    random = np.random.default_rng(radius)
    first = random.integers(0, 2**64, 60, dtype=np.uint64)
    flips = np.uint64(1) << random.integers(0, 64, (60, 8), dtype=np.uint64)
    flips[random.random((60, 8)) < 0.3] = 0
    second = first ^ np.bitwise_or.reduce(flips, axis=1)
    second[::3] ^= hashing.MIRROR
    hashes = np.concatenate([first, second])
    expected = {
        (i, j, mirrored)
        for mirrored in (False, True)
        for i in range(120)
        for j in range(i + 1, 120)
        if int(hashes[i] ^ hashes[j] ^ (hashing.MIRROR if mirrored else np.uint64(0))).bit_count()
        <= radius
    }
    found = {
        (int(i), int(j), mirrored)
        for one, other, mirrored in hashing.close_pairs(hashes, radius)
        for i, j in zip(one, other, strict=True)
    }
    assert found == expected and (radius < 4 or len(found) > 10)


@pytest.mark.parametrize("radius", [-1, 8])
def test_a_radius_that_bands_can_not_hold_is_refused(radius):
    with pytest.raises(ValueError, match=f"0 to 7. Received: {radius}"):
        next(hashing.close_pairs(np.zeros(2, np.uint64), radius))
