"""What several tests need: a folder of small colored pictures."""

import cv2
import numpy as np
import pytest


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory):
    """Twelve smooth pictures in color, no two alike or of one size, four of them a folder down."""
    folder = tmp_path_factory.mktemp("pictures")
    (folder / "more").mkdir()
    random = np.random.default_rng(0)
    for index in range(12):
        corners = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
        size = (40 + 2 * index, 52 - index)
        picture = cv2.resize(corners, size, interpolation=cv2.INTER_CUBIC)
        name = f"more/{index:02d}.jpg" if index % 3 == 2 else f"{index:02d}.png"
        cv2.imwrite(str(folder / name), picture)
    return folder
