"""Oxford 17: its splits, and what is said of folders that are laid out otherwise."""

import os
import sys

import cv2
import numpy as np
import pytest
import scipy.io

from pipelines.batches import survey
from pipelines.errors import UserError
from pipelines.sources import oxford
from pipelines.sources.opener import open_source

KEYS = [f"{key}{n}" for key in ("trn", "val", "tst") for n in (1, 2, 3)]


def save_splits(folder, compressed=False, **changes):
    tables = {key: np.array([[3 * i + 1, 3 * i + 2]]) for i, key in enumerate(KEYS)} | changes
    tables = {key: table for key, table in tables.items() if table is not None}
    scipy.io.savemat(folder / "datasplits.mat", tables, do_compression=compressed)


@pytest.fixture
def flowers(tmp_path):
    (tmp_path / "jpg").mkdir()
    for number in range(1, 30):
        picture = np.full((8, 8, 3), (5 * number, 0, 250), np.uint8)
        cv2.imwrite(str(tmp_path / "jpg" / f"image_{number:04d}.jpg"), picture)
    save_splits(tmp_path)
    return tmp_path


def numbers(source):
    return [int(os.path.basename(name)[6:10]) for name in source.names]


@pytest.mark.slow
@pytest.mark.parametrize(
    "split, first",
    [("", 1), (":train1", 1), (":train2", 4), (":val1", 10), (":test1", 19), (":test3", 25)],
)
def test_splits_are_those_of_the_file(split, first, flowers):
    source = open_source(f"oxford17:{flowers}{split}")
    assert numbers(source) == [first, first + 1]
    assert all(os.path.isfile(name) for name in source.names)
    assert survey.survey(source).num_usable == 2


def test_compressed_columns_of_floats_in_any_order_are_read(flowers):
    # As MATLAB stores numbers unless told otherwise.
    save_splits(flowers, compressed=True, trn1=np.array([[20.0], [3.0], [11.0]]))
    assert numbers(open_source(f"oxford17:{flowers}")) == [3, 11, 20]


def test_splits_are_joined_with_folders(flowers):
    joined = open_source(f"oxford17:{flowers}:train1,oxford17:{flowers}:val1,folder:{flowers}/jpg")
    assert numbers(joined)[:4] == [1, 2, 10, 11] and len(joined.names) == 4 + 29


def test_a_colon_in_the_folder_is_no_split(flowers, tmp_path):
    moved = tmp_path / "flowers:17"
    moved.mkdir()
    for name in ("jpg", "datasplits.mat"):
        (flowers / name).rename(moved / name)
    assert numbers(open_source(f"oxford17:{moved}")) == [1, 2]
    assert numbers(open_source(f"oxford17:{moved}:val2")) == [13, 14]


def test_missing_pictures_are_damaged_ones(flowers):
    save_splits(flowers, trn1=np.arange(1, 31)[None])
    source = open_source(f"oxford17:{flowers}")
    found = survey.survey(source)
    assert found.damaged == [str(flowers / "jpg" / "image_0030.jpg")] and found.num_usable == 29


@pytest.mark.parametrize("split", ["train", "train4", "val0", ""])
def test_a_wrong_split_is_named(split, flowers):
    with pytest.raises(UserError, match=f"train1, .*, test3. Received: {split}, in oxford17:"):
        open_source(f"oxford17:{flowers}:{split}")


@pytest.mark.parametrize("gone", ["jpg", "datasplits.mat"])
def test_what_the_folder_lacks_is_named(gone, flowers):
    (flowers / gone).rename(flowers / "other")
    with pytest.raises(UserError, match=f"which has no {gone}. Unpack"):
        open_source(f"oxford17:{flowers}")


@pytest.mark.parametrize(
    "table, reason", [(None, "'val2'"), ("text", "invalid literal"), ({"a": 1}, "int")]
)
def test_wrong_tables_are_named(table, reason, flowers):
    save_splits(flowers, val2=table)
    message = f"can't be read: .*{reason}.*Expected a MATLAB file with the tables trn1, "
    with pytest.raises(UserError, match=message) as caught:
        open_source(f"oxford17:{flowers}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
def test_a_damaged_file_is_named(share, flowers):
    whole = (flowers / "datasplits.mat").read_bytes()
    (flowers / "datasplits.mat").write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(UserError, match="datasplits.mat ") as caught:
        open_source(f"oxford17:{flowers}")
    assert "\n" not in str(caught.value)


def test_without_scipy(flowers, monkeypatch):
    monkeypatch.setitem(sys.modules, "scipy.io", None)
    with pytest.raises(UserError, match=r"pip install 'colorization\[data\]'"):
        open_source(f"oxford17:{flowers}")


def test_every_split_has_a_table():
    assert sorted(oxford.SPLITS.values()) == sorted(KEYS)
    assert oxford.picture_path(1360) == os.path.join("jpg", "image_1360.jpg")
