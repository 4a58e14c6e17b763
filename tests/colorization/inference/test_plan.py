import os
import pathlib

import pytest

from colorization.inference import plan


@pytest.fixture(autouse=True)
def album(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("b.JPG", "a.png", "notes.txt", ".hidden.png", "1931/street.tif", ".git/x.png"):
        path = tmp_path / "album" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "face.webp").touch()
    (tmp_path / "scan").touch()


def pairs(*arguments, **options):
    jobs = plan.plan(*arguments, **options)
    assert not any(job.problem for job in jobs)
    return [(str(job.source), str(job.destination)) for job in jobs]


@pytest.mark.parametrize(
    ("source", "output", "expected"),
    [
        ("album/a.png", "out.jpg", "out.jpg"),
        ("album/a.png", "out", "out/a.png"),
        ("album/b.JPG", "out.v2/", "out.v2/b.JPG"),
        ("face.webp", "out", "out/face.png"),
        ("face.webp", "face.PNG", "face.PNG"),
        ("scan", ".", "scan.png"),
    ],
)
def test_one_photo(source, output, expected):
    assert pairs([source], output) == [(source, expected)]


def test_a_folder_that_is_named_like_a_picture():
    pathlib.Path("out.png").mkdir()
    assert pairs(["album/a.png"], "out.png") == [("album/a.png", "out.png/a.png")]


def test_folders_are_mirrored_and_ones_own_output_left_out():
    expected = [
        ("album/a.png", "album/out/a.png"),
        ("album/b.JPG", "album/out/b.JPG"),
        ("album/1931/street.tif", "album/out/1931/street.png"),
    ]
    assert pairs(["album"], "album/out") == expected
    pathlib.Path("album/out").mkdir()
    pathlib.Path("album/out/a.png").touch()
    assert pairs(["album"], "album/out", overwrite=True) == expected
    pathlib.Path("album/out/a.png").unlink()
    assert pairs(["album", "face.webp", "album/a.png"], "new")[2:] == [
        ("album/1931/street.tif", "new/1931/street.png"),
        ("face.webp", "new/face.png"),
    ]


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["none.jpg"], "out", "none.jpg: .*no such file"),
        (["empty"], "out", "empty: .*none in it"),
        (["album"], "album", "among their originals"),
        (["album"], "album/../album/", "among their originals"),
        (["album"], "face.webp", "Received: a file"),
        (["album/a.png"], "scan", "Received: a file"),
        (["album/a.png"], "out.webp", r"Received: \.webp"),
    ],
)
def test_requests_that_cannot_be_carried_out(inputs, output, message):
    pathlib.Path("empty").mkdir()
    with pytest.raises(plan.PlanError, match=message):
        plan.plan(inputs, output)


def problems(*arguments, **options):
    return [job.problem for job in plan.plan(*arguments, **options)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_no_photo_is_written_over_or_twice(overwrite):
    assert "itself a photo" in problems(["album/a.png"], "album", overwrite=overwrite)[0]
    assert "itself a photo" in problems(["album/a.png"], "album/a.png", overwrite=overwrite)[0]
    os.link("album/a.png", "A.PNG")  # What a disk that ignores case shows.
    assert "itself a photo" in problems(["album/a.png"], "A.PNG", overwrite=overwrite)[0]
    pathlib.Path("album/a.gif").touch()
    first, second = problems(["album/a.gif", "album/a.png"], "out", overwrite=overwrite)
    assert not first and "where album/a.gif goes" in second
    pathlib.Path("face.png").touch()
    assert "itself a photo" in problems(["face.webp", "face.png"], ".", overwrite=overwrite)[0]


def test_existing_files_need_overwrite():
    pathlib.Path("out").mkdir()
    pathlib.Path("out/b.JPG").touch()
    first, second, third = problems(["album"], "out")
    assert not first and not third and "--overwrite" in second
    assert not any(problems(["album"], "out", overwrite=True))
