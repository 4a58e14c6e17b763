import errno
import os
import pathlib
import struct
import threading

import numpy as np
import pytest

from colorization.inference import album, threads
from colorization.inference.album import Manifest, choose
from colorization.inference.plan import Job
from pipelines.photos import photo_files
from pipelines.photos.photo_files import PictureError

WAY = {"name": "fake"}


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(threads, "num_processors", lambda: 1)
    names = ("a.jpg", "b.jpg", "old/c.jpg", "d.jpg")
    out = pathlib.Path("out")
    for name in names:
        pathlib.Path(name).parent.mkdir(exist_ok=True)
        pathlib.Path(name).write_text(name)
    return [Job(pathlib.Path(name), out / name, name) for name in names]


def copy(job):
    job.destination.write_bytes(job.source.read_bytes())
    return [job.destination]


def color(jobs, color_one=copy, stop=None):
    manifest = Manifest(pathlib.Path("out"))
    stop = stop or threads.Stop()
    records = list(album.color(jobs, color_one, manifest, WAY, stop))
    manifest.close()
    assert {record.source: record for record in records}.items() <= manifest.records.items()
    return records


def test_each_photo_is_colored_and_recorded(jobs):
    records = color(jobs)
    assert [(record.source, record.outputs) for record in records] == [
        (job.name, (job.name,)) for job in jobs
    ]
    assert all(job.destination.read_text() == job.name for job in jobs)
    assert {(record.status, record.message) for record in records} == {("colored", "")}
    assert records[2].size == len("old/c.jpg")
    assert records[2].mtime_ns == os.stat("old/c.jpg").st_mtime_ns


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (PictureError("b.jpg: is torn."), "b.jpg: is torn."),
        (PictureError("The model\nis odd."), "b.jpg: The model is odd."),
        (PermissionError(13, "Permission denied", "out/b.jpg"), "b.jpg: Permission denied."),
        (MemoryError(), "b.jpg: does not fit into memory. Make it smaller."),
        (KeyError("bug" * 999), "b.jpg: KeyError: [...]"),
    ],
)
def test_a_failure_is_one_line_and_not_the_end(jobs, error, message):
    def color_one(job):
        if job.name == "b.jpg":
            raise error
        return [] if job.name == "d.jpg" else copy(job)

    records = color(jobs, color_one)
    assert [record.status for record in records] == ["colored", "failed", "colored", "kept"]
    assert records[1].message.endswith(message) and "\n" not in records[1].message


def test_a_photo_that_vanished_is_a_failure(jobs):
    jobs[1].source.unlink()
    assert color(jobs)[1].message == "b.jpg: No such file or directory."


def test_what_another_run_writes_into_the_folder_is_skipped_and_not_recorded(jobs):
    def color_one(job):
        if job.name == "b.jpg":
            # As if another process had been faster by a moment.
            photo_files.write_picture("out/b.png", np.zeros((1, 1, 3), np.uint8))
            photo_files.write_picture("out/b.png", np.zeros((1, 1, 3), np.uint8))
        return copy(job)

    manifest = Manifest(pathlib.Path("out"))
    records = list(album.color(jobs, color_one, manifest, WAY, threads.Stop()))
    assert [record.status for record in records] == ["colored", "skipped", "colored", "colored"]
    assert not records[1].message and "b.jpg" not in manifest.records


def test_a_full_disk_ends_the_run(jobs):
    tried, stop = [], threads.Stop()

    def color_one(job):
        tried.append(job.name)
        if job.name == "b.jpg":
            try:
                raise OSError(errno.ENOSPC, "No space left on device")
            except OSError as error:
                raise PictureError("out/b.jpg: cannot be written: No space.") from error
        return copy(job)

    records = color(jobs, color_one, stop)
    assert [record.source for record in records] == ["a.jpg"] and tried == ["a.jpg", "b.jpg"]
    assert "No space" in stop.reason


def test_what_no_photo_can_get_past_ends_the_run(jobs):
    def color_one(job):
        if job.name == "b.jpg":
            raise album.CannotGoOn("The server is away.")
        return copy(job)

    stop = threads.Stop()
    assert [record.source for record in color(jobs, color_one, stop)] == ["a.jpg"]
    assert stop.reason == "b.jpg: The server is away."


def test_as_many_photos_are_colored_at_a_time_as_asked(jobs):
    together = threading.Barrier(len(jobs), timeout=60)

    def color_one(job):
        together.wait()
        return copy(job)

    manifest = Manifest(None)
    found = list(album.color(jobs, color_one, manifest, WAY, threads.Stop(), num_threads=len(jobs)))
    assert len(found) == len(jobs)


