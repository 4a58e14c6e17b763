"""Shards: every picture once, the same bytes however they were made, and nothing taken on trust."""

import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf

pytest.importorskip("apache_beam")

from pipelines.errors import UserError
from pipelines.shards import beam_pipeline, shard_files
from pipelines.sources import listings, records
from pipelines.sources.opener import open_source

pytestmark = pytest.mark.xdist_group("processes")

ROOT = pathlib.Path(__file__).parents[3]
HERE = "--direct_running_mode=in_memory --direct_num_workers=1"


def shard(data, output, **options):
    return beam_pipeline.shard(beam_pipeline.plan(data, **options), str(output), beam_options=HERE)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def examples(folder):
    """Features of all records, by TensorFlow's own readers alone, in the order of the shards."""
    for path in sorted(folder.glob("*.tfrecord")):
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            yield tf.train.Example.FromString(record).features.feature


@pytest.fixture(scope="module")
def shards(mixed, tmp_path_factory):
    """Folder of seven shards of sixty whole pictures, a gray one and five damaged ones."""
    folder = tmp_path_factory.mktemp("shards") / "new"
    index, num_made = shard(f"folder:{mixed[0]}", folder, num_shards=7)
    assert num_made == 7 and index.num_pictures == 61
    return folder


def test_every_whole_picture_is_in_one_record_as_it_was(shards, mixed):
    found = {}
    for feature in examples(shards):
        name = os.fsdecode(feature["image/filename"].bytes_list.value[0])
        assert name not in found
        found[name] = feature["image/encoded"].bytes_list.value[0]
        picture = cv2.imdecode(np.frombuffer(found[name], np.uint8), cv2.IMREAD_COLOR)
        size = [feature[f"image/{side}"].int64_list.value[0] for side in ("height", "width")]
        assert list(picture.shape[:2]) == size
        kind = feature["image/format"].bytes_list.value[0]
        assert kind == (b"JPEG" if name.endswith(".jpg") else b"PNG")
    folder, damaged = mixed
    whole = {path for path in folder.rglob("*.*") if str(path) not in damaged}
    assert found == {str(path.relative_to(folder)): path.read_bytes() for path in whole}


