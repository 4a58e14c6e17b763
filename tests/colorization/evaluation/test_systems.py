"""Systems: the mean color, models by the colorizer's own code."""

import numpy as np
import pytest
from skimage.color import rgb2lab

from colorization.evaluation import systems
from colorization.inference.colorizer import Colorizer
from colorization.inference.model_folder import ModelError
from pipelines.color.bins import bin_centers

RAMP = np.repeat(np.tile(np.arange(40, 240, 4, dtype=np.uint8), (50, 1))[..., None], 3, axis=-1)


def test_mean_is_the_mean_of_the_prior_at_the_photos_lightness():
    prior = np.random.default_rng(0).dirichlet(np.full(len(bin_centers()), 0.1))
    system = systems.mean({"name": "some", "prior": prior.tolist()})
    (picture,) = system.color(RAMP, None)
    lab, shown = rgb2lab(picture), rgb2lab(RAMP)
    expected = prior @ bin_centers()
    np.testing.assert_allclose(lab[:, 15:35, 1:].mean(axis=(0, 1)), expected, atol=0.3)
    assert abs(lab[..., 0] - shown[..., 0]).max() < 0.5
    assert system.description["ab"] == pytest.approx(expected, abs=1e-3)


@pytest.mark.slow
def test_a_model_colors_by_the_code_of_the_command():
    system, description = systems.model(None)
    (picture,) = system.color(RAMP, None)
    np.testing.assert_array_equal(picture, Colorizer().colorize(RAMP))
    assert system.name == f"chroma {description['version']}"
    assert system.description["kind"] == "model" and len(system.description["weights_sha256"]) == 64


def test_no_model_is_no_system(tmp_path):
    with pytest.raises(ModelError, match="colorization.json"):
        systems.model(tmp_path)
