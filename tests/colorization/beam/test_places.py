import pytest

from colorization.beam import places
from colorization.inference.plan import PlanError


def settle(*patterns, output="out"):
    return places.settle(patterns, output)[0]


@pytest.mark.parametrize(
    "pattern, root",
    [
        ("album/**", "album/"),
        ("album/19[34]?/a*.jpg", "album/"),
        ("/a/b/photo.jpg", "/a/b/"),
        ("gs://bucket/album/x*/**", "gs://bucket/album/"),
        ("gs://bucket//album///**", "gs://bucket/album/"),
        ("*.jpg", "./"),
    ],
)
def test_the_root_is_what_lies_before_the_first_wildcard(pattern, root):
    (glob,) = settle(pattern)
    assert glob.root == root
    assert glob.pattern.startswith(root)


def test_a_pattern_given_twice_counts_once():
    assert len(settle("a/**", "a/**", "b/**")) == 2


@pytest.mark.parametrize("output", ["album", "./album/", "."])
def test_photos_do_not_go_among_their_originals(output):
    with pytest.raises(PlanError, match="must not go among their originals"):
        settle("album/**", output=output)


def test_a_folder_in_a_folder_would_color_photos_twice():
    with pytest.raises(PlanError, match="colored twice"):
        settle("album/**", "album/1931/*.jpg")


def test_two_patterns_of_one_folder_go_together():
    assert len(settle("album/*.jpg", "album/*.png")) == 2


def test_folders_whose_names_begin_alike_are_apart():
    assert len(settle("album/**", "album2/**", output="album3")) == 2


@pytest.mark.parametrize(
    "path, name",
    [
        ("album/a.jpg", "a.jpg"),
        ("album/1931/b.TIF", "1931/b.TIF"),
        ("album/notes.txt", None),
        ("album/.hidden/a.jpg", None),
        ("album/1931/._a.jpg", None),
        ("album/colored/a.jpg", None),
    ],
)
def test_hidden_files_other_files_and_outputs_are_left_out(path, name):
    globs, output = places.settle(["album/**"], "album/colored/")
    assert places.name(globs[0], path, output) == name


def test_names_stay_and_what_cannot_be_written_becomes_png():
    assert places.destination("1931/b.jpeg") == "1931/b.jpeg"
    assert places.destination("1931/b.heic") == "1931/b.png"
