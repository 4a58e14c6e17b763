import os
import pathlib

import pytest

pytest.importorskip("apache_beam")

from colorization.beam import places
from pipelines.photos.photo_files import PictureError, read_photo

pytestmark = pytest.mark.xdist_group("processes")


def test_a_file_is_written_whole_with_its_folders_and_nothing_beside_it(tmp_path):
    path = tmp_path / "deep" / "er" / "a.jpg"
    for pieces in ([b"one", b"two"], [b"three"]):
        places.write(str(path), pieces)
        assert path.read_bytes() == b"".join(pieces)
    assert os.listdir(path.parent) == ["a.jpg"]


def test_pieces_that_do_not_come_leave_nothing(tmp_path):
    def pieces():
        yield b"half"
        raise MemoryError

    with pytest.raises(MemoryError):
        places.write(str(tmp_path / "a.jpg"), pieces())
    assert os.listdir(tmp_path) == []


def test_what_cannot_be_written_says_so_in_a_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PictureError, match=r"file/a\.jpg: cannot be written: \w.*\.$"):
        places.write(str(tmp_path / "file" / "a.jpg"), [b"one"])
    (tmp_path / "taken.jpg").mkdir()
    with pytest.raises(PictureError, match=r"taken\.jpg: cannot be written: Is a directory\.$"):
        places.write(str(tmp_path / "taken.jpg"), [b"one"])
    assert sorted(os.listdir(tmp_path)) == ["file", "taken.jpg"]


def test_what_cannot_be_read_says_what_colorize_says(tmp_path):
    for name in ("none.jpg", "folder.jpg"):
        path = str(tmp_path / name)
        if name == "folder.jpg":
            os.mkdir(path)
        with pytest.raises(PictureError) as ours:
            places.read(path)
        with pytest.raises(PictureError) as theirs:
            read_photo(path)
        assert (
            str(ours.value).partition("Received")[0] == str(theirs.value).partition("Received")[0]
        )
    assert "Is a directory." in str(ours.value)


def test_compressed_files_stay_compressed(tmp_path):
    path = str(tmp_path / "a.gz")
    places.write(path, [b"as it is"])
    assert pathlib.Path(path).read_bytes() == places.read(path) == b"as it is"


def test_a_statement_is_renewed_only_if_it_says_another_thing(tmp_path):
    output = str(tmp_path)
    first = places.state(output, {"name": "a", "seed": 1})
    path = tmp_path / places.STATEMENT
    os.utime(path, (first - 9, first - 9))
    assert places.state(output, {"seed": 1, "name": "a"}) == pytest.approx(first - 9)
    assert places.state(output, {"seed": 2, "name": "a"}) > first - 9


def test_a_damaged_statement_is_renewed(tmp_path):
    (tmp_path / places.STATEMENT).write_bytes(b'{"made_wi')
    places.state(str(tmp_path), {"seed": 1})
    assert (tmp_path / places.STATEMENT).read_text() == '{"made_with": {"seed": 1}}\n'
