"""The demonstration's own parts: gray pictures and the sheet."""

import numpy as np
from skimage.color import rgb2lab

from colorization import demo


def test_to_gray_keeps_lightness_and_drops_chroma():
    picture = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    gray = demo.to_gray(picture)
    assert (gray == gray[..., :1]).all()
    assert np.abs(rgb2lab(gray)[..., 0] - rgb2lab(picture)[..., 0]).max() < 0.5


def test_the_sheet_holds_every_picture_at_one_height():
    red = np.full((10, 20, 3), (255, 0, 0), np.uint8)
    blue = np.full((80, 40, 3), (0, 0, 255), np.uint8)
    sheet = demo.sheet([[red, blue], [red]], 40)
    assert sheet.shape == (80, 80 + 20, 3)
    assert (sheet[:40, :80] == (255, 0, 0)).all() and (sheet[:40, 80:] == (0, 0, 255)).all()
    assert (sheet[40:, 80:] == 255).all()
