"""Videos: which frames are taken, where they are kept, and what is said of damaged files."""

import os
import pathlib
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from pipelines.batches import survey
from pipelines.errors import UserError
from pipelines.sources import video
from pipelines.sources.opener import open_source

# Number of scenes, and frames of each.
SCENES, LENGTH = 5, 12


def scene(index, height=48, width=64):
    corners = np.random.default_rng(index).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC)


def record(path, frames, codec="MJPG"):
    height, width = frames[0].shape[:2]
    code = cv2.VideoWriter_fourcc(*codec)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, code, 25, (width, height))
    assert writer.isOpened()
    for frame in frames:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
    return path


def film(order=range(SCENES)):
    """Scenes that each stand still, but for noise and a little brightness."""
    random, frames = np.random.default_rng(9), []
    for index in order:
        for step in range(LENGTH):
            noise = random.normal(step, 3, (48, 64, 3))
            frames.append(np.uint8(np.clip(scene(index) + noise, 0, 255)))
    return frames


@pytest.fixture(scope="session")
def recorded(tmp_path_factory):
    return record(tmp_path_factory.mktemp("recorded") / "film.avi", film())


@pytest.fixture
def film_path(recorded, tmp_path):
    (tmp_path / "videos").mkdir()
    return shutil.copy(recorded, tmp_path / "videos")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "colorization" / "frames"


@pytest.fixture
def decodings(monkeypatch):
    """Paths of the videos that were decoded."""
    seen, read = [], video.distinct_frames

    def counted(path, *rest):
        seen.append(path)
        return read(path, *rest)

    monkeypatch.setattr(video, "distinct_frames", counted)
    return seen


def numbers(source):
    return [int(pathlib.Path(name).stem) for name in source.names]


@pytest.mark.slow
@pytest.mark.parametrize("every, expected", [("", [0, 20, 30, 40, 50]), (":12", range(0, 60, 12))])
def test_every_nth_frame_is_taken_but_near_duplicates(every, expected, film_path):
    source = open_source(f"video:{film_path}{every}")
    # Of frames 0 and 10, of the first scene, one is kept.
    assert numbers(source) == list(expected)
    found = survey.survey(source)
    assert found.num_usable == len(source.names) == source.elements.cardinality()
    for number, element in zip(numbers(source), source.elements, strict=True):
        frame = tf.io.decode_jpeg(source.read(element)).numpy().astype(int)
        # The video halves the resolution of chroma; other scenes are 70 levels away.
        assert np.abs(frame - film()[number]).mean() < 12


def test_a_scene_that_comes_again_is_a_duplicate(tmp_path):
    path = record(tmp_path / "again.avi", film([0, 1, 0, 2, 1]))
    assert [number for number, _ in video.distinct_frames(path, LENGTH)] == [0, 12, 36]


@pytest.mark.parametrize("codec, suffix", [("mp4v", "mp4"), ("FFV1", "mkv"), ("VP80", "webm")])
def test_kinds_of_videos(codec, suffix, tmp_path):
    path = record(tmp_path / f"film.{suffix}", film(), codec)
    frames = dict(video.distinct_frames(path, LENGTH))
    assert list(frames) == [0, 12, 24, 36, 48]
    # Those that keep little of the noise do keep the colors.
    assert all(np.abs(frame.astype(int) - film()[n]).mean() < 12 for n, frame in frames.items())


def test_frames_are_reduced_to_720_lines(tmp_path):
    path = record(tmp_path / "upright.avi", [scene(0, 1600, 1440)])
    ((_, frame),) = video.distinct_frames(path, 10)
    assert frame.shape == (800, 720, 3) and frame.dtype == np.uint8


def test_a_video_is_decoded_once(film_path, decodings, cache, tmp_path):
    first = open_source(f"video:{film_path}")
    assert (len(decodings), len(os.listdir(cache))) == (1, 1)
    # Neither its time nor its place matter.
    moved = shutil.copy(film_path, tmp_path)
    os.utime(moved, (0, 0))
    again = open_source(f"video:{moved}")
    assert (again.names, again.listing) == (first.names, first.listing)
    assert len(decodings) == 1
    open_source(f"video:{film_path}:12")
    assert (len(decodings), len(os.listdir(cache))) == (2, 2)