def test_the_index_says_what_is_there(shards, mixed):
    index = json.loads((shards / "index.json").read_text())
    assert index["data"] == f"folder:{mixed[0]}" and index["format"] == 1
    assert index["damaged"] == [os.path.basename(path) for path in mixed[1]]
    assert set(index["versions"]) == {"python", "apache-beam", "colorization", "tensorflow"}
    assert sum(entry["num_pictures"] for entry in index["shards"]) == index["num_pictures"] == 61
    names = [f"pictures-{i:05d}-of-00007" for i in range(7)]
    assert sorted(files(shards)) == sorted(
        ["index.json"] + [name + suffix for name in names for suffix in (".json", ".tfrecord")]
    )
    for entry in index["shards"]:
        data = (shards / entry["shard"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (entry["bytes"], entry["sha256"])
    assert index["bytes"] == sum(entry["bytes"] for entry in index["shards"])


def test_damaged_pictures_are_counted_and_named(mixed, tmp_path, caplog):
    shard(f"folder:{mixed[0]}", tmp_path / "shards", num_shards=1)
    assert "5 of 66 pictures are damaged and are left out: cut.jpg, cut.png, empty" in caplog.text


def test_each_shard_is_a_fair_sample(tmp_path):
    """Of names in order, as those of classes or days are, no shard has a run."""
    for index in range(400):
        (tmp_path / f"{index:03d}.png").write_bytes(b"-")
    parts = beam_pipeline.plan(f"folder:{tmp_path}", num_shards=4).parts
    assert [len(part.names) for part in parts] == [100] * 4
    assert sorted(i for part in parts for i in part.positions) == list(range(400))
    for part in parts:
        # The mean of 100 of 400 numbers has a standard deviation of 10.
        assert abs(np.mean(part.positions) - 199.5) < 40
        assert np.mean(np.diff(part.positions) > 0) < 0.7


def test_size_sets_the_number_of_shards(tmp_path):
    for index in range(9):
        (tmp_path / f"{index}.png").write_bytes(bytes(700_000))
    plans = [beam_pipeline.plan(f"folder:{tmp_path}", megabytes=size) for size in (1, 2, 100)]
    assert [len(plan.parts) for plan in plans] == [6, 3, 1]


def test_the_place_of_the_folder_does_not_change_the_bytes(shards, mixed, tmp_path, monkeypatch):
    shutil.copytree(mixed[0], tmp_path / "copy")
    monkeypatch.chdir(tmp_path)
    shard("folder:copy", "again", num_shards=7)
    new, old = files(tmp_path / "again"), files(shards)
    assert json.loads(new.pop("index.json")) | {"data": ""} == (
        json.loads(old.pop("index.json")) | {"data": ""}
    )
    assert new == old


def test_what_is_missing_or_damaged_is_made_again(shards, mixed, tmp_path):
    folder = tmp_path / "shards"
    shutil.copytree(shards, folder)
    (folder / "pictures-00000-of-00007.tfrecord").unlink()
    (folder / "pictures-00001-of-00007.json").unlink()
    for number, place in ((2, 40), (3, -1)):
        path = folder / f"pictures-{number:05d}-of-00007.tfrecord"
        data = bytearray(path.read_bytes())
        data[place] ^= 1
        path.write_bytes(data)
    path = folder / "pictures-00004-of-00007.tfrecord"
    path.write_bytes(path.read_bytes()[:-20])
    (folder / "pictures-00005-of-00007.json").write_text("{")
    path = folder / "pictures-00006-of-00007.json"
    listing = json.loads(path.read_text())
    listing["offsets"][1] += 1
    path.write_text(json.dumps(listing))
    (folder / "index.json").write_text('{"plan')
    (folder / ".pictures-00006-of-00007.tfrecord.0123456789abcdef.part").write_bytes(b"half")
    _, num_made = shard(f"folder:{mixed[0]}", folder, num_shards=7)
    assert num_made == 7 and files(folder) == files(shards)


def test_whole_shards_are_kept(shards, mixed):
    before = {path.name: path.stat().st_mtime_ns for path in shards.glob("pictures-*")}
    _, num_made = shard(f"folder:{mixed[0]}", shards, num_shards=7)
    assert num_made == 0
    assert before == {path.name: path.stat().st_mtime_ns for path in shards.glob("pictures-*")}


def test_excluded_pictures_are_left_out(shards, mixed, tmp_path):
    listed = tmp_path / "exclude.txt"
    left_out = [str(mixed[0] / "whole" / "0" / "00.png"), str(mixed[0] / "gray.png")]
    listed.write_text("".join(listings.format_line(name, "-") for name in left_out))
    folder = tmp_path / "shards"
    index, _ = shard(f"folder:{mixed[0]}", folder, exclude=str(listed), num_shards=2)
    assert sorted(index.excluded) == ["gray.png", "whole/0/00.png"]
    names = {feature["image/filename"].bytes_list.value[0] for feature in examples(folder)}
    assert len(names) == index.num_pictures == 59
    assert not names & {b"gray.png", b"whole/0/00.png"}


def test_joined_folders_keep_names_apart(picture_folder, tmp_path):
    for name in ("a", "b"):
        shutil.copytree(picture_folder, tmp_path / name)
    shard(f"folder:{tmp_path}/b,folder:{tmp_path}/a", tmp_path / "shards", num_shards=3)
    # In the order in which they were joined.
    names = open_source(f"records:{tmp_path}/shards").names
    expected = [os.path.relpath(p, picture_folder) for p in sorted(picture_folder.rglob("*.*"))]
    assert names == [f"{top}/{name}" for top in "ba" for name in expected]


def test_names_that_are_no_text_survive(tmp_path):
    name = os.fsdecode(b"caf\xe9\n.png")
    (tmp_path / "in").mkdir()
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "a.png").rename(tmp_path / "in" / name)
    shard(f"folder:{tmp_path}/in", tmp_path / "shards")
    assert open_source(f"records:{tmp_path}/shards").names == [name]
    assert [f["image/filename"].bytes_list.value[0] for f in examples(tmp_path / "shards")] == [
        b"caf\xe9\n.png"
    ]


@pytest.mark.slow
def test_shards_can_be_sharded(shards, tmp_path):
    shard(f"records:{shards}", tmp_path / "again", num_shards=3)
    old, new = (open_source(f"records:{folder}") for folder in (shards, tmp_path / "again"))
    assert old.names == new.names
    pictures = [[s.read(e).numpy() for e in s.elements] for s in (old, new)]
    assert pictures[0] == pictures[1] and old.listing != new.listing


def test_pairs(tmp_path):
    for index in range(4):
        for kind, level in (("color", (0, 80, 10 * index)), ("gray", (9 * index,) * 3)):
            (tmp_path / kind).mkdir(exist_ok=True)
            picture = np.full((8, 9, 3), level, np.uint8)
            cv2.imwrite(str(tmp_path / kind / f"{index}.png"), picture)
    pairs = f"pairs:color={tmp_path}/color,gray={tmp_path}/gray"
    index, _ = shard(pairs, tmp_path / "shards", num_shards=2)
    assert index.is_paired
    old, new = (open_source(text) for text in (pairs, f"records:{tmp_path}/shards"))
    both = [[s.read_all(e).numpy().tolist() for e in s.elements] for s in (old, new)]
    assert both[0] == both[1] and np.shape(both) == (2, 4, 2)


def test_too_much_damage_stops_without_an_index(tmp_path):
    for index in range(9):
        cv2.imwrite(str(tmp_path / f"{index}.png"), np.zeros((4, 4, 3), np.uint8))
    (tmp_path / "bad.png").write_bytes(b"-")
    (tmp_path / "worse.png").write_bytes(b"")
    with pytest.raises(UserError, match="2 of 11 files are damaged .* the first is bad.png"):
        shard(f"folder:{tmp_path}", tmp_path / "shards")
    with pytest.raises(UserError, match="if the command was stopped, run it again"):
        records.open_records("records:shards", str(tmp_path / "shards"))


def test_a_run_that_made_nothing_can_be_given_other_flags(picture_folder, tmp_path):
    data = f"folder:{picture_folder}"
    with pytest.raises(UserError, match="NoRunner"):
        beam_pipeline.shard(
            beam_pipeline.plan(data, num_shards=5), str(tmp_path), runner="NoRunner"
        )
    index, _ = shard(data, tmp_path, num_shards=2)
    assert len(index.shards) == 2 and len(files(tmp_path)) == 5


@pytest.mark.parametrize(
    "change, message",
    [
        ({"num_shards": 6}, "holds shards of other pictures"),
        ({"data": "samples"}, "holds shards of other pictures"),
        ({"num_shards": 67}, "Received: --num_shards=67 for 66 pictures. Set --num_shards=66"),
        ({"data": "tfds:tiny"}, "are shards already. Received: --data=tfds:tiny"),
        ({"output": "{full}"}, "--output is a new or empty folder.*which holds something else"),
        ({"output": "{full}/file/x"}, "--output=.*file/x can't be written: .*Not a directory"),
    ],
)
def test_mistakes(change, message, shards, mixed, tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "notes.json").write_text("[]")
    before = files(shards)
    options = {"data": f"folder:{mixed[0]}", "output": str(shards), "num_shards": 7} | change
    options["output"] = options["output"].format(full=tmp_path)
    if options["data"] == "samples":
        options["num_shards"] = 4
    with pytest.raises(UserError, match=message) as caught:
        shard(**options)
    assert "\n" not in str(caught.value)
    assert files(shards) == before and sorted(os.listdir(tmp_path)) == ["file", "notes.json"]


def call(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "pipelines.shard", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def test_help_needs_neither_tensorflow_nor_beam():
    program = (
        "import sys; sys.modules.update(tensorflow=None, apache_beam=None)\n"
        "from pipelines import console, shard\n"
        "sys.argv = ['shard', '--data=samples', '--output=x']\n"
        "console.run_command(shard.main, shard.define_flags)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1 and "pip install 'colorization[scale]'" in done.stderr


@pytest.mark.slow
def test_two_processes_make_the_bytes_of_one(shards, mixed, tmp_path):
    process = call(f"--data=folder:{mixed[0]}", f"--output={tmp_path}/shards", "--num_shards=7",
                   "--beam_options=--direct_num_workers=2")  # fmt: skip
    text, errors = process.communicate()
    assert process.returncode == 0, errors
    assert "7 shards (7 made now), 61 pictures (5 damaged and 0 excluded left out)" in text
    assert errors.count("pictures, 0.") == 7 and errors.count("are damaged and are left out") == 1
    assert errors.count("\n") == 8, errors
    assert files(tmp_path / "shards") == files(shards)


@pytest.mark.slow
def test_killed_and_run_again_is_never_killed(mixed, tmp_path):
    arguments = [f"--data=folder:{mixed[0]}", "--num_shards=60"]
    arguments.append("--beam_options=--direct_num_workers=1")
    folder = tmp_path / "killed"
    process = call(*arguments, f"--output={folder}", start_new_session=True)
    # It says a line for each.
    assert all(process.stderr.readline().endswith("MB\n") for _ in range(5))
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    num_whole = len(list(folder.glob("pictures-*.json")))
    assert 5 <= num_whole < 60 and not (folder / "index.json").exists()
    index, num_made = shard(f"folder:{mixed[0]}", folder, num_shards=60)
    assert num_made == 60 - num_whole and len(index.shards) == 60
    shard(f"folder:{mixed[0]}", tmp_path / "whole", num_shards=60)
    assert files(folder) == files(tmp_path / "whole")


def test_beam_itself_reads_the_shards(shards):
    """A second implementation of the format, with checksums of its own."""
    import apache_beam
    from apache_beam.testing.test_pipeline import TestPipeline
    from apache_beam.testing.util import assert_that, equal_to

    pytest.importorskip("google_crc32c")
    names = open_source(f"records:{shards}").names

    def name_of(record):
        feature = tf.train.Example.FromString(record).features.feature
        return os.fsdecode(feature[shard_files.FILENAME].bytes_list.value[0])

    with TestPipeline(runner="FnApiRunner") as pipeline:
        found = pipeline | apache_beam.io.ReadFromTFRecord(f"{shards}/*.tfrecord")
        assert_that(found | apache_beam.Map(name_of), equal_to(names))


def test_no_beam_is_one_line(monkeypatch, mixed, tmp_path):
    planned = beam_pipeline.plan(f"folder:{mixed[0]}")
    monkeypatch.setitem(sys.modules, "apache_beam", None)
    with pytest.raises(UserError, match=r"pip install 'colorization\[scale\]'"):
        beam_pipeline.shard(planned, str(tmp_path / "shards"))
    assert not (tmp_path / "shards").exists()
