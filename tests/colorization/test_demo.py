"""The sheet of the demonstration."""

import numpy as np

from colorization import demo


def test_the_sheet_holds_every_picture_at_one_height():
    red = np.full((10, 20, 3), (255, 0, 0), np.uint8)
    blue = np.full((80, 40, 3), (0, 0, 255), np.uint8)
    sheet = demo.sheet([[red, blue], [red]], 40)
    assert sheet.shape == (80, 80 + 20, 3)
    assert (sheet[:40, :80] == (255, 0, 0)).all() and (sheet[:40, 80:] == (0, 0, 255)).all()
    assert (sheet[40:, 80:] == 255).all()
