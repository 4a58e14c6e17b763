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
    (tmp_path / "face.gif").touch()
    (tmp_path / "scan").touch()


def pairs(*arguments, **options):
    jobs = plan.plan(*arguments, **options).jobs
    assert not any(job.problem for job in jobs)
    return [(str(job.source), str(job.destination)) for job in jobs]


@pytest.mark.parametrize(
    ("source", "output", "expected"),
    [
        ("album/a.png", "out.jpg", "out.jpg"),
        ("album/a.png", "out", "out/a.png"),
        ("album/b.JPG", "out.v2/", "out.v2/b.JPG"),
        ("face.gif", "out", "out/face.png"),
        ("face.gif", "face.PNG", "face.PNG"),
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
        ("album/1931/street.tif", "album/out/1931/street.tif"),
    ]
    assert pairs(["album"], "album/out") == expected
    pathlib.Path("album/out").mkdir()
    pathlib.Path("album/out/a.png").touch()
    assert pairs(["album"], "album/out") == expected
    pathlib.Path("album/out/a.png").unlink()
    assert pairs(["album", "face.gif", "album/a.png"], "new")[2:] == [
        ("album/1931/street.tif", "new/1931/street.tif"),
        ("face.gif", "new/face.png"),
    ]


@pytest.mark.parametrize(
    ("inputs", "output", "message"),
    [
        (["none.jpg"], "out", "none.jpg: .*no such file"),
        (["empty"], "out", "empty: .*none in it"),
        (["album"], "album", "among their originals"),
        (["album"], "album/../album/", "among their originals"),
        (["album"], "face.gif", "Received: a file"),
        (["album"], "one.jpg", "Received: the name of a picture. Set .* such as one"),
        (["album/a.png", "face.gif"], "one.jpg", "Received: the name of a picture"),
        (["album"], None, "Received: no --output. Set --output=FOLDER"),
        (["album/a.png"], "scan", "Received: a file"),
        (["album/a.png"], "out.gif", r"Received: \.gif"),
    ],
)
def test_requests_that_cannot_be_carried_out(inputs, output, message):
    pathlib.Path("empty").mkdir()
    with pytest.raises(plan.PlanError, match=message):
        plan.plan(inputs, output)


@pytest.mark.parametrize(
    ("source", "destination"),
    [
        ("album/a.png", "album/a_color.png"),
        ("album/1931/street.tif", "album/1931/street_color.tif"),
        ("face.gif", "face_color.png"),
    ],
)
def test_one_photo_without_a_place_goes_beside_itself(source, destination):
    planned = plan.plan([source], None)
    assert [str(job.destination) for job in planned.jobs] == [destination]
    assert planned.folder is None


def test_jobs_are_named_by_their_place_in_the_folder():
    planned = plan.plan(["album", "face.gif"], "out")
    assert [job.name for job in planned.jobs] == ["a.png", "b.JPG", "1931/street.tif", "face.gif"]
    assert planned.folder == pathlib.Path("out")
    assert plan.plan(["face.gif"], "out").folder is None


@pytest.mark.parametrize(
    ("include", "exclude", "expected"),
    [
        (["*.jpg"], [], ["b.JPG"]),
        (["A.*", "street*"], [], ["a.png", "1931/street.tif"]),
        (["193?/*"], [], ["1931/street.tif"]),
        ([], ["1931"], ["a.png", "b.JPG"]),
        ([], ["1931/"], ["a.png", "b.JPG"]),
        ([], ["*/street.tif", "B.*"], ["a.png"]),
        (["*.png", "*.tif"], ["a*"], ["1931/street.tif"]),
        (["*"], [], ["a.png", "b.JPG", "1931/street.tif"]),
    ],
)
def test_patterns(include, exclude, expected):
    planned = plan.plan(["album"], "out", include=include, exclude=exclude)
    assert [job.name for job in planned.jobs] == expected


@pytest.mark.parametrize(
    ("inputs", "include", "message"),
    [(["album"], ["x*"], "matching pictures"), (["face.gif"], ["*"], "no folder")],
)
def test_patterns_that_choose_nothing(inputs, include, message):
    with pytest.raises(plan.PlanError, match=message):
        plan.plan(inputs, "out", include=include)


def test_variants_are_numbered_in_one_width():
    assert plan.variant_paths("out/a.b.jpg", 1) == [pathlib.Path("out/a.b.jpg")]
    paths = plan.variant_paths("out/a.b.jpg", 12)
    assert [path.name for path in paths[:2]] == ["a.b_01.jpg", "a.b_02.jpg"]
    assert paths[11] == pathlib.Path("out/a.b_12.jpg") and len(paths) == 12


def test_links_to_folders_are_not_followed():
    os.symlink("..", "album/up")
    os.symlink("../face.gif", "album/face.gif")
    assert pairs(["album"], "out")[2:3] == [("album/face.gif", "out/face.png")]


def test_what_a_folder_holds_and_is_left_out_is_named():
    for name in ("c.JXL", "1931/d.dng", ".e.psd"):
        pathlib.Path("album", name).touch()
    os.symlink("..", "album/up")
    planned = plan.plan(["album"], "out")
    assert len(planned.jobs) == 3
    assert planned.left_out == [
        "album: left out 2 files of formats that are not read: c.JXL, 1931/d.dng",
        "album: left out 1 link to a folder: up",
    ]
    assert plan.plan(["album"], "out", include=["*.png"], exclude=["up"]).left_out == []
    pathlib.Path("raw").mkdir()
    pathlib.Path("raw/a.nef").touch()
    with pytest.raises(plan.PlanError, match="left out 1 file of a format that is not read: a.nef"):
        plan.plan(["raw"], "out")


def test_a_closed_folder_is_named_and_passed_over(monkeypatch):
    opened = os.scandir

    def scandir(path):
        if str(path).endswith("1931"):
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path)

    monkeypatch.setattr(os, "scandir", scandir)
    *_, closed = plan.plan(["album"], "out").jobs
    assert closed.problem == "album/1931: cannot be searched: Permission denied."
    with pytest.raises(plan.PlanError, match="cannot be searched"):
        plan.plan(["album/1931"], "out")


