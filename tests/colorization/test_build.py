"""What commands build of a configuration and a run."""

import numpy as np
import pytest

from colorization import build
from pipelines.color import bins


@pytest.mark.slow
def test_rarity_divides_the_class_weights_out(finished_run):
    config = finished_run.config
    weights = bins.class_weights(build.kept_prior(config, config.model_dir), 0.5)
    condition = np.random.default_rng(0).normal(size=(1, 32, 32, 1)).astype(np.float32)

    def probabilities(rarity):
        network, epoch = build.trained_generator(config, config.model_dir, rarity)
        assert epoch == config.epochs
        odds = np.exp(network(condition).numpy().astype(np.float64))
        return odds / odds.sum(axis=-1, keepdims=True)

    for rarity in (0.0, 0.6):
        expected = probabilities(1.0) / weights ** (1 - rarity)
        expected /= expected.sum(axis=-1, keepdims=True)
        np.testing.assert_allclose(probabilities(rarity), expected, rtol=1e-4)
