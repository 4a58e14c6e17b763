"""Surveys: what is left out, named and counted, and when that is too much."""

import logging
import os

import cv2
import numpy as np
import pytest

from pipelines.batches import survey
from pipelines.errors import UserError


def test_survey_of_whole_pictures(pictures):
    source, found = pictures
    assert (found.num_pictures, found.num_usable) == (12, 12)
    assert found.damaged == found.gray == found.skipped == []
    assert found.listing == source.listing


def test_survey_skips_and_names_what_is_no_use(surveyed, mixed, caplog):
    folder, damaged = mixed
    source, found = surveyed(folder)
    assert found.damaged == damaged and found.gray == [str(folder / "gray.png")]
    assert (found.num_pictures, found.num_usable) == (66, 60)
    assert [source.names[i] for i in found.skipped] == sorted(damaged + found.gray)
    assert [record.getMessage() for record in caplog.records] == [
        f"{source.name}: 5 of 66 pictures are damaged and are skipped: {', '.join(damaged)}",
        f"{source.name}: 1 of 66 pictures are gray and are skipped: {folder / 'gray.png'}",
    ]
    left = [path.decode() for path in survey.usable(source, found).as_numpy_iterator()]
    assert left == [name for name in source.names if "/whole/" in name]
    assert survey.usable(source, found).cardinality() == 60


def test_survey_names_ten(surveyed, tmp_path, caplog):
    grays = {f"{i:02d}": (i, i, i) for i in range(11)}
    with caplog.at_level(logging.WARNING):
        _, found = surveyed(tmp_path, red=(255, 0, 0), **grays)
    assert len(found.gray) == 11
    assert "09.png, ..." in caplog.text and "10.png" not in caplog.text


@pytest.mark.parametrize("num_damaged", [1, 2])
def test_survey_stops_at_more_than_a_tenth_damaged(num_damaged, surveyed, tmp_path):
    for index in range(num_damaged):
        (tmp_path / f"torn{index}.jpg").write_bytes(b"torn")
    whole = {f"{i}": (250, 10 * i, 0) for i in range(10 - num_damaged)}
    if num_damaged == 1:
        assert surveyed(tmp_path, **whole)[1].num_usable == 9
        return
    with pytest.raises(UserError, match="2 of 10 files are damaged.* the first is .*torn0.jpg"):
        surveyed(tmp_path, **whole)


def test_a_folder_of_tiff_is_not_called_damaged_alone(surveyed, tmp_path):
    (tmp_path / "a.tif").write_bytes(b"II*\0")
    with pytest.raises(
        UserError, match="a.tif, and training does not read TIFF. Remove or convert"
    ):
        surveyed(tmp_path, b=(250, 0, 0))


def test_survey_stops_where_all_is_gray(surveyed, tmp_path):
    with pytest.raises(UserError, match="needs pictures in color, and of 2 2 are gray. Name"):
        surveyed(tmp_path, a=(0, 0, 0), b=(90, 95, 100))


@pytest.mark.parametrize(
    "height, width, thickness", [(50, 75, 2), (75, 50, 2), (100, 30, 2), (1, 1, 1)]
)
def test_white_share_is_of_the_border_of_the_upper_half(height, width, thickness):
    upper = (height + 1) // 2
    on_border = np.zeros((height, width), bool)
    on_border[:thickness] = on_border[:upper, :thickness] = on_border[:upper, -thickness:] = True
    random = np.random.default_rng(0)
    picture = random.choice([240, 241], (height, width, 3), p=[0.2, 0.8]).astype(np.uint8)
    expected = (picture == 241).all(axis=-1)[on_border].mean()
    assert float(survey.white_share(picture)) == pytest.approx(expected)
    picture[~on_border] = 0
    assert float(survey.white_share(picture)) == pytest.approx(expected)


def on_white(share):
    """A red picture whose upper rows are white in a share of its width."""
    picture = np.full((20, 20, 3), (250, 0, 0), np.uint8)
    picture[:10, : round(20 * share)] = 255
    return picture


@pytest.mark.slow
def test_survey_leaves_out_what_is_not_on_white(surveyed, tmp_path, caplog):
    whites = {f"{i}": on_white(share) for i, share in enumerate((0, 0.3, 0.8, 0.9, 1))}
    source, every = surveyed(tmp_path, gray=(255, 255, 255), **whites)
    assert every.not_white == [] and every.num_usable == 5
    caplog.clear()
    found = survey.survey(source, white_background=0.5)
    names = [os.path.basename(name) for name in found.not_white]
    assert names == ["0.png", "1.png"]
    # Gray is said first.
    assert found.gray == every.gray and found.skipped == [0, 1, 5]
    message = f"{source.name}: 2 of 6 pictures are without a white background and are skipped: "
    assert any(record.getMessage().startswith(message) for record in caplog.records)
    assert survey.describe_skipped(found) == (
        "0 damaged, 1 gray and 2 without a white background skipped"
    )
    assert survey.describe_skipped(every) == "0 damaged and 1 gray skipped"
    # A cache on disk is named by the fingerprint, and holds what is usable.
    assert found.fingerprint != every.fingerprint
    assert len(list(survey.usable(source, found))) == 3


@pytest.mark.slow
def test_survey_stops_where_nothing_is_on_white(surveyed, tmp_path):
    source, _ = surveyed(tmp_path, a=(250, 0, 0), b=(250, 90, 0))
    message = "of 2 0 are gray and 2 lack a white background. .* or lower --white_background"
    with pytest.raises(UserError, match=message):
        survey.survey(source, white_background=0.2)


@pytest.mark.slow
def test_fingerprint_follows_contents(surveyed, tmp_path):
    def store(name, level):
        cv2.imwrite(str(tmp_path / name), np.full((20, 24, 3), (0, level, 250), np.uint8))

    store("a.bmp", 0)
    store("b.bmp", 90)
    first = surveyed(tmp_path)[1]
    assert surveyed(tmp_path)[1] == first
    store("a.bmp", 5)
    changed = surveyed(tmp_path)[1]
    # What a listing can't see, the contents tell.
    assert changed.listing == first.listing and changed.fingerprint != first.fingerprint
    (tmp_path / "b.bmp").unlink()
    assert surveyed(tmp_path)[1].fingerprint not in (first.fingerprint, changed.fingerprint)


def test_survey_is_kept(surveyed, mixed, tmp_path):
    found = surveyed(mixed[0])[1]
    path = str(tmp_path / "survey.json")
    survey.save_survey(found, path)
    assert survey.load_survey(path) == found
    assert os.listdir(tmp_path) == ["survey.json"]