def test_photos_that_become_png_keep_apart():
    for name in ("a.gif", "a.bmp", "c.gif", "@eaDir/d.png", "__MACOSX/e.png"):
        pathlib.Path("album", name).parent.mkdir(exist_ok=True)
        pathlib.Path("album", name).touch()
    expected = ["a.bmp.png", "a.gif.png", "a.png", "b.JPG", "c.png", "1931/street.tif"]
    found = [job.removeprefix("out/") for _, job in pairs(["album"], "out")]
    assert sorted(found) == sorted(expected)


def problems(*arguments, **options):
    return [job.problem for job in plan.plan(*arguments, **options).jobs]


def test_no_photo_is_written_over_or_twice():
    assert "itself a photo" in problems(["album/a.png"], "album")[0]
    assert "itself a photo" in problems(["album/a.png"], "album/a.png")[0]
    os.link("album/a.png", "A.PNG")  # What a disk that ignores case shows.
    assert "itself a photo" in problems(["album/a.png"], "A.PNG")[0]
    pathlib.Path("album/1931/a.png").touch()
    first, second = problems(["album/1931/a.png", "album/a.png"], "out")
    assert not first and "where album/1931/a.png goes" in second
    pathlib.Path("face.png").touch()
    first, second = problems(["face.gif", "face.png"], ".")
    assert not first and "itself a photo" in second


def test_no_photo_is_written_over_by_a_variant():
    pathlib.Path("a_2.png").touch()
    first, _ = problems(["album/a.png", "a_2.png"], ".", num_variants=3)
    assert first.startswith("a_2.png is itself a photo")


def test_no_photo_is_written_over_by_a_sheet():
    pathlib.Path("a_sheet_png.jpg").touch()
    first, _ = problems(["album/a.png", "a_sheet_png.jpg"], ".", num_variants=3)
    assert first.startswith("a_sheet_png.jpg is itself a photo")
    assert problems(["album/a.png", "a_sheet_png.jpg"], "out") == ["", ""]


def test_no_two_photos_of_a_folder_share_a_file():
    names = [f"scan{suffix}" for suffix in plan.WRITABLE_SUFFIXES]
    names += ["scan.JPG", "scan.tif.jpg", "scan_sheet.jpg", "scan_sheet.tif", "scan_sheet_tif.jpg"]
    made = [
        path for name in names for path in (*plan.variant_paths(name, 3), plan.sheet_path(name))
    ]
    assert len(set(made)) == len(made) == 4 * len(names)
    assert plan.sheet_path("out/scan.jpg") == pathlib.Path("out/scan_sheet.jpg")


def test_existing_files_are_found():
    pathlib.Path("out").mkdir()
    pathlib.Path("out/b.JPG").touch()
    os.symlink("nowhere", "out/a_3.png")
    jobs = plan.plan(["album"], "out").jobs
    assert [job.existing for job in jobs] == [None, pathlib.Path("out/b.JPG"), None]
    jobs = plan.plan(["album"], "out", num_variants=4).jobs
    assert [job.existing for job in jobs] == [pathlib.Path("out/a_3.png"), None, None]
