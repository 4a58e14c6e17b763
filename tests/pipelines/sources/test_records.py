"""Records: the pictures of the folder they were made of, one by one, whatever befalls a shard."""

import itertools
import json
import os
import shutil

import numpy as np
import pytest

pytest.importorskip("apache_beam")

from colorization.auditing import findings
from pipelines.batches import survey
from pipelines.errors import UserError
from pipelines.shards import beam_pipeline
from pipelines.sources import listings
from pipelines.sources.opener import open_source
from tests.pipelines.training_chain import train

HERE = "--direct_running_mode=in_memory --direct_num_workers=1"
SHARD = "pictures-00001-of-00003.tfrecord"


def shard(data, output, num_shards=3):
    planned = beam_pipeline.plan(data, num_shards=num_shards)
    beam_pipeline.shard(planned, str(output), beam_options=HERE)
    return output


def contents(source):
    return [source.read(element).numpy() for element in source.elements]


@pytest.fixture(scope="module")
def mixed_shards(mixed, tmp_path_factory):
    """Shards of sixty whole pictures and a gray one."""
    return shard(f"folder:{mixed[0]}", tmp_path_factory.mktemp("shards") / "mixed")


@pytest.fixture
def copied(mixed_shards, tmp_path):
    """A copy of them, to damage."""
    return shutil.copytree(mixed_shards, tmp_path / "copied")


def listing(folder, shard=SHARD):
    return json.loads((folder / shard.replace("tfrecord", "json")).read_text())


def flip(path, place, bits=1):
    data = bytearray(path.read_bytes())
    data[place] ^= bits
    path.write_bytes(data)


def test_pictures_come_in_the_order_of_the_folder(mixed_shards, mixed):
    folder, damaged = mixed
    source = open_source(f"folder:{folder}")
    whole = [i for i, name in enumerate(source.names) if name not in damaged]
    pictures = contents(source)
    records = open_source(f"records:{mixed_shards}")
    assert records.names == [os.path.relpath(source.names[i], folder) for i in whole]
    assert contents(records) == [pictures[i] for i in whole]
    assert not records.holds_files and records.elements.cardinality() == 61


@pytest.mark.slow
def test_training_sees_what_it_sees_of_the_folder(mixed_shards, surveyed, mixed):
    records = open_source(f"records:{mixed_shards}")
    found = [surveyed(mixed[0]), (records, survey.survey(records))]
    np.testing.assert_array_equal(
        *[train(*pair, 12, start=3, shuffle_buffer=20, batch_size=7) for pair in found]
    )
    assert found[0][1].fingerprint == found[1][1].fingerprint


@pytest.mark.parametrize("pattern", ["", "/", "/*", "/*.tfrecord", "/pictures-*-of-00003.tfrecord"])
def test_forms_of_all_shards(pattern, mixed_shards):
    assert len(open_source(f"records:{mixed_shards}{pattern}").names) == 61


@pytest.mark.slow
def test_some_shards_are_some_pictures(mixed_shards):
    parts = [open_source(f"records:{mixed_shards}/*-{i}-*") for i in ("00000", "0000[12]")]
    whole = open_source(f"records:{mixed_shards}/*")
    assert sorted(parts[0].names + parts[1].names) == whole.names
    assert len({source.listing for source in (*parts, whole)}) == 3
    joined = open_source(f"records:{mixed_shards}/*00000-of*,records:{mixed_shards}/*0000[12]*")
    assert joined.names == parts[0].names + parts[1].names
    assert contents(joined) == contents(parts[0]) + contents(parts[1])


@pytest.mark.slow
def test_several_folders_at_once(mixed_shards, picture_folder, tmp_path):
    shutil.copytree(mixed_shards, tmp_path / "a")
    shard(f"folder:{picture_folder}", tmp_path / "b")
    source = open_source(f"records:{tmp_path}/*/*.tfrecord")
    assert len(source.names) == len(contents(source)) == 61 + 12


def test_relative_paths_hold_in_other_directories(mixed_shards, monkeypatch, tmp_path):
    monkeypatch.chdir(mixed_shards)
    source = open_source("records:*.tfrecord")
    monkeypatch.chdir(tmp_path)
    assert len(contents(source)) == 61


def test_a_copied_folder_is_the_same_source(copied, mixed_shards):
    listings = [open_source(f"records:{folder}").listing for folder in (mixed_shards, copied)]
    path = copied / SHARD
    path.write_bytes(path.read_bytes()[:-1])
    listings.append(open_source(f"records:{copied}").listing)
    assert listings[0] == listings[1] != listings[2]


