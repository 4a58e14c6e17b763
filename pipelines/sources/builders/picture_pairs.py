"""Paired folders as a set of TensorFlow Datasets."""

import tensorflow_datasets as tfds

from pipelines.sources import pairs


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
        for color, gray in pairs.match_folders(*(str(folder / key) for key in ("color", "gray"))):
            name = color.removeprefix(f"{folder}/color/")
            yield name, {"color": color, "gray": gray, "file_name": name}
