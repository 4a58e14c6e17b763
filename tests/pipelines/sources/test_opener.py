"""Sources: which pictures, in which order, and what is said when there are none."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from colorization.config import Config
from pipelines.batches import input_chain, survey
from pipelines.color import codecs
from pipelines.errors import UserError
from pipelines.sources.opener import open_source

ROOT = pathlib.Path(__file__).parents[3]


def contents(source):
    """The encoded pictures of a source, in its order."""
    return [source.read(element).numpy() for element in source.elements]


def relative(source, folder):
    return [os.path.relpath(name, folder) for name in source.names]


def test_folder_is_read_deeply_and_in_order(picture_folder):
    source = open_source(f"folder:{picture_folder}")
    paths = sorted(str(path) for path in picture_folder.rglob("*.*"))
    assert len(paths) == 12 and source.names == paths
    assert source.elements.cardinality() == 12
    assert contents(source) == [pathlib.Path(path).read_bytes() for path in paths]


def test_folder_skips_what_is_hidden_and_what_is_no_picture(tmp_path):
    for name in ("b.PNG", "a.jpeg", "in/c.tiff", ".d.png", ".e/f.png", "in/.g/h.png", "i.txt", "j"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"-")
    (tmp_path / "k.png").mkdir()
    assert relative(open_source(f"folder:{tmp_path}"), tmp_path) == ["a.jpeg", "b.PNG", "in/c.tiff"]


def test_what_is_left_out_is_counted_or_not_the_users(tmp_path, caplog):
    for name in ("a.png", "b.jxl", "c.DNG", "@eaDir/d.png", "__MACOSX/e.png", "._f.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"-")
    (tmp_path / "linked").symlink_to(tmp_path)
    assert relative(open_source(f"folder:{tmp_path}"), tmp_path) == ["a.png"]
    unread, linked = caplog.messages
    assert "left out 2 files of formats that are not read: " in unread and "b.jxl" in unread
    assert "left out 1 link to a folder: " in linked and linked.endswith("/linked")


def test_names_need_not_be_utf8(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).write_bytes(b"-")
    source = open_source(f"folder:{tmp_path}")
    assert contents(source) == [b"-"] and len(source.names) == 1


def test_a_link_that_leads_nowhere_is_listed(tmp_path):
    (tmp_path / "a.png").symlink_to(tmp_path / "gone.png")
    first = open_source(f"folder:{tmp_path}")
    (tmp_path / "gone.png").write_bytes(b"-")
    assert len(first.names) == 1 and first.listing != open_source(f"folder:{tmp_path}").listing


def test_listing_changes_with_names_and_sizes_alone(tmp_path):
    (tmp_path / "a.png").write_bytes(b"one")
    listings = [open_source(f"folder:{tmp_path}").listing for _ in range(2)]
    (tmp_path / "a.png").write_bytes(b"longer")
    listings.append(open_source(f"folder:{tmp_path}").listing)
    (tmp_path / "a.png").rename(tmp_path / "b.png")
    listings.append(open_source(f"folder:{tmp_path}").listing)
    assert listings[0] == listings[1] and len(set(listings)) == 3


def test_samples():
    source = open_source("samples")
    assert [os.path.basename(name) for name in source.names] == [
        "astronaut.png",
        "chelsea.png",
        "coffee.png",
        "rocket.jpg",
    ]
    assert all(tf.io.decode_image(picture).shape[-1] == 3 for picture in contents(source))


def test_samples_without_scikit_image(monkeypatch):
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(UserError, match="pip install scikit-image"):
        open_source("samples")


def test_joined_folders_follow_each_other(picture_folder, tmp_path):
    (tmp_path / "z.png").write_bytes(b"-")
    first, second = f"folder:{tmp_path}", f"folder:{picture_folder}"
    joined = open_source(f"{first}, {second}")
    parts = [open_source(first), open_source(second)]
    assert joined.names == parts[0].names + parts[1].names
    assert contents(joined) == contents(parts[0]) + contents(parts[1])
    assert joined.listing not in {part.listing for part in parts}
    assert joined.listing != open_source(f"{second},{first}").listing


@pytest.mark.parametrize(
    "specification, message",
    [
        ("", r"folder:PATH, .*, tfds:NAME\[:SPLIT\] or samples\. Received: nothing\."),
        ("photos", "Received: 'photos'"),
        ("foder:photos", "Received: 'foder:photos'"),
        ("folder:", "Received: 'folder:'"),
        ("tfds:", "Received: 'tfds:'"),
        ("samples,", "Received: 'samples,'"),
        ("{folder}", "Did you mean folder:{folder}?"),
        ("folder:{folder}/none", "needs a folder. Received: {folder}/none"),
        ("folder:{folder}/some.txt", "needs a folder"),
        ("folder:{folder}", "needs a folder of pictures.*Received: {folder}, which holds 1 others"),
        ("samples,tfds:nothing_of_this_name", "nothing_of_this_name could not be opened: "),
    ],
)
def test_wrong_specifications(specification, message, tmp_path):
    (tmp_path / "some.txt").write_text("-")
    message = message.replace("{folder}", str(tmp_path)).replace("?", r"\?")
    with pytest.raises(UserError, match=message) as caught:
        open_source(specification.replace("{folder}", str(tmp_path)))
    assert "\n" not in str(caught.value)


@pytest.fixture(scope="module")
def tfds():
    return pytest.importorskip("tensorflow_datasets")


@pytest.fixture(scope="module")
def data_dir(tfds, tmp_path_factory):
    """A directory in which a set of ten pictures, and one of labels, are prepared."""

    class TinyPictures(tfds.core.GeneratorBasedBuilder):
        VERSION = tfds.core.Version("1.0.0")

        def _info(self):
            features = {"label": tfds.features.Scalar(tf.int64), "image": tfds.features.Image()}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _split_generators(self, download_manager):
            return {"train": self._generate_examples(10), "test": self._generate_examples(3)}

        def _generate_examples(self, count):
            for index in range(count):
                picture = np.full((20, 24, 3), (0, 20 * index, 200), np.uint8)
                yield index, {"label": index, "image": picture}

    class TinyLabels(TinyPictures):
        def _info(self):
            features = {"label": tfds.features.Scalar(tf.int64)}
            return self.dataset_info_from_configs(features=tfds.features.FeaturesDict(features))

        def _generate_examples(self, count):
            for index in range(count):
                yield index, {"label": index}

    directory = tmp_path_factory.mktemp("tfds")
    for builder in (TinyPictures, TinyLabels):
        builder(data_dir=directory).download_and_prepare()
    return directory


@pytest.fixture
def prepared(tfds, data_dir, monkeypatch):
    """Makes that directory the default, as TFDS_DATA_DIR does where it is set at the start."""
    monkeypatch.setattr(tfds.core.constants, "DATA_DIR", str(data_dir))


def levels(source):
    return [int(tf.io.decode_image(picture)[0, 0, 1]) // 20 for picture in contents(source)]


def test_tfds(prepared):
    source = open_source("tfds:tiny_pictures")
    assert sorted(levels(source)) == list(range(10))
    assert levels(source) == levels(open_source("tfds:tiny_pictures:train"))
    assert source.names[:2] == ["tfds:tiny_pictures#0", "tfds:tiny_pictures#1"]
    assert sorted(levels(open_source("tfds:tiny_pictures:test"))) == [0, 1, 2]
    assert len({open_source(f"tfds:tiny_pictures:{s}").listing for s in ("train", "test")}) == 2


def test_tfds_slices_and_joins(prepared):
    whole = levels(open_source("tfds:tiny_pictures"))
    joined = open_source("tfds:tiny_pictures:train[6:],tfds:tiny_pictures:train[:30%]")
    assert levels(joined) == whole[6:] + whole[:3]
    assert len(joined.names) == 7


@pytest.mark.slow
def test_tfds_gives_the_same_training_batches_again(prepared):
    def first_batches():
        source = open_source("tfds:tiny_pictures")
        options = Config(image_size=16, depth=4, shuffle_buffer=4, batch_size=4, seed=1)
        found = survey.survey(source)
        chain = input_chain.training_batches(source, found, codecs.CODECS["lab"], options)
        return [target.numpy() for _, target in chain.take(5)]

    np.testing.assert_array_equal(first_batches(), first_batches())


@pytest.mark.parametrize(
    "specification, message",
    [
        ("tfds:tiny_pictures:validation", "could not be opened: .*validation"),
        ("tfds:tiny_labels", "tfds:tiny_labels has no feature that is a picture"),
        (
            "tfds:tiny_pictures,samples",
            "folders are joined with folders, pairs with pairs and tfds",
        ),
    ],
)
def test_wrong_tfds_specifications(specification, message, prepared):
    with pytest.raises(UserError, match=message) as caught:
        open_source(specification)
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_tfds_data_dir_says_where_prepared_sets_are(data_dir):
    """In a program that does not know how the set was made."""
    program = (
        "from pipelines.sources import opener; s = opener.open_source('tfds:tiny_pictures:test');"
        "print(len([s.read(element) for element in s.elements]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"TFDS_DATA_DIR": str(data_dir)},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.stdout.split() == ["3"], done.stderr
