import numpy as np
import pytest
import skimage.color

from pipelines.color import arrays

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("shape", [(20, 30, 3), (1, 1, 3)])
@pytest.mark.parametrize("depth", [np.uint8, np.uint16])
def test_lightness_is_that_of_scikit_image(shape, depth):
    picture = RNG.integers(0, np.iinfo(depth).max + 1, shape).astype(depth)
    for shown in (picture, picture[..., :1].repeat(3, -1), picture // 50):
        expected = skimage.color.rgb2lab(shown / np.iinfo(depth).max)[..., 0]
        # Its weights of red, green and blue have one digit less.
        np.testing.assert_allclose(arrays.lightness(shown), expected, atol=2e-3)