def test_listing_follows_contents_and_not_the_cache(film_path, monkeypatch, tmp_path):
    first = open_source(f"video:{film_path}").listing
    assert open_source(f"video:{film_path}:12").listing != first
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "elsewhere"))
    assert open_source(f"video:{film_path}").listing == first
    size = os.path.getsize(film_path)
    record(film_path, film([5, 6, 7, 8, 9]))
    with open(film_path, "ab") as file:
        file.write(bytes(max(0, size - os.path.getsize(film_path))))
    assert open_source(f"video:{film_path}").listing != first


def test_patterns_take_videos_in_order_and_copies_once(film_path, tmp_path):
    folder = pathlib.Path(film_path).parent
    record(folder / "a.avi", film([7]))
    (folder / "in").mkdir()
    shutil.copy(film_path, folder / "in")
    source = open_source(f"video:{folder}/**/*.avi")
    assert [pathlib.Path(name).parent.name.partition("-")[0] for name in source.names] == [
        "a",
        *["film"] * 5,
    ]
    joined = open_source(f"video:{folder}/a.avi,folder:{folder.parent / 'cache'}")
    assert len(joined.names) == 1 + 6


def test_a_video_that_ends_early_is_named_and_used(film_path, caplog, decodings):
    whole = pathlib.Path(film_path).read_bytes()
    pathlib.Path(film_path).write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        caplog.clear()
        source = open_source(f"video:{film_path}")
        assert 1 < len(source.names) < 5 and all(n.endswith(".jpg") for n in source.names)
        (record_,) = caplog.records
        assert f"{film_path}: damaged: " in record_.getMessage()
        assert "of 60 frames can be read" in record_.getMessage()
    assert len(decodings) == 1


@pytest.mark.parametrize("content", [b"", b"Dear diary, today", b"RIFF\0\0\0\0AVI LIST"])
def test_a_file_without_frames_stops(content, tmp_path, cache, capfd):
    (tmp_path / "no.avi").write_bytes(content)
    message = f"no frame can be read of 1 of 1 files, more than 10%; the first is {tmp_path}/no"
    with pytest.raises(UserError, match=message):
        open_source(f"video:{tmp_path}/no.avi")
    assert not cache.exists() or not os.listdir(cache)
    # Nothing from FFmpeg.
    assert "moov" not in capfd.readouterr().err


def test_few_files_without_frames_are_named_and_left_out(film_path, tmp_path, caplog):
    folder = pathlib.Path(film_path).parent
    (folder / "no.avi").write_bytes(b"no")
    for index in range(9):
        shutil.copy(film_path, folder / f"{index}.avi")
    source = open_source(f"video:{folder}/*")
    (record_,) = caplog.records
    assert record_.getMessage() == (
        f"video:{folder}/*: 1 of 11 files have no readable frame and are skipped: {folder}/no.avi"
    )
    assert len(source.names) == 50


def test_an_interrupted_extraction_leaves_nothing(film_path, cache, monkeypatch):
    encode = video.encode_frame

    def full(frame):
        if len(os.listdir(next(cache.iterdir()))) == 3:
            raise OSError(28, "No space left on device")
        return encode(frame)

    monkeypatch.setattr(video, "encode_frame", full)
    message = f"Frames of {film_path} can't be kept in {cache}: No space left .* XDG_CACHE_HOME"
    with pytest.raises(UserError, match=message):
        open_source(f"video:{film_path}")
    assert os.listdir(cache) == []
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache.parents[1]))
    assert len(open_source(f"video:{film_path}").names) == 5


@pytest.mark.parametrize(
    "text, message",
    [
        ("video:{f}/*.mp4", r"{f}/\*.mp4 names no file. Expected the path of a video"),
        ("video:{f}:5", "names no file"),
        ("video:{f}/videos/film.avi:0", "1 or more. Received: video:{f}/videos/film.avi:0"),
        ("video:{f}/videos/film.avi:-3", "1 or more"),
        ("video:{f}/videos/film.avi:x", "film.avi:x names no file"),
    ],
)
def test_wrong_specifications(text, message, film_path, tmp_path):
    with pytest.raises(UserError, match=message.replace("{f}", str(tmp_path))) as caught:
        open_source(text.replace("{f}", str(tmp_path)))
    assert "\n" not in str(caught.value)


def test_the_cache_is_the_users_own(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert video.cache_folder() == os.path.expanduser("~/.cache/colorization/frames")