def test_a_manifest_that_cannot_be_written_ends_the_run(jobs):
    pathlib.Path("out").mkdir()
    os.symlink("missing/file", "out/colorization.jsonl")
    stop = threads.Stop()
    assert [record.source for record in color(jobs, stop=stop)] == ["a.jpg"]
    assert stop.reason.startswith("out/colorization.jsonl: cannot be written")


def chosen(jobs, way=WAY, overwrite=False, skip_existing=False):
    there = [
        Job(job.source, job.destination, job.name, job.destination)
        if job.destination.exists()
        else job
        for job in jobs
    ]
    choice = choose(
        there, Manifest(pathlib.Path("out")), way, overwrite=overwrite, skip_existing=skip_existing
    )
    groups = {
        name: [job.name[-5] for job in group] for name, group in vars(choice).items() if group
    }
    assert choice.counts().total() + len(choice.todo) == len(jobs)
    return groups, list(choice.lines())


def test_existing_files_are_left_and_counted_in_one_line(jobs):
    color(jobs[:3])
    groups, (line,) = chosen(jobs)
    assert groups == {"todo": ["d"], "existing": ["a", "b", "c"]}
    assert line.startswith("out/a.jpg and 2 more are there already")
    assert chosen(jobs, overwrite=True) == ({"todo": ["a", "b", "c", "d"]}, [])


def test_a_run_goes_on_where_it_ended(jobs):
    def color_one(job):
        if job.name == "b.jpg":
            raise PictureError("b.jpg: is torn.")
        return [] if job.name == "a.jpg" else copy(job)

    color(jobs[:3], color_one)
    expected = {"todo": ["b", "d"], "skipped": ["a", "c"]}
    assert chosen(jobs, skip_existing=True) == (expected, [])
    assert chosen(jobs, skip_existing=True, overwrite=True) == (expected, [])


def test_files_of_unknown_origin_are_skipped_unless_overwritten(jobs):
    pathlib.Path("out").mkdir()
    copy(jobs[1])
    assert chosen(jobs, skip_existing=True)[0]["skipped"] == ["b"]
    assert chosen(jobs, skip_existing=True, overwrite=True)[0] == {"todo": ["a", "b", "c", "d"]}


def test_files_of_other_options_or_photos_are_named_and_made_anew_if_told_so(jobs):
    color(jobs)
    groups, (line,) = chosen(jobs, {"name": "other"}, skip_existing=True)
    assert groups == {"outdated": ["a", "b", "c", "d"]}
    assert "out/a.jpg and 3 more" in line and "--overwrite" in line
    jobs[2].source.write_text("another scan")
    groups, (line,) = chosen(jobs, skip_existing=True)
    assert groups == {"skipped": ["a", "b", "d"], "outdated": ["c"]}
    assert line.startswith("out/old/c.jpg is made from another file")
    groups, _ = chosen(jobs, skip_existing=True, overwrite=True)
    assert groups == {"skipped": ["a", "b", "d"], "todo": ["c"]}


def test_problems_are_told_with_the_photo(jobs):
    odd = Job(jobs[0].source, jobs[0].destination, "a.jpg", problem="It is odd.")
    assert chosen([odd, jobs[1]], skip_existing=True) == (
        {"todo": ["b"], "problems": ["a"]},
        ["a.jpg: It is odd."],
    )


@pytest.mark.parametrize(("height", "together"), [(4_000, True), (6_000, False)])
def test_photos_of_too_many_pixels_together_wait_for_one_another(jobs, height, together):
    header = struct.pack(
        "<2sIHHI IiiHHIIiiII", b"BM", 0, 0, 0, 54, 40, 10_000, height, 1, 24, *[0] * 6
    )
    for job in jobs:
        job.source.write_bytes(header)
    # Both of two photos must be in progress to pass it.
    meeting, met = threading.Barrier(2), []

    def color_one(job):
        try:
            meeting.wait(60 if together else 0.05)
            met.append(job)
        except threading.BrokenBarrierError:
            meeting.reset()
        return copy(job)

    manifest = Manifest(pathlib.Path("out"))
    records = list(album.color(jobs, color_one, manifest, WAY, threads.Stop(), num_threads=2))
    assert [record.status for record in records] == ["colored"] * 4
    assert len(met) == (4 if together else 0)
