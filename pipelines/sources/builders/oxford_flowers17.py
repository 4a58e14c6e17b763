"""Oxford 17 flowers as a set of TensorFlow Datasets."""

import tensorflow_datasets as tfds

from pipelines.sources import oxford


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
