"""Bins, soft encoding and decoding against exhaustive search, scipy and formulas written again."""

import numpy as np
import pytest
import scipy.special
import scipy.stats

from pipelines.color import bins, spaces

CENTERS = bins.bin_centers()


def exhaustive_search(ab):
    """Distances to the 10 nearest bins and their Gaussian shares, the plain way."""
    distances = np.sort(np.hypot(*(CENTERS.astype(np.float64) - ab).T))[:10]
    shares = scipy.stats.norm.pdf(distances, scale=5)
    return distances, shares / shares.sum()


class TestBinCenters:
    def test_lie_on_the_grid(self):
        assert CENTERS.dtype == np.float32
        assert np.all(CENTERS % 10 == 0)
        assert len(np.unique(CENTERS, axis=0)) == len(CENTERS)
        assert list(map(tuple, CENTERS)) == sorted(map(tuple, CENTERS))
        # The paper's 313 bins include some beyond the gamut.
        assert 200 < len(CENTERS) < 313

    def test_every_color_falls_in_a_bin(self):
        ramp = np.arange(0, 256, 5, dtype=np.uint8)
        cube = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(-1, 3)
        ab = spaces.rgb_to_lab(cube).numpy()[:, 1:]
        cells = np.unique(np.round(ab / 10) * 10, axis=0)
        assert set(map(tuple, cells)) <= set(map(tuple, CENTERS))

    def test_cannot_be_changed(self):
        with pytest.raises(ValueError, match="read-only"):
            CENTERS[0] = 0


class TestSoftEncodingTable:
    def test_exhaustive_search_agrees(self):
        indices, weights = bins.soft_encoding_table()
        points = np.random.default_rng(0).integers(-115, 116, (300, 2))
        rows = bins.table_rows(points.astype(np.float32))
        for ab, nearest, shares in zip(points, indices[rows], weights[rows], strict=True):
            assert len(set(nearest)) == 10
            distances = np.hypot(*(CENTERS[nearest] - ab).T)
            order = np.argsort(distances)
            expected_distances, expected_shares = exhaustive_search(ab)
            np.testing.assert_allclose(distances[order], expected_distances, rtol=1e-6)
            np.testing.assert_allclose(shares[order], expected_shares, rtol=1e-4, atol=1e-7)

    def test_rows_sum_to_one(self):
        indices, weights = bins.soft_encoding_table()
        assert indices.shape == weights.shape == (231**2, 10)
        np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-6)
        assert indices.min() >= 0 and indices.max() == len(CENTERS) - 1


def test_table_rows_round_and_clip():
    ab = [[[0.4, -0.4], [-115, -115], [-300, -300], [115, 115], [200, 114.6]]]
    np.testing.assert_array_equal(
        bins.table_rows(np.float32(ab)), [[115 * 231 + 115, 0, 0, 231**2 - 1, 231**2 - 1]]
    )


class TestMeasurePrior:
    def test_one_color(self):
        ab = np.array([33, -21])
        lab = np.broadcast_to(np.float32([60, *ab]), (2, 8, 8, 3))
        prior = bins.measure_prior([lab, lab])
        distances = np.hypot(*(CENTERS - ab).T)
        order = np.argsort(distances)
        np.testing.assert_allclose(prior[order[:10]], exhaustive_search(ab)[1], rtol=1e-4)
        assert np.all(prior[order[10:]] == 0)

    def test_two_colors_are_averaged(self):
        pictures = [np.float32([[[50, 42, 3]] * 3]), np.float32([[[50, -38, 27]]])]
        first, second = (bins.measure_prior([picture]) for picture in pictures)
        both = bins.measure_prior(iter(pictures))
        np.testing.assert_allclose(both, 0.75 * first + 0.25 * second)
        np.testing.assert_allclose(both.sum(), 1)


class TestClassWeights:
    prior = np.random.default_rng(0).dirichlet(np.full(20, 0.5))

    @pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
    def test_formula(self, share):
        expected = [1 / ((1 - share) * p + share / 20) for p in self.prior]
        expected /= sum(p * w for p, w in zip(self.prior, expected, strict=True))
        weights = bins.class_weights(self.prior, share)
        np.testing.assert_allclose(weights, expected, rtol=1e-6)
        np.testing.assert_allclose(np.sum(self.prior * weights), 1, rtol=1e-6)

    def test_limits(self):
        np.testing.assert_allclose(bins.class_weights(self.prior, 1.0), 1, rtol=1e-6)
        weights = bins.class_weights(self.prior, 0.0)
        np.testing.assert_allclose(weights * self.prior, 1 / 20, rtol=1e-6)


class TestAnnealedMean:
    logits = np.random.default_rng(0).normal(0, 3, (2, 4, len(CENTERS))).astype(np.float32)

    def test_warm_limit_is_the_mean(self):
        expected = scipy.special.softmax(self.logits, axis=-1) @ CENTERS
        result = bins.annealed_mean(self.logits, 1.0)
        np.testing.assert_allclose(result, expected, atol=1e-4)

    def test_cold_limit_is_the_mode(self):
        result = bins.annealed_mean(self.logits, 1e-3)
        np.testing.assert_allclose(result, CENTERS[self.logits.argmax(axis=-1)], atol=1e-4)

    def test_between(self):
        probabilities = scipy.special.softmax(self.logits.astype(np.float64), axis=-1)
        # The paper's own form, equation 5.
        raised = np.exp(np.log(probabilities) / 0.38)
        expected = raised / raised.sum(axis=-1, keepdims=True) @ CENTERS
        result = bins.annealed_mean(self.logits, 0.38)
        np.testing.assert_allclose(result, expected, atol=1e-4)

    def test_half_precision_is_widened(self):
        result = bins.annealed_mean(self.logits.astype(np.float16), 0.38)
        assert result.dtype == "float32"
