"""Pairs: which pictures go together, and that they stay together on their way."""

import dataclasses
import logging

import cv2
import numpy as np
import pytest
import tensorflow as tf

from pipelines.batches import decoding, input_chain, survey
from pipelines.color import codecs
from pipelines.errors import UserError
from pipelines.sources import listings
from pipelines.sources.opener import open_source, split_specifications
from tests.pipelines import training_chain

CODEC = codecs.CODECS["gray_rgb"]


def store(path, picture):
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(
        str(path), np.uint8(picture)[..., ::-1] if np.ndim(picture) == 3 else picture
    )


def smooth(random, height, width):
    corners = random.integers(0, 256, (3, 3, 3), dtype=np.uint8)
    return cv2.resize(corners, (width, height), interpolation=cv2.INTER_CUBIC)


@pytest.fixture(scope="module")
def paired(tmp_path_factory):
    """Folders of eight pairs: the gray picture is the color one's red, inverted."""
    folder, random = tmp_path_factory.mktemp("paired"), np.random.default_rng(0)
    for index in range(8):
        picture = smooth(random, 150 - 8 * index, 150)
        # One kind each or two, some a folder down.
        place = f"in/{index}" if index % 2 else f"{index}"
        store(folder / "color" / f"{place}.{('png', 'bmp')[index % 3 == 1]}", picture)
        store(folder / "gray" / f"{place}.png", 255 - picture[..., 0])
    return folder


def specification(folder):
    return f"pairs:color={folder / 'color'},gray={folder / 'gray'}"


@pytest.fixture(scope="module")
def opened(paired):
    source = open_source(specification(paired))
    return source, survey.survey(source)


def train(source, found, count, start=0, **changes):
    small = dict(image_size=32, crop_area=0.3, lightness_jitter=0.0, batch_size=4)
    return training_chain.train(source, found, count, start, "gray_rgb", **(small | changes))


@pytest.fixture(scope="module")
def uncached(opened):
    return train(*opened, 5)


def test_names_match_within_folders_whatever_the_suffix(opened, paired):
    source, found = opened
    assert source.names == sorted(
        str(path) for path in (paired / "color").rglob("*.*") if path.is_file()
    )
    assert found.num_usable == 8 and source.elements.cardinality() == 8
    for name, element in zip(source.names, source.elements, strict=True):
        color, gray = (tf.io.decode_image(part).numpy() for part in source.read_all(element))
        np.testing.assert_array_equal(color, cv2.imread(name)[..., ::-1])
        np.testing.assert_array_equal(gray[..., 0], 255 - color[..., 0])
        assert source.read(element) == tf.io.read_file(name)


def test_folders_may_be_named_in_either_order(opened, paired):
    turned = open_source(f"pairs: gray={paired / 'gray'}, color={paired / 'color'}")
    assert (turned.names, turned.listing) == (opened[0].names, opened[0].listing)


def test_listing_follows_both_folders(paired, tmp_path, opened):
    for change in ("color", "gray"):
        for folder in ("color", "gray"):
            for path in (paired / folder).rglob("*.*"):
                copy = tmp_path / change / path.relative_to(paired)
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(path.read_bytes())
        first = open_source(specification(tmp_path / change)).listing
        with open(next((tmp_path / change / change).glob("0.*")), "ab") as file:
            file.write(b"-")
        assert open_source(specification(tmp_path / change)).listing != first


def test_the_gray_picture_is_the_condition_under_the_same_crop_and_flip(uncached):
    seen = np.concatenate(uncached)
    # In [-1, 1], inverting changes the sign. Resizing rounds each to a level.
    np.testing.assert_allclose(seen[..., 0], -seen[..., 1], atol=2.1 / 127.5)
    assert np.abs(seen[..., 0]).mean() > 0.2
    assert len({crop.tobytes() for crop in seen}) == len(seen)


@pytest.mark.slow
@pytest.mark.parametrize("kinds", [("jpg", "jpg"), ("jpg", "png")])
def test_large_pairs_stay_in_place(kinds, tmp_path):
    """JPEGs are read at reduced size, which must not move one picture against the other."""
    ramp = np.uint8(np.linspace(0, 255, 256))
    picture = np.stack([np.tile(ramp, (256, 1)), np.tile(ramp[:, None], (1, 256))], -1)
    picture = np.dstack([picture, np.full((256, 256), 20, np.uint8)])
    store(tmp_path / "color" / f"a.{kinds[0]}", picture)
    store(tmp_path / "gray" / f"a.{kinds[1]}", picture[..., 0])
    source = open_source(specification(tmp_path))
    found = survey.survey(source)
    seen = np.concatenate(train(source, found, 10, image_size=16, batch_size=1))
    # A pixel of the crop is 9 to 16 levels wide.
    assert np.abs(seen[..., 0] - seen[..., 1]).mean() < 2 / 127.5


