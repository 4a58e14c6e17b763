"""What tests of surveys and of batches need: folders of pictures, surveyed."""

import shutil

import cv2
import numpy as np
import pytest

from pipelines.batches import survey
from pipelines.sources.opener import open_source


@pytest.fixture(scope="session")
def surveyed():
    """Function that stores pictures in a folder and returns the folder's source and survey.

    A color instead of a picture stands for a solid one.
    """

    def store_and_survey(folder, **pictures):
        for name, picture in pictures.items():
            if np.ndim(picture) == 1:
                picture = np.full((20, 24, 3), picture)
            cv2.imwrite(str(folder / f"{name}.png"), np.uint8(picture)[..., ::-1])
        source = open_source(f"folder:{folder}")
        return source, survey.survey(source)

    return store_and_survey


@pytest.fixture(scope="session")
def pictures(surveyed, picture_folder):
    """Twelve whole pictures: source and survey."""
    return surveyed(picture_folder)


@pytest.fixture(scope="session")
def mixed(tmp_path_factory, picture_folder):
    """Sixty whole pictures, five files that are none, and a gray one: folder, names of the five."""
    folder = tmp_path_factory.mktemp("mixed")
    for copy in range(5):
        shutil.copytree(picture_folder, folder / "whole" / str(copy))
    whole = (picture_folder / "00.png").read_bytes()
    photo = (picture_folder / "more" / "02.jpg").read_bytes()
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 255
    damaged = {
        "cut.png": whole[: len(whole) // 2],
        "cut.jpg": photo[: len(photo) // 2],
        "empty.png": b"",
        "renamed.jpg": b"Dear diary, today",
        "wrong.png": bytes(broken),
    }
    for name, data in damaged.items():
        (folder / name).write_bytes(data)
    cv2.imwrite(str(folder / "gray.png"), np.full((20, 24, 3), 90, np.uint8))
    return folder, sorted(str(folder / name) for name in damaged)
