"""Which photos are measured, and which are left out and why."""

import numpy as np
import pytest

from colorization.evaluation import EvaluationError, measure
from pipelines.photos.photo_files import write_picture


def photo(seed=0, size=(40, 50), depth=np.uint8):
    return np.random.default_rng(seed).integers(0, np.iinfo(depth).max, (*size, 3), dtype=depth)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "album" / "val"
    folder.mkdir(parents=True)
    write_picture(folder / "a.png", photo())
    write_picture(folder / "deep.png", photo(1, depth=np.uint16))
    write_picture(folder / "gray.png", np.repeat(photo(2)[..., :1], 3, axis=-1))
    write_picture(folder / "small.png", photo(3, (34, 90)))
    (folder / "torn.png").write_bytes((folder / "a.png").read_bytes()[:-40])
    (folder / "void.jpg").touch()
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    return folder


def read(folder, name):
    (found,) = measure.open_data(f"folder:{folder}")
    jobs = {path.rpartition("/")[2]: (path, element) for path, element in found.jobs()}
    return measure.read_photo(found.source, *jobs[name])


def test_pixels_come_as_they_are_with_the_digest_of_the_file(folder):
    rgb, digest = read(folder, "a.png")
    np.testing.assert_array_equal(rgb, photo())
    write_picture(folder / "copy.png", photo())
    assert read(folder, "copy.png")[1] == digest != read(folder, "deep.png")[1]


def test_sixteen_bits_become_the_nearest_eight(folder):
    rgb, _ = read(folder, "deep.png")
    np.testing.assert_array_equal(rgb, np.round(photo(1, depth=np.uint16) / 257))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gray.png", "gray"),
        ("small.png", "small"),
        ("torn.png", "damaged"),
        ("void.jpg", "damaged"),
        ("gone.jpg", "damaged"),
    ],
)
def test_what_is_no_measure_is_left_out_and_named(folder, name, reason):
    with pytest.raises(measure.LeftOutError, match=name) as caught:
        read(folder, name)
    assert caught.value.reason == reason and "\n" not in str(caught.value)


def test_a_limit_is_spread_evenly(folder):
    (found,) = measure.open_data(f"folder:{folder}", limit=3)
    assert [name.rpartition("/")[2] for name, _ in found.jobs()] == [
        "a.png",
        "gray.png",
        "void.jpg",
    ]
    assert len(list(measure.open_data(f"folder:{folder}", limit=99)[0].jobs())) == 7


def test_sets_are_called_by_their_last_two_folders(folder):
    one, two = measure.open_data(f"folder:{folder}, samples")
    assert (one.label, two.label) == ("album/val", "samples")


def test_sets_of_one_name_are_refused(folder):
    with pytest.raises(EvaluationError, match="last two folders.*album/val, album/val"):
        measure.open_data(f"folder:{folder},folder:{folder}/.")


def test_what_is_excluded_is_not_read(folder, tmp_path):
    listed = tmp_path / "exclude.txt"
    listed.write_text(f"{folder}/a.png\tduplicate\n{folder}/void.jpg\n")
    (found,) = measure.open_data(f"folder:{folder}", exclude=str(listed))
    names = [name.rpartition("/")[2] for name, _ in found.jobs()]
    assert names == ["deep.png", "gone.jpg", "gray.png", "small.png", "torn.png"]
