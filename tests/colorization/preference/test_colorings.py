import hashlib
import os
import pathlib
import shutil

import cv2
import numpy as np
import pytest
import tensorflow as tf

from colorization.preference import colorings
from colorization.preference.colorings import Model
from pipelines.color.gray import to_gray
from pipelines.photos import formats
from pipelines.photos.photo_files import read_picture, write_picture
from pipelines.sources import opener

GRAY = Model("gray", "gray", to_gray)


@pytest.fixture
def album(tmp_path, picture_folder):
    folder = tmp_path / "album"
    shutil.copytree(picture_folder, folder)
    return folder


def prepare(album, models, positions=None):
    """Digests and problems, by the names of the photos."""
    source = opener.open_source(f"folder:{album}")
    positions = set(range(len(source.names))) if positions is None else positions
    made = colorings.prepare(source, positions, models, album.parent / "made")
    return {pathlib.Path(name).name: (digest, problem) for name, digest, problem in made}


def test_each_model_paints_each_photo_once(album):
    painted = []
    model = Model("inverter", "print", lambda rgb: painted.append(1) or 255 - rgb)
    found = prepare(album, [GRAY, model])
    assert len(found) == 12 and not any(problem for _, problem in found.values())
    path = colorings.picture_path(album.parent / "made", found["03.png"][0], "print")
    original = read_picture(album / "03.png")
    made = read_picture(path)
    assert made.shape == original.shape
    np.testing.assert_allclose(made.astype(int), 255 - original.astype(int), atol=12)
    assert len(os.listdir(album.parent / "made")) == 24
    assert prepare(album, [GRAY, model]) == found and len(painted) == 12
    os.unlink(path)
    prepare(album, [GRAY, model])
    assert len(painted) == 13 and os.path.exists(path)


def test_names_and_bytes_of_pictures_do_not_name_models(album):
    prepare(album, [GRAY, colorings.TRUTH])
    for path in (album.parent / "made").iterdir():
        assert b"gray" not in path.read_bytes() and b"Exif" not in path.read_bytes()
        assert "gray" not in path.name and "truth" not in path.name


def test_only_what_is_chosen_is_prepared(album):
    assert set(prepare(album, [GRAY], positions={0, 11})) == {"00.png", "11.jpg"}


def test_a_source_need_not_be_of_files(album):
    encoded = [(album / name).read_bytes() for name in ("00.png", "01.png")]
    elements = tf.data.Dataset.from_tensor_slices([*encoded, b"torn"])
    source = opener.Source("tfds:x", elements, ["x#0", "x#1", "x#2"], tf.identity, "")
    made = colorings.prepare(source, {1, 2}, [GRAY], album.parent / "made")
    (_, digest, _), (_, _, problem) = sorted(made)
    assert digest == hashlib.sha256(encoded[1]).hexdigest()
    assert problem.startswith(f"x#2: expected a {formats.READ_NAMES} picture")


def test_damaged_files_are_named_and_left_out(album):
    (album / "text.jpg").write_text("no picture")
    (album / "torn.png").write_bytes((album / "00.png").read_bytes()[:-30])
    (album / "gone.jpg").symlink_to("nowhere")
    found = prepare(album, [GRAY])
    bad = {name: problem for name, (digest, problem) in found.items() if digest is None}
    assert set(bad) == {"text.jpg", "torn.png", "gone.jpg"} and len(found) == 15
    assert all(bad[name].startswith(f"{album / name}: ") for name in ("text.jpg", "torn.png"))
    assert str(album / "gone.jpg") in bad["gone.jpg"]
    assert not any("\n" in problem for problem in bad.values())


def test_a_gray_photo_is_no_truth(album):
    write_picture(album / "old.png", to_gray(read_picture(album / "00.png")))
    found = prepare(album, [GRAY, colorings.TRUTH])
    assert [name for name, (digest, _) in found.items() if digest is None] == ["old.png"]
    assert "has no colors" in found["old.png"][1]
    assert prepare(album, [GRAY])["old.png"][0] is not None


def test_sixteen_bits_are_shown_in_eight(tmp_path):
    (tmp_path / "album").mkdir()
    level = np.random.default_rng(0).integers(0, 65536, (3, 3, 3)).astype(np.uint16)
    photo = cv2.resize(level, (32, 32), interpolation=cv2.INTER_LINEAR)
    write_picture(tmp_path / "album" / "a.png", photo)
    ((digest, _),) = prepare(tmp_path / "album", [colorings.TRUTH]).values()
    made = read_picture(colorings.picture_path(tmp_path / "made", digest, "truth"))
    np.testing.assert_allclose(made, photo / 257, atol=6)


def test_a_fingerprint_changes_with_names_and_contents(tmp_path):
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "b" / "weights").write_text("1")
    first = colorings.fingerprint(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "copy")
    assert colorings.fingerprint(tmp_path / "copy") == first
    (tmp_path / "copy" / "b" / "weights").write_text("2")
    assert colorings.fingerprint(tmp_path / "copy") != first
    (tmp_path / "a" / "b" / "weights").rename(tmp_path / "a" / "weights")
    assert colorings.fingerprint(tmp_path / "a") != first
