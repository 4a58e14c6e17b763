"""What is shuffled are places of pictures, of every kind of source and cache."""

import os
import sys

import cv2
import numpy as np
import psutil
import pytest
import tensorflow as tf

from colorization.config import Config
from pipelines.batches import input_chain, survey
from pipelines.color import codecs
from pipelines.sources import opener, records

RECORDS = [b"", b"one", b"another" * 999]


def test_places_are_those_of_the_records(tmp_path):
    path = str(tmp_path / os.fsdecode(b"caf\xe9.tfrecord"))
    with tf.io.TFRecordWriter(os.fsencode(path)) as writer:
        for record in RECORDS:
            writer.write(record)
    found = records.find_places(path)
    assert [records.read_record(tf.constant(place)).numpy() for place in found] == RECORDS
    assert sum(int(length) for _, _, length in found) == os.path.getsize(path)


def test_no_records_are_no_places(tmp_path):
    (tmp_path / "empty").touch()
    assert records.find_places(str(tmp_path / "empty")) == []


def noise(seed, side):
    picture = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.imencode(".png", picture)[1].tobytes()


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    """A folder of `color/` and `gray/`, three pictures of 12 kB each."""
    folder = tmp_path_factory.mktemp("noisy")
    for part in ("color", "gray"):
        (folder / part).mkdir()
        for number in range(3):
            (folder / part / f"{number}.png").write_bytes(noise(number, 64))
    return folder


@pytest.fixture(scope="module")
def prepared(noisy):
    """The same pictures as a set of TensorFlow Datasets of pictures, and as one of pairs."""
    tfds = pytest.importorskip("tensorflow_datasets")

    class NoisyPictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")
        NAMES = ("image",)

        def _info(self):
            features = {name: tfds.features.Image() for name in self.NAMES}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, download_manager):
            return {"train": self._generate_examples()}

        def _generate_examples(self):
            for number in range(3):
                yield number, {name: noisy / "color" / f"{number}.png" for name in self.NAMES}

    class NoisyPairs(NoisyPictures):
        NAMES = ("color", "gray")

    for builder in (NoisyPictures, NoisyPairs):
        builder(data_dir=noisy / "sets").download_and_prepare()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tfds.core.constants, "DATA_DIR", str(noisy / "sets"))
        yield


@pytest.mark.parametrize(
    "specification",
    [
        "folder:{folder}/color",
        "pairs:color={folder}/color,gray={folder}/gray",
        "tfds:noisy_pictures",
        "tfds:noisy_pairs",
    ],
)
def test_elements_are_places_and_not_pictures(specification, noisy, prepared):
    source = opener.open_source(specification.format(folder=noisy))
    elements = list(source.elements.as_numpy_iterator())
    assert all(sum(map(len, np.ravel(element))) < 1000 for element in elements)
    expected = {(noisy / "color" / f"{number}.png").read_bytes() for number in range(3)}
    assert {source.read(element).numpy() for element in elements} == expected
    assert (source.read_gray is not None) == ("pairs" in specification)
    if source.read_gray:
        assert {source.read_gray(element).numpy() for element in elements} == expected


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="counts memory as Linux does")
def test_a_full_shuffle_from_disk_holds_no_pictures(tmp_path):
    folder, cache = tmp_path / "pictures", tmp_path / "cache"
    folder.mkdir(), cache.mkdir()
    for number in range(100):
        (folder / f"{number}.png").write_bytes(noise(number, 500))
    source = opener.open_source(f"folder:{folder}")
    found = survey.survey(source)
    options = Config(image_size=32, depth=4, batch_size=2, seed=3, cache=str(cache))

    def batches():
        chain = input_chain.training_batches(source, found, codecs.CODECS["lab"], options)
        return iter(chain)

    next(batches())  # Fills the cache.
    before, again = psutil.Process().memory_info().rss, batches()
    next(again)
    grown = psutil.Process().memory_info().rss - before
    assert grown < sum(path.stat().st_size for path in folder.iterdir()) / 2
