"""Builders of TensorFlow Datasets for what `sources` reads from folders: prepare once, read fast.

Each takes its files from the manual folder of TFDS; see docs/data.md.
"""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from pipelines.sources import listings, oxford, video


class OxfordFlowers17(tfds.core.GeneratorBasedBuilder):
    """Photographs of 17 kinds of flowers, 80 of each, in three splits of the whole."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Download 17flowers.tgz and datasplits.mat from "
        "https://www.robots.ox.ac.uk/~vgg/data/flowers/17/, unpack the first, and put jpg/ and "
        "datasplits.mat into the manual folder."
    )

    def _info(self):
        features = {"image": tfds.features.Image(), "file_name": tfds.features.Text()}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://www.robots.ox.ac.uk/~vgg/data/flowers/17/",
        )

    def _split_generators(self, dl_manager):
        folder = dl_manager.manual_dir
        splits = oxford.read_splits(folder / "datasplits.mat")
        return {split: self._generate_examples(folder, splits[split]) for split in splits}

    def _generate_examples(self, folder, numbers):
        for number in numbers:
            path = folder / oxford.picture_path(number)
            yield number, {"image": path, "file_name": path.name}


class PicturePairs(tfds.core.GeneratorBasedBuilder):
    """Pictures in color and in gray of the same scenes, matched by name."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put into the manual folder one folder for each split, such as train/ and validation/, "
        "with color/ and gray/ in it, which hold pictures of equal names."
    )

    def _info(self):
        features = {name: tfds.features.Image() for name in ("color", "gray")}
        features["file_name"] = tfds.features.Text()
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        folders = sorted(path for path in dl_manager.manual_dir.iterdir() if path.is_dir())
        return {folder.name: self._generate_examples(folder) for folder in folders}

    def _generate_examples(self, folder):
        for color, gray in listings.match_folders(
            *(str(folder / key) for key in ("color", "gray"))
        ):
            name = color.removeprefix(f"{folder}/color/")
            yield name, {"color": color, "gray": gray, "file_name": name}


@dataclasses.dataclass(kw_only=True)
class VideoFramesConfig(tfds.core.BuilderConfig):
    """Which frames to take: 10 takes every tenth."""

    every: int = video.EVERY


class VideoFrames(tfds.core.GeneratorBasedBuilder):
    """Every N-th frame of videos, without near-duplicates."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [VideoFramesConfig(name="every_10")]
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put into the manual folder one folder for each split, such as train/ and validation/, "
        "with video files in it and nothing else."
    )

    def _info(self):
        features = {
            "image": tfds.features.Image(),
            "file_name": tfds.features.Text(),
            "number": tfds.features.Scalar(np.int64),
        }
        return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

    def _split_generators(self, dl_manager):
        folders = sorted(path for path in dl_manager.manual_dir.iterdir() if path.is_dir())
        return {folder.name: self._generate_examples(folder) for folder in folders}

    def _generate_examples(self, folder):
        for path in sorted(folder.iterdir()):
            for number, frame in video.distinct_frames(str(path), self.builder_config.every):
                encoded = video.encode_frame(frame)
                name = path.name
                yield f"{name} {number}", {"image": encoded, "file_name": name, "number": number}