def test_lightness_of_the_gray_picture_is_what_lab_codecs_see(opened):
    pictures = next(iter(input_chain.center_batches(*opened, 16, 8)))
    assert pictures.shape == (8, 16, 16, 6) and pictures.dtype == tf.uint8
    condition, target = codecs.CODECS["lab"].encode(pictures)
    expected = [codecs.CODECS["lab"].encode(part) for part in tf.split(pictures, 2, axis=-1)]
    np.testing.assert_array_equal(condition, expected[1][0])
    np.testing.assert_array_equal(target, expected[0][1])


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["memory", "disk"])
def test_caches_keep_pairs(cache, opened, uncached, tmp_path):
    where = str(tmp_path) if cache == "disk" else cache
    np.testing.assert_array_equal(train(*opened, 5, cache=where), uncached)


@pytest.mark.slow
def test_a_run_on_pairs_can_start_at_any_step(opened, uncached):
    np.testing.assert_array_equal(train(*opened, 2, start=3), uncached[3:])


def test_the_cache_of_pairs_is_not_that_of_their_color_pictures(opened, paired):
    alone = survey.survey(open_source(f"folder:{paired / 'color'}"))
    assert alone.num_usable == 8 and alone.fingerprint != opened[1].fingerprint


@pytest.mark.slow
def test_the_prior_is_of_the_color_pictures(opened, paired):
    source = open_source(f"folder:{paired / 'color'}")
    expected = input_chain.measure_prior(source, survey.survey(source))
    np.testing.assert_allclose(input_chain.measure_prior(*opened), expected)


def test_150_pixels_become_the_size_of_the_network(opened):
    size = 256
    batch = train(*opened, 1, image_size=size, crop_area=0.5)[0]
    assert batch.shape == (4, size, size, 4)
    # Nothing padded: rows and columns at the edges hold picture.
    assert all(np.std(batch[:, edge, :, 1:]) > 0.05 for edge in (0, -1))


@pytest.mark.slow
def test_a_survey_names_pairs_of_two_sizes_and_damaged_partners(tmp_path, caplog):
    random = np.random.default_rng(1)
    for index in range(30):
        picture = smooth(random, 40, 50)
        store(tmp_path / "color" / f"{index:02d}.png", picture)
        store(tmp_path / "gray" / f"{index:02d}.png", picture[: 39 if index == 7 else 40, :, 1])
    (tmp_path / "gray" / "08.png").write_bytes(b"torn")
    source = open_source(specification(tmp_path))
    found = survey.survey(source)
    assert found.mismatched == [str(tmp_path / "color" / "07.png")]
    assert found.damaged == [str(tmp_path / "color" / "08.png")]
    assert found.skipped == [7, 8] and found.num_usable == 28
    assert "1 of 30 pictures are of another size than their partners and are skipped" in caplog.text
    said = "1 damaged, 1 of another size than their partners and 0 gray skipped"
    assert survey.describe_skipped(found) == said
    assert train(source, found, 8)[0].shape == (4, 32, 32, 4)


@pytest.mark.slow
def test_a_survey_stops_at_more_than_a_tenth_of_two_sizes(tmp_path):
    random = np.random.default_rng(1)
    for index in range(8):
        picture = smooth(random, 40, 50)
        store(tmp_path / "color" / f"{index}.png", picture)
        store(tmp_path / "gray" / f"{index}.png", picture[:39, :, 1] if index else picture[..., 1])
    with pytest.raises(UserError, match="7 of 8 pairs differ, more than 10%; the first is .*1.p"):
        survey.survey(open_source(specification(tmp_path)))


@pytest.mark.slow
def test_swapped_folders_are_gray(paired):
    swapped = f"pairs:color={paired / 'gray'},gray={paired / 'color'}"
    with pytest.raises(UserError, match="of 8 8 are gray"):
        survey.survey(open_source(swapped))


def test_pictures_without_partners_are_counted_and_ten_named(tmp_path, caplog):
    for folder in ("color", "gray"):
        (tmp_path / folder).mkdir()
        for index in range(120):
            alone = "x" if folder == "gray" and index >= 115 else ""
            (tmp_path / folder / f"{alone}{index:03d}.png").write_bytes(b"-")
    (tmp_path / "gray" / "000.txt").write_text("no picture")
    with caplog.at_level(logging.WARNING):
        source = open_source(specification(tmp_path))
    assert len(source.names) == 115
    (text,) = (record.getMessage() for record in caplog.records)
    assert "10 of 240 pictures have no partner of the same name and are left out: " in text
    assert text.endswith(f"{tmp_path}/gray/x119.png") and f"{tmp_path}/color/115.png," in text
    (tmp_path / "gray" / "001.png").unlink()
    caplog.clear()
    assert len(open_source(specification(tmp_path)).names) == 114
    assert caplog.text.rstrip().endswith(", ...") and "x119" not in caplog.text


