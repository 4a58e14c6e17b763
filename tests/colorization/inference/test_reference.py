"""Photos take colors from a reference where both show the same, and leave the rest."""

import numpy as np
import pytest

from colorization import Hint, colorize
from colorization.inference.color_hints import HintError
from colorization.inference.colorizer import Colorizer
from colorization.inference.options import OptionError, Options
from colorization.inference.reference import Reference
from pipelines.color import arrays
from pipelines.photos import photo_files
from tests.colorization.inference.following import FollowingEngine, scene

SIZE = 128
ROWS, COLUMNS = np.mgrid[:SIZE, :SIZE]
REFERENCE, PHOTO, _ = scene()


def lightness(gray):
    rgb = np.repeat(gray[..., None], 3, axis=-1) / np.float32(255)
    return arrays.rgb_to_lightness(rgb)[None]


def chroma(rgb):
    return arrays.rgb_to_lab(rgb / np.float32(255))[..., 1:]


@pytest.fixture
def engine():
    engine = FollowingEngine()
    engine.description |= {"working_size": SIZE, "size_multiple": 16}
    return engine


@pytest.mark.parametrize("shift", [0, 16])
def test_what_both_show_keeps_its_color_where_it_has_moved(engine, shift):
    photo, gray, is_disc = scene(shift)
    hints = Reference(engine, REFERENCE).hints(lightness(gray))[0]
    is_told = hints[..., 2] > 0
    for place in (is_disc, ~is_disc):
        assert is_told[place].mean() > 0.1
        off = np.linalg.norm(hints[..., :2] - chroma(photo), axis=-1)[is_told & place]
        assert np.median(off) < 5


def test_where_nothing_is_alike_nothing_is_told(engine):
    reference = np.uint8(np.where((ROWS + COLUMNS)[..., None] % 6 < 3, [90, 10, 10], [20, 0, 0]))
    hints = Reference(engine, reference).hints(lightness(np.full((SIZE, SIZE), 240, np.uint8)))
    assert not hints.any()


def test_hints_are_zero_where_their_mask_is_at_any_size(engine):
    for shape in ((16, 16), (32, 48), (20, 12)):
        hints = Reference(engine, REFERENCE).hints(np.full((1, *shape, 1), 40, np.float32))
        assert hints.shape == (1, *shape, 3)
        assert not hints[hints[..., 2] == 0].any()


@pytest.fixture
def colorizer(engine):
    return Colorizer(engine=engine)


def distance(colored):
    """Larger distance in ab from the reference, of the middle of the disc and of what is around."""
    parts = [(slice(56, 73), slice(42, 59)), (slice(90, 120), slice(90, 120))]
    off = chroma(colored) - chroma(REFERENCE)
    return max(np.linalg.norm(off[part].mean(axis=(0, 1))) for part in parts)


def test_a_photo_gets_the_colors_of_its_reference(colorizer):
    assert distance(colorizer.colorize(PHOTO)) > 20
    assert distance(colorizer.colorize(PHOTO, reference=REFERENCE)) < 10


def test_a_hint_counts_more_than_the_reference(colorizer):
    hint = [Hint(110, 110, "blue")]
    plain, hinted = (
        colorizer.colorize(PHOTO, reference=REFERENCE, hints=hints) for hints in ([], hint)
    )
    assert chroma(hinted)[110, 110, 1] < chroma(plain)[110, 110, 1] - 3


def test_a_reference_that_was_opened_serves_many_photos(colorizer):
    opened = colorizer.open_reference(REFERENCE)
    expected = colorizer.colorize(PHOTO, reference=REFERENCE)
    for _ in range(2):
        np.testing.assert_array_equal(colorizer.colorize(PHOTO, reference=opened), expected)


def test_a_reference_has_colors(colorizer):
    with pytest.raises(OptionError, match="reference is a photo in color. Received: one without"):
        colorizer.colorize(PHOTO, reference=PHOTO)


def test_a_model_without_hints_takes_no_reference(colorizer):
    colorizer.description["takes_hints"] = False
    with pytest.raises(HintError, match="follower takes no reference: .* codec hinted_ab"):
        colorizer.colorize(PHOTO, reference=REFERENCE)


def test_another_reference_is_another_record(tmp_path):
    for name in ("one.png", "two.png"):
        photo_files.write_picture(tmp_path / name, REFERENCE, overwrite=False)
    one, two = (Options(reference=tmp_path / name).record() for name in ("one.png", "two.png"))
    assert one != two and "reference" not in Options().record()


def test_the_command_colors_a_folder_by_a_reference(colorizer, tmp_path, monkeypatch, capsys):
    (tmp_path / "album").mkdir()
    for name in ("a.png", "b.png"):
        photo_files.write_picture(tmp_path / "album" / name, np.dstack([PHOTO] * 3), False)
    photo_files.write_picture(tmp_path / "reference.png", REFERENCE, False)
    photo_files.write_picture(tmp_path / "gray.png", np.dstack([PHOTO] * 3), False)
    monkeypatch.setattr("colorization.inference.colorizer.Colorizer", lambda *_, **__: colorizer)
    call = ["colorize", str(tmp_path / "album"), f"--output={tmp_path / 'colored'}"]
    assert colorize.main([*call, f"--reference={tmp_path / 'gray.png'}"]) == 1
    assert "reference is a photo in color" in capsys.readouterr().err
    assert colorize.main([*call, f"--reference={tmp_path / 'missing.png'}"]) == 1
    assert "reference=" in capsys.readouterr().err
    assert colorize.main([*call, f"--reference={tmp_path / 'reference.png'}"]) == 0
    for name in ("a.png", "b.png"):
        colored = photo_files.read_picture(tmp_path / "colored" / name)
        assert distance(colored) < 10
