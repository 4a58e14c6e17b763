"""Copies: changed ones are found, other pictures are not taken for copies."""

import cv2
import numpy as np
import pytest
import skimage.data

from colorization.auditing import findings
from pipelines.sources.opener import open_source


def recompressed(picture):
    return cv2.imdecode(cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 1)


def shrunk(picture):
    return recompressed(cv2.resize(picture, (120, 90), interpolation=cv2.INTER_AREA))


def mirrored(picture):
    return recompressed(picture[:, ::-1])


def brightened(picture):
    return cv2.convertScaleAbs(picture, alpha=1.1)


def cut(picture):
    return picture[2:-2, 3:-3]


@pytest.fixture
def photo():
    return cv2.resize(skimage.data.coffee()[..., ::-1], (300, 200), interpolation=cv2.INTER_AREA)


def groups(folder, **pictures):
    for name, picture in pictures.items():
        cv2.imwrite(str(folder / f"{name}.png"), picture)
    found = findings.audit(open_source(f"folder:{folder}")).sets[0]
    return [[name[len(f"{folder}/") : -4] for name in found.names(rows)] for rows in found.copies]


@pytest.mark.parametrize("change", [recompressed, shrunk, mirrored, brightened, cut])
def test_a_changed_copy_is_found(change, photo, tmp_path):
    other = cv2.resize(skimage.data.astronaut(), (300, 200))
    assert groups(tmp_path, a=photo, b=other, c=change(photo)) == [["a", "c"]]


def test_different_pictures_are_no_copies(picture_folder):
    assert findings.audit(open_source(f"folder:{picture_folder}")).sets[0].copies == []


def test_the_same_thing_in_another_color_is_no_copy(photo, tmp_path):
    assert groups(tmp_path, a=photo, b=np.ascontiguousarray(photo[..., ::-1])) == []


def test_pictures_that_show_nothing_are_compared_by_their_bytes_alone(tmp_path):
    blank = np.full((40, 50, 3), (10, 120, 200), np.uint8)
    assert groups(tmp_path, a=blank, b=blank + 1, c=blank) == [["a", "c"]]


def test_copies_of_copies_make_one_group(photo, tmp_path):
    pictures = {"a": photo, "b": shrunk(photo), "c": photo, "d": mirrored(photo)}
    assert groups(tmp_path, **pictures) == [["a", "b", "c", "d"]]