@pytest.mark.slow
# Of a record: its length, that one's checksum, its data, their checksum.
@pytest.mark.parametrize("places", [(0, 7), (8, 12, 300), (-4, -1)])
def test_a_flipped_bit_costs_one_picture(places, copied):
    told = listing(copied)
    # Longer than the largest of the places.
    rows = [row for row, length in enumerate(told["lengths"]) if length > 400][:6]
    damaged = set()
    for row, (place, bits) in zip(rows, itertools.product(places, (1, 128)), strict=False):
        offset = told["offsets"][row] + (place if place >= 0 else told["lengths"][row] + place)
        flip(copied / SHARD, offset, bits)
        damaged.add(told["names"][row])
    assert len(damaged) == 2 * len(places)
    found = survey.survey(open_source(f"records:{copied}"))
    # One of the 61 is gray.
    assert set(found.damaged) == damaged and found.num_usable == 60 - len(damaged)


@pytest.mark.slow
def test_what_a_cut_took_is_damaged_and_no_more(copied, caplog):
    told = listing(copied)
    path = copied / SHARD
    path.write_bytes(path.read_bytes()[: told["offsets"][-3] + 50])
    found = survey.survey(open_source(f"records:{copied}"))
    assert found.damaged == [n for n in open_source(f"records:{copied}").names
                             if n in told["names"][-3:]]  # fmt: skip
    assert "3 of 61 pictures are damaged and are skipped" in caplog.text


def test_much_damage_stops(copied):
    (copied / SHARD).write_bytes(b"")
    with pytest.raises(UserError, match="21 of 61 files are damaged"):
        survey.survey(open_source(f"records:{copied}"))


@pytest.mark.slow
def test_an_audit_names_what_can_be_excluded(mixed_shards, tmp_path):
    source = open_source(f"records:{mixed_shards}")
    found = dict(findings.audit(source).exclusions())
    assert found["gray.png"] == "gray" and len(found) == 1 + 48
    path = tmp_path / "exclude.txt"
    path.write_text(
        "".join(
            listings.format_line(listings.full_name(source, name), reason)
            for name, reason in found.items()
        )
    )
    left = listings.exclude(source, str(path))
    assert len(left.names) == len(contents(left)) == 12 and "gray.png" in left.excluded


@pytest.mark.parametrize(
    "pattern, message",
    [
        ("{folder}/none", "names no shards. Expected a folder that pipelines.shard made, or"),
        ("{folder}/*.jpg", "names no shards"),
        ("/nowhere/at/all/*", "names no shards"),
        ("{empty}", "needs shards with their index.json.*Received: .*empty, which has none"),
        ("{empty}/*.tfrecord", "needs shards with their index.json"),
    ],
)
def test_wrong_places(pattern, message, copied, tmp_path):
    (tmp_path / "empty").mkdir()
    specification = "records:" + pattern.format(folder=copied, empty=tmp_path / "empty")
    with pytest.raises(UserError, match=message) as caught:
        open_source(specification)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "name, data, message",
    [
        ("index.json", b"{", "index.json can't be read: .*Run pipelines.shard again"),
        ("index.json", b"[]", "index.json can't be read"),
        ("index.json", b"\xff\xfe", "index.json can't be read"),
        ("index.json", b'{"format": 1}', "index.json can't be read: other fields than expected"),
        ("pictures-00001-of-00003.json", b"{}", "json can't be read: its SHA-256 is not that of"),
        ("pictures-00001-of-00003.json", None, "00003.json can't be read"),
        (SHARD, None, "00003.tfrecord can't be read: .*it makes what is missing"),
    ],
)
def test_damage_beside_the_pictures_is_one_line(name, data, message, copied):
    if data is None:
        (copied / name).unlink()
    else:
        (copied / name).write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        open_source(f"records:{copied}")
    assert "\n" not in str(caught.value)


def test_an_index_of_another_version_is_refused(copied):
    path = copied / "index.json"
    path.write_text(path.read_text().replace('"format": 1', '"format": 2'))
    with pytest.raises(UserError, match="format 2, and this version reads 1"):
        open_source(f"records:{copied}")


def test_records_and_files_are_not_joined(mixed_shards, picture_folder):
    with pytest.raises(UserError, match="folders are joined with folders"):
        open_source(f"records:{mixed_shards},folder:{picture_folder}")