def test_too_many_without_partners_stop(paired, tmp_path):
    for name in ("a", "b"):
        store(tmp_path / f"{name}.png", np.zeros((2, 2, 3)))
    message = (
        "0 names are in both folders and 10 in one alone, more than 10%; the first is "
        ".*/color/0.png. Expected .* Rename or remove"
    )
    with pytest.raises(UserError, match=message):
        open_source(f"pairs:color={paired / 'color'},gray={tmp_path}")


def test_two_pictures_of_one_name_are_refused(tmp_path):
    for name in ("color/a.png", "color/a.jpg", "gray/a.png"):
        store(tmp_path / name, np.zeros((2, 2, 3)))
    with pytest.raises(UserError, match=r"Received: .*a\.jpg and .*a\.png\. Rename or remove"):
        open_source(specification(tmp_path))


@pytest.mark.parametrize(
    "text",
    [
        "pairs:{f}",
        "pairs:color={f}",
        "pairs:color={f},grey={f}",
        "pairs:color=,gray={f}",
        "pairs:gray={f},gray={f}",
        "pairs:color={f},gray={f},gray={f}",
    ],
)
def test_pairs_name_two_folders(text, tmp_path):
    text = text.format(f=tmp_path)
    with pytest.raises(UserError, match="pairs:color=PATH,gray=PATH. Received: ") as caught:
        open_source(text)
    assert text in str(caught.value)


def test_a_missing_folder_is_named(paired, tmp_path):
    for spec, name in (
        (f"pairs:color={tmp_path}/none,gray={paired / 'gray'}", f"{tmp_path}/none"),
        (f"pairs:color={paired / 'color'},gray=none", "none"),
    ):
        with pytest.raises(UserError, match=f"Received: {name}, which is not one"):
            open_source(spec)
    with pytest.raises(UserError, match=f"Received: {tmp_path}, which holds no file at all"):
        open_source(f"pairs:color={paired / 'color'},gray={tmp_path}")


def test_commas_join_pairs_and_part_the_rest():
    text = "pairs:color=a,gray=b, pairs:gray=c , color=d,folder:e"
    assert split_specifications(text) == [
        "pairs:color=a,gray=b",
        "pairs:gray=c , color=d",
        "folder:e",
    ]
    assert split_specifications("") == [""]


def test_folders_may_have_commas_in_their_names(tmp_path):
    text = "folder:sea, sky,pairs:color=a, b,gray=c,d,samples"
    parts = ["folder:sea, sky", "pairs:color=a, b,gray=c,d", "samples"]
    assert split_specifications(text) == parts
    for folder in ("a, b", "c,d"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "1.png").write_bytes(b"-")
    opened = open_source(f"pairs:color={tmp_path}/a, b,gray={tmp_path}/c,d")
    assert opened.names == [f"{tmp_path}/a, b/1.png"]


@pytest.mark.slow
def test_pairs_are_joined_with_pairs_alone(opened, paired):
    one = specification(paired)
    joined = open_source(f"{one},{one}")
    assert joined.names == opened[0].names * 2 and survey.survey(joined).num_usable == 16
    with pytest.raises(UserError, match="folders are joined with folders, pairs with pairs"):
        open_source(f"{one},folder:{paired / 'color'}")


@pytest.mark.slow
def test_pairs_are_excluded_by_the_color_picture(opened, tmp_path):
    source = opened[0]
    (tmp_path / "list").write_text(f"{source.names[3]}\tugly\n")
    left = listings.exclude(source, tmp_path / "list")
    assert left.names == source.names[:3] + source.names[4:]
    found = survey.survey(left)
    assert found.num_usable == 7 and train(left, found, 1)[0].shape == (4, 32, 32, 4)
    assert listings.full_name(dataclasses.replace(source), "a.png") != "a.png"


def test_reading_once_of_a_file_alone_gives_a_scalar(tmp_path):
    store(tmp_path / "a.png", np.zeros((2, 2, 3)))
    source = listings.from_files("a", [str(tmp_path / "a.png")])
    (element,) = source.elements
    assert source.read_all(element).shape == () and source.holds_files
    assert decoding.decode_in_graph(source.read_all(element)).shape == (2, 2, 3)
