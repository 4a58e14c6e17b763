"""Frames of videos as a set of TensorFlow Datasets."""

import dataclasses

import numpy as np
import tensorflow_datasets as tfds

from pipelines.sources import video


@dataclasses.dataclass(kw_only=True)
class VideoFramesConfig(tfds.core.BuilderConfig):
    """Which frames to take.

    Args:
        every: Distance between frames: 10 takes every tenth.
    """

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
