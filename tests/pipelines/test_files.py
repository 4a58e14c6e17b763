"""Files and folders appear whole or not at all."""

import contextlib
import os

import numpy as np
import pytest

from pipelines import files


def write(path, text):
    with files.atomic_write(path, "w") as file:
        file.write(text)


def test_the_last_whole_file_stays(tmp_path):
    path = tmp_path / "text"
    write(path, "old")
    with pytest.raises(OSError, match="full"), files.atomic_write(path) as file:
        file.write(b"half")
        raise OSError("full")
    assert path.read_text() == "old"
    write(path, "new")
    assert path.read_text() == "new" and os.listdir(tmp_path) == ["text"]


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_pages_are_on_the_disk_before_the_name(error, tmp_path, monkeypatch):
    path = tmp_path / "text"
    write(path, "old")

    def fail(_):
        raise error("full")

    monkeypatch.setattr(os, "fsync", fail)
    for attempt in (write, files.write_text):
        with pytest.raises(error, match="full"):
            attempt(path, "new")
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["text"]


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_is_there_can_be_kept(links, tmp_path, monkeypatch):
    def fail(*_):
        raise PermissionError("no hard links")

    if not links:
        monkeypatch.setattr(os, "link", fail)
    path = tmp_path / "photo"
    for content in (b"first", b"second"):
        with (
            contextlib.nullcontext() if content == b"first" else pytest.raises(FileExistsError),
            files.atomic_write(path, overwrite=False) as file,
        ):
            file.write(content)
    assert path.read_bytes() == b"first" and os.listdir(tmp_path) == ["photo"]


def test_a_name_as_long_as_names_get(tmp_path):
    path = tmp_path / ("n" * 255)
    write(path, "text")
    assert path.read_text() == "text"


def test_folders_appear_whole(tmp_path):
    path = tmp_path / "frames"
    with pytest.raises(OSError, match="full"), files.atomic_path(path) as part:
        os.mkdir(part)
        np.save(os.path.join(part, "a.npy"), np.zeros(3))
        raise OSError("full")
    assert not os.listdir(tmp_path)
    with files.atomic_path(path) as part:
        os.mkdir(part)
        np.save(os.path.join(part, "a.npy"), np.zeros(3))
    with pytest.raises(FileExistsError), files.atomic_path(path) as part:
        os.mkdir(part)
    assert os.listdir(tmp_path) == ["frames"] and os.listdir(path) == ["a.npy"]
