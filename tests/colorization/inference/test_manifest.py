import json
import os
import pathlib

import pytest

from colorization.inference.album import FILENAME, Manifest, Record
from colorization.inference.plan import Job

WAY = {"name": "chroma", "version": 1, "saturation": 1.0, "mask": ["m.png", 5, 6]}


@pytest.fixture
def job(tmp_path):
    source = tmp_path / "a.tif"
    source.write_bytes(b"scan")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "a.tif").touch()
    return Job(source, tmp_path / "out" / "a.tif", "a.tif")


def record(job, **changes):
    found = os.stat(job.source)
    return Record(
        **{
            "source": job.name,
            "size": found.st_size,
            "mtime_ns": found.st_mtime_ns,
            "status": "colored",
            "outputs": ("a.tif",),
            "message": "",
            "seconds": 0.5,
            "made_with": WAY,
        }
        | changes
    )


def reopened(job, *records):
    manifest = Manifest(job.destination.parent)
    for one in records:
        manifest.add(one)
    manifest.close()
    return Manifest(job.destination.parent)


def test_records_outlive_the_run_and_the_last_counts(job):
    odd = os.fsdecode(b"caf\xe9\n.jpg")
    manifest = reopened(job, record(job, status="failed"), record(job, source=odd), record(job))
    assert manifest.records == {odd: record(job, source=odd), "a.tif": record(job)}
    lines = manifest.path.read_text().splitlines()
    assert len(lines) == 3 and json.loads(lines[2])["status"] == "colored"


def test_nothing_is_written_without_a_record_or_a_folder(job):
    reopened(job)
    assert os.listdir(job.destination.parent) == ["a.tif"]
    manifest = Manifest(None)
    manifest.add(record(job))
    manifest.close()
    assert manifest.records and not manifest.is_done(job, {})


@pytest.mark.parametrize("torn", ['{"source": "b.tif", "si', '[1]\n{"source": "b"}\n\xff\n'])
def test_a_line_that_is_cut_short_costs_only_itself(job, torn):
    path = job.destination.parent / FILENAME
    reopened(job, record(job))
    with open(path, "a") as file:
        file.write(torn)
    manifest = reopened(job, record(job, source="c.tif"))
    assert list(manifest.records) == ["a.tif", "c.tif"]


def test_done_is_what_is_there_and_was_made_of_this_file_in_this_way(job):
    assert not reopened(job).is_done(job, WAY)
    manifest = reopened(job, record(job))
    assert manifest.is_done(job, WAY)
    assert not manifest.is_done(job, WAY | {"version": 2})
    os.utime(job.source, ns=(1, 1))
    assert not manifest.is_done(job, WAY)


@pytest.mark.parametrize(
    ("changes", "is_done"),
    [
        ({"status": "failed"}, False),
        ({"status": "kept", "outputs": ()}, True),
        ({"size": 5}, False),
        ({"outputs": ("a.tif", "gone.tif")}, False),
    ],
)
def test_done_by_status_size_and_outputs(job, changes, is_done):
    assert reopened(job, record(job, **changes)).is_done(job, WAY) == is_done


def test_a_photo_that_is_gone_is_not_done(job):
    manifest = reopened(job, record(job))
    pathlib.Path(job.source).unlink()
    assert not manifest.is_done(job, WAY)
