"""Lists of pictures to leave out: what is written is read, and what is read is left out."""

import logging
import os

import cv2
import numpy as np
import pytest
import tensorflow as tf

from pipelines.batches import survey
from pipelines.errors import UserError
from pipelines.sources import listings
from pipelines.sources.opener import Source, open_source

STRANGE = ("a b.png", "a\tb.png", "a\nb.png", " a.png", "#a.png", '"a".png', "ä.png", "a\udce9.png")


def paths(source):
    return [os.fsdecode(element) for element in source.elements.as_numpy_iterator()]


@pytest.fixture
def listed(tmp_path):
    def write(*lines):
        path = tmp_path / "exclude.txt"
        path.write_text("\n".join(lines), encoding="utf-8", newline="")
        return str(path)

    return write


@pytest.mark.parametrize("name", STRANGE)
def test_every_name_survives_a_list(name, tmp_path):
    path = tmp_path / "exclude.txt"
    lines = [listings.format_line(name, "a reason, with a tab\t"), "\n", "# comment\n"]
    path.write_text("".join(lines), encoding="utf-8")
    assert listings.read_names(path) == [name]


def test_names_written_by_hand(listed):
    path = listed("\ufeffa.png  \tgray\r", "b.png\r", "", "   ", "# c.png", "d#1.png")
    assert listings.read_names(path) == ["a.png", "b.png", "d#1.png"]


def test_named_pictures_are_left_out(picture_folder, listed, monkeypatch):
    source = open_source(f"folder:{picture_folder}")
    monkeypatch.chdir(picture_folder)
    # One path is relative to the working directory.
    left = listings.exclude(source, listed(f"{source.names[0]}\tgray", "more/02.jpg"))
    expected = [name for name in source.names if not name.endswith(("/00.png", "/02.jpg"))]
    assert left.names == paths(left) == expected and len(expected) == 10
    assert left.elements.cardinality() == 10
    assert left.excluded == [source.names[0], str(picture_folder / "more/02.jpg")]


def test_elements_of_a_table_go_by_their_names(listed):
    names = [f"tfds:tiny#{i}" for i in range(3)]
    elements = tf.data.Dataset.from_tensor_slices([b"zero", b"one", b"two"])
    source = Source("tfds:tiny", elements, names, tf.identity, "listing")
    left = listings.exclude(source, listed("tfds:tiny#1\tgray"))
    assert left.names == [names[0], names[2]] and paths(left) == ["zero", "two"]
    assert listings.full_name(source, names[0]) == names[0]


def test_the_listing_follows_what_is_left_out_and_not_why(picture_folder, listed):
    source = open_source(f"folder:{picture_folder}")
    lists = [[0], [0, 1], [1]]
    found = [
        listings.exclude(source, listed(*(source.names[i] for i in rows))).listing for rows in lists
    ]
    assert len({source.listing, *found}) == 4
    same = listed(f"{source.names[0]}\tugly", "# a comment", "unknown.png")
    assert listings.exclude(source, same).listing == found[0]
    assert listings.exclude(source, listed("unknown.png")).listing == source.listing


def test_unknown_names_are_counted_and_ten_named(picture_folder, listed, caplog):
    source = open_source(f"folder:{picture_folder}")
    path = listed(source.names[0], *(f"gone{i:02d}.png" for i in range(11)))
    with caplog.at_level(logging.WARNING):
        assert len(listings.exclude(source, path).names) == 11
    assert f"{path}: 11 of the 12 names are not in {source.name}: gone00.png, " in caplog.text
    assert "gone09.png, ..." in caplog.text and "gone10.png" not in caplog.text


def test_a_survey_notes_what_was_left_out(picture_folder, listed, tmp_path):
    source = open_source(f"folder:{picture_folder}")
    left = listings.exclude(source, listed(source.names[3]))
    found = survey.survey(left)
    assert (found.num_pictures, found.excluded) == (11, [source.names[3]])
    survey.save_survey(found, str(tmp_path / "survey.json"))
    assert survey.load_survey(tmp_path / "survey.json") == found


def test_a_survey_of_an_earlier_version_is_read(tmp_path):
    (tmp_path / "survey.json").write_text(
        '{"listing": "a", "fingerprint": "b", "num_pictures": 3, "damaged": [], "gray": [], '
        '"skipped": []}'
    )
    assert survey.load_survey(tmp_path / "survey.json").excluded == []


@pytest.mark.parametrize(
    "lines, message",
    [
        (None, "--exclude is a file of names.* Received: .*exclude.txt: No such file"),
        (['"a.png'], "exclude.txt, line 1: a name that starts with a quotation mark is a JSON"),
        (["{all}"], "exclude.txt names all 2 pictures of folder:.* Shorten it"),
    ],
)
def test_wrong_lists(lines, message, tmp_path, listed):
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / name), np.zeros((4, 4, 3), np.uint8))
    source = open_source(f"folder:{tmp_path}")
    path = str(tmp_path / "exclude.txt")
    if lines:
        listed(*(source.names if lines == ["{all}"] else lines))
    with pytest.raises(UserError, match=message) as caught:
        listings.exclude(source, path)
    assert "\n" not in str(caught.value)
