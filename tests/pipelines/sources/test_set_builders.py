"""The builders, by TFDS's own test case, on pictures and videos made here."""

import cv2
import numpy as np
import pytest
import scipy.io
import tensorflow as tf
import tensorflow_datasets as tfds

from pipelines.sources import opener
from pipelines.sources.set_builders import (
    OxfordFlowers17,
    PicturePairs,
    VideoFrames,
    VideoFramesConfig,
)


def solid(path, *bgr):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((12, 16, 3), bgr, np.uint8))


def make_flowers(folder):
    for number in range(1, 10):
        solid(folder / "jpg" / f"image_{number:04d}.jpg", 20 * number, 0, 250)
    tables = {f"trn{n}": [[n, n + 1]] for n in (1, 2, 3)}
    tables |= {f"val{n}": [[5, 6, 7]] for n in (1, 2, 3)} | {f"tst{n}": [[9]] for n in (1, 2, 3)}
    scipy.io.savemat(folder / "datasplits.mat", tables)


def make_pairs(folder):
    for split, count in (("train", 3), ("validation", 1)):
        for index in range(count):
            level = 40 * index + 10 * count
            solid(folder / split / "color" / "in" / f"{index}.png", level, 0, 250)
            gray = folder / split / "gray" / "in" / f"{index}.jpg"
            gray.parent.mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(gray), np.full((12, 16), level, np.uint8))


def make_videos(folder):
    random = np.random.default_rng(0)
    for split, count in (("train", 25), ("test", 1)):
        (folder / split).mkdir(parents=True)
        codec = cv2.VideoWriter_fourcc(*"MJPG")
        writer = cv2.VideoWriter(str(folder / split / "a.avi"), cv2.CAP_FFMPEG, codec, 25, (64, 48))
        for _ in range(count):
            corners = random.integers(0, 256, (6, 8, 3), dtype=np.uint8)
            writer.write(cv2.resize(corners, (64, 48), interpolation=cv2.INTER_CUBIC))
        writer.release()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Folders of what each builder reads, by the builder's class."""
    makers = {OxfordFlowers17: make_flowers, PicturePairs: make_pairs, VideoFrames: make_videos}
    folders = {}
    for builder, make in makers.items():
        folders[builder] = tmp_path_factory.mktemp(builder.name)
        make(folders[builder])
    return folders


class OnMadeFiles(tfds.testing.DatasetBuilderTestCase):
    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def made_files(cls, made):
        cls.EXAMPLE_DIR = str(made[cls.DATASET_CLASS])


@pytest.mark.slow
class OxfordFlowers17Test(OnMadeFiles):
    DATASET_CLASS = OxfordFlowers17
    SPLITS = {
        f"{name}{n}": size
        for name, size in (("train", 2), ("val", 3), ("test", 1))
        for n in (1, 2, 3)
    }
    OVERLAPPING_SPLITS = list(SPLITS)


class PicturePairsTest(OnMadeFiles):
    DATASET_CLASS = PicturePairs
    SPLITS = {"train": 3, "validation": 1}


class VideoFramesTest(OnMadeFiles):
    DATASET_CLASS = VideoFrames
    SPLITS = {"train": 3, "test": 1}


# Not a test case by itself.
del OnMadeFiles


@pytest.fixture
def prepare(made, tmp_path, monkeypatch):
    """Function that prepares a set where `tfds:` finds it."""
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(tmp_path))

    def prepare_set(builder, **options):
        options["data_dir"] = tmp_path
        config = tfds.download.DownloadConfig(manual_dir=made[builder])
        builder(**options).download_and_prepare(download_config=config)

    return prepare_set


def test_prepared_pairs_are_pairs(prepare):
    prepare(PicturePairs)
    source = opener.open_source("tfds:picture_pairs:train")
    pairs = [source.read_all(element).numpy() for element in source.elements]
    assert len(source.names) == 3 and not source.holds_files
    for color, gray in pairs:
        # Blue of the color picture is the level of its partner.
        level = tf.io.decode_image(gray)[0, 0, 0]
        assert tf.io.decode_image(color)[0, 0].numpy().tolist() == [250, 0, level]
    joined = opener.open_source("tfds:picture_pairs:train,tfds:picture_pairs:validation")
    assert len(joined.names) == 4 and joined.read_gray is source.read_gray


def test_videos_are_prepared_at_any_distance(prepare):
    prepare(VideoFrames, config=VideoFramesConfig(name="every_5", every=5))
    assert len(opener.open_source("tfds:video_frames/every_5:train").names) == 5
