"""Training sees pictures upright, however a camera stored them."""

import numpy as np
import PIL.Image
import pytest

from pipelines.batches import input_chain, survey
from pipelines.sources.opener import open_source
from tests.pipelines.training_chain import train

# How a camera stores a picture that is seen upright by each Exif orientation: Pillow's inverse.
STORED = {
    2: PIL.Image.FLIP_LEFT_RIGHT,
    3: PIL.Image.ROTATE_180,
    4: PIL.Image.FLIP_TOP_BOTTOM,
    5: PIL.Image.TRANSPOSE,
    6: PIL.Image.ROTATE_90,
    7: PIL.Image.TRANSVERSE,
    8: PIL.Image.ROTATE_270,
}
KINDS = {
    "png": {},
    "webp": {"lossless": True},
    # In 4:4:4 the blocks of a turned picture are turned blocks.
    "jpg": {"quality": 100, "subsampling": 0},
}


def upright_picture(seed, size=(72, 48)):
    corners = np.random.default_rng(seed).integers(0, 256, (3, 4, 3), dtype=np.uint8)
    return PIL.Image.fromarray(corners).resize(size, PIL.Image.BICUBIC)


def save(picture, path, turn=1):
    """Saves a picture as a camera does that is held so that orientation `turn` rights it."""
    exif = PIL.Image.Exif()
    exif[0x0112] = turn
    stored = picture.transpose(STORED[turn]) if turn > 1 else picture
    path.parent.mkdir(exist_ok=True)
    stored.save(path, exif=exif, **KINDS[path.suffix[1:]])


def surveyed(specification):
    source = open_source(specification)
    return source, survey.survey(source)


def training(opened, cache="none"):
    small = dict(image_size=40, crop_area=0.3, lightness_jitter=0.0, batch_size=4)
    return train(*opened, 4, cache=cache, **small)


def centers(opened):
    return next(input_chain.center_batches(*opened, 24, 16).as_numpy_iterator()).astype(int)


@pytest.fixture(
    params=["jpg", *(pytest.param(x, marks=pytest.mark.slow) for x in ("png", "webp"))],
    scope="module",
)
def folders(request, tmp_path_factory):
    """Sources of the same eight pictures, stored upright and turned in every way."""
    tmp_path = tmp_path_factory.mktemp("pictures")
    for turn in range(1, 9):
        picture = upright_picture(turn)
        save(picture, tmp_path / "upright" / f"{turn}.{request.param}")
        save(picture, tmp_path / "turned" / f"{turn}.{request.param}", turn)
    return [surveyed(f"folder:{tmp_path / name}") for name in ("upright", "turned")]


@pytest.mark.slow
def test_pictures_are_seen_upright(folders):
    upright, turned = folders
    # JPEG rounds a turned block differently.
    np.testing.assert_allclose(centers(turned), centers(upright), atol=6)
    for ours, theirs in zip(training(turned), training(upright), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=0.06)


@pytest.mark.slow
@pytest.mark.parametrize("cache", ["memory", "folder"])
def test_a_cache_keeps_the_orientation(folders, cache, tmp_path):
    (tmp_path / "cache").mkdir()
    where = str(tmp_path / "cache") if cache == "folder" else cache
    for ours, theirs in zip(training(folders[1], where), training(folders[1]), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_survey_keeps_the_orientation(folders, tmp_path):
    found = folders[1][1]
    assert found.turned == [[turn - 1, turn] for turn in range(2, 9)]
    survey.save_survey(found, str(tmp_path / "survey.json"))
    assert survey.load_survey(tmp_path / "survey.json") == found
    assert folders[0][1].turned == []


@pytest.mark.slow
def test_skipped_pictures_do_not_shift_the_orientation(tmp_path):
    save(PIL.Image.new("RGB", (72, 48), (90, 90, 90)), tmp_path / "set" / "0.png", 3)
    save(upright_picture(1), tmp_path / "set" / "1.png", 6)
    save(upright_picture(1), tmp_path / "set" / "2.png")
    first, second = centers(surveyed(f"folder:{tmp_path / 'set'}"))
    np.testing.assert_array_equal(first, second)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("turns", "suffix"), [((6, 1), "png"), ((1, 8), "jpg"), ((5, 7), "jpg"), ((3, 3), "png")]
)
def test_pairs_are_aligned_however_each_is_stored(turns, suffix, tmp_path):
    for number in range(3):
        picture = upright_picture(number, (320, 200))
        for name, turn in zip(("color", "gray"), turns, strict=True):
            save(picture, tmp_path / name / f"{number}.{suffix}", turn)
    opened = surveyed(f"pairs:color={tmp_path / 'color'},gray={tmp_path / 'gray'}")
    assert opened[1].mismatched == []
    color, gray = np.split(centers(opened), 2, axis=-1)
    assert np.abs(color - gray).mean() < 1


@pytest.mark.slow
def test_pairs_that_differ_when_upright_are_left_out(tmp_path):
    # Stored alike, and seen in two shapes.
    for number in range(11):
        save(upright_picture(number), tmp_path / "color" / f"{number:02d}.png")
        save(upright_picture(number), tmp_path / "gray" / f"{number:02d}.png")
    save(upright_picture(0, (48, 72)), tmp_path / "gray" / "00.png", 6)
    _, found = surveyed(f"pairs:color={tmp_path / 'color'},gray={tmp_path / 'gray'}")
    assert [name[-6:] for name in found.mismatched] == ["00.png"]
