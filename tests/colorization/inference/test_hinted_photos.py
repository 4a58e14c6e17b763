"""Hints change a photo's colors where they are set, by every way of giving them."""

import json

import numpy as np
import pytest

from colorization import Hint, Region, colorize
from colorization.inference import color_hints
from colorization.inference.color_hints import HintError
from colorization.inference.colorizer import Colorizer
from colorization.inference.options import OptionError
from pipelines.color import arrays
from pipelines.photos import photo_files
from tests.colorization.inference.following import FollowingEngine

ROWS, COLUMNS = np.mgrid[:160, :240]
PHOTO = (110 + 25 * np.sin(ROWS / 9) * np.cos(COLUMNS / 11)).astype(np.uint8)
GREEN = "#3a5f0b"
POINT = {"point": [60, 80], "color": GREEN}


@pytest.fixture
def colorizer():
    return Colorizer(engine=FollowingEngine())


def chroma(rgb):
    return arrays.rgb_to_lab(rgb[..., :3] / np.iinfo(rgb.dtype).max)[..., 1:]


def asked(color):
    return chroma(np.uint8([color_hints.parse_color(color)]))[0]


def distance(one, other):
    return np.linalg.norm(one - other, axis=-1)


def test_a_point_gets_its_color_and_what_is_far_keeps_its_own(colorizer):
    plain = colorizer.colorize(PHOTO)
    hinted = colorizer.colorize(PHOTO, hints=[Hint(60, 80, GREEN)])
    assert distance(chroma(hinted)[80, 60], asked(GREEN)) < 5
    assert np.abs(hinted[:, 170:] - plain[:, 170:].astype(int)).max() <= 1
    np.testing.assert_allclose(
        arrays.rgb_to_lightness(hinted / 255), arrays.rgb_to_lightness(plain / 255), atol=0.7
    )


def test_no_hints_are_none(colorizer):
    np.testing.assert_array_equal(colorizer.colorize(PHOTO, hints=[]), colorizer.colorize(PHOTO))


def test_hints_hold_at_every_depth_and_size_and_in_previews(colorizer):
    large = np.repeat(np.repeat(PHOTO, 3, 0), 3, 1)
    for photo in (large, large.astype(np.uint16) * 257):
        hinted = colorizer.colorize(photo, hints=[Hint(180, 240, GREEN)])
        assert distance(chroma(hinted)[240, 180], asked(GREEN)) < 5
    (preview,) = colorizer.variants(large, 1, onto=PHOTO, hints=[Hint(180, 240, GREEN)])
    assert distance(chroma(preview)[80, 60], asked(GREEN)) < 5


def test_prints_are_hinted_each_for_itself_and_margins_not_at_all(colorizer):
    page = np.full((240, 560), 250, np.uint8)
    page[40:200, 20:260] = page[40:200, 300:540] = PHOTO
    plain = colorizer.colorize(page)
    hinted = colorizer.colorize(page, hints=[Hint(80, 120, GREEN)])
    assert distance(chroma(hinted)[120, 80], asked(GREEN)) < 5
    np.testing.assert_array_equal(hinted[:, 262:], plain[:, 262:])
    with pytest.raises(HintError, match="on the margin around the print"):
        colorizer.colorize(page, hints=[Hint(280, 120, GREEN)])


def test_of_a_file_of_several_pages_the_first_is_meant(colorizer, tmp_path):
    page = photo_files.Photo(np.dstack([PHOTO] * 3))
    photo_files.write_photo(tmp_path / "two.tif", [page, page])
    colorizer.colorize_file(tmp_path / "two.tif", tmp_path / "out.tif", hints=[Hint(60, 80, GREEN)])
    first, second = (page.rgb for page in photo_files.read_photo(tmp_path / "out.tif"))
    assert distance(chroma(first)[80, 60], asked(GREEN)) < 5
    np.testing.assert_array_equal(second, colorizer.colorize(PHOTO))


def test_suggestions_are_colors_with_shares_the_likeliest_first(colorizer):
    found = colorizer.suggest(PHOTO, 60, 80)
    shares = [one.share for one in found]
    assert len(found) == 3 and shares == sorted(shares, reverse=True) and sum(shares) <= 1
    assert distance(asked(found[0].color), [18, 18]) < 1
    told = colorizer.suggest(PHOTO, 62, 82, hints=[Hint(60, 80, GREEN)])
    assert told[0].share == 1 and distance(asked(told[0].color), asked(GREEN)) < 1


def test_a_suggestion_that_is_taken_is_what_the_photo_shows(colorizer):
    wanted = colorizer.suggest(PHOTO, 60, 80)[1].color
    hinted = colorizer.colorize(PHOTO, hints=[Hint(60, 80, wanted)])
    assert distance(chroma(hinted)[80, 60], asked(wanted)) < 5


def test_a_place_outside_the_photo_has_no_suggestions(colorizer):
    with pytest.raises(HintError, match="lies outside the photo: x is 0 to 239"):
        colorizer.suggest(PHOTO, 240, 3)


def test_a_model_that_takes_no_hints_refuses_them_and_one_without_beliefs_suggests_none(colorizer):
    colorizer.description |= {"takes_hints": False, "gives_suggestions": False}
    for hints in ([Hint(1, 1, "red")], "sidecar"):
        with pytest.raises(HintError, match="model follower takes no hints: .* codec hinted_ab"):
            colorizer.colorize(PHOTO, hints=hints)
    with pytest.raises(OptionError, match="suggests no colors"):
        colorizer.suggest(PHOTO, 1, 1)


@pytest.fixture
def album(colorizer, tmp_path, monkeypatch):
    """A folder of two photos, and the command that colors with the engine of these tests."""
    monkeypatch.setattr("colorization.inference.colorizer.Colorizer", lambda *_, **__: colorizer)
    # Read without the model, to find out which photos it has colored already.
    monkeypatch.setattr(
        "colorization.inference.model_folder.read_description", lambda _: colorizer.description
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "album").mkdir()
    for name in ("a", "b"):
        photo_files.write_picture(f"album/{name}.png", np.dstack([PHOTO] * 3))
    return tmp_path


def command(*arguments):
    return colorize.main(["colorize", *arguments])


def write_json(path, *hints):
    path.write_text(json.dumps({"hints": hints}))


def test_the_command_takes_a_file_of_either_kind(colorizer, album):
    write_json(album / "hints.json", POINT)
    assert command("album/a.png", "--output=a.png", "--hints=hints.json") == 0
    expected = colorizer.colorize(PHOTO, hints=[Hint(60, 80, GREEN)])
    np.testing.assert_array_equal(photo_files.read_picture("a.png"), expected)
    rgb, alpha = np.zeros((160, 240, 3), np.uint8), np.zeros((160, 240), np.uint8)
    rgb[60:100, 40:80], alpha[60:100, 40:80] = color_hints.parse_color(GREEN), 255
    photo_files.write_photo("layer.png", [photo_files.Photo(rgb, alpha)])
    assert command("album/a.png", "--output=b.png", "--hints=layer.png") == 0
    region = Region(((40, 60), (79, 60), (79, 99), (40, 99)), GREEN)
    painted = photo_files.read_picture("b.png")
    assert distance(chroma(painted)[80, 60], asked(GREEN)) < 5
    assert np.abs(painted - colorizer.colorize(PHOTO, hints=[region]).astype(int)).mean() < 2


def test_photos_of_a_folder_take_the_file_beside_them(colorizer, album):
    write_json(album / "album" / "a.hints.json", POINT)
    arguments = ("album", "--output=out", "--hints=sidecar")
    assert command(*arguments) == 0
    assert sorted(path.name for path in (album / "out").glob("*.png")) == ["a.png", "b.png"]
    expected = colorizer.colorize(PHOTO, hints=[Hint(60, 80, GREEN)])
    np.testing.assert_array_equal(photo_files.read_picture("out/a.png"), expected)
    np.testing.assert_array_equal(photo_files.read_picture("out/b.png"), colorizer.colorize(PHOTO))


def test_only_the_photo_whose_hints_changed_is_colored_again(album, capsys):
    write_json(album / "album" / "a.hints.json", POINT)
    arguments = ("album", "--output=out", "--hints=sidecar")
    assert command(*arguments) == 0
    write_json(album / "album" / "a.hints.json", POINT | {"color": "navy"})
    again = ("--skip_existing", "--overwrite")
    for expected in ("Colored 1 of 2 photos", "Colored 0 of 2 photos"):
        capsys.readouterr()
        assert command(*arguments, *again) == 0
        assert expected in capsys.readouterr().out


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ("no json", "hints.json: hints are JSON"),
        ({"hints": [POINT | {"point": [900, 2]}]}, "hint 1 lies outside the photo"),
        ({"hints": [POINT | {"color": "reddish"}]}, "hint 1 of 1: a color is"),
        ({"hints": [POINT] * 10_000}, "at most 1000 hints are taken. Received: 10000"),
        (None, "hints.json: can't be read"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(album, capsys, document, message):
    if document is not None:
        text = document if isinstance(document, str) else json.dumps(document)
        (album / "hints.json").write_text(text)
    assert command("album/a.png", "--output=a_color.png", "--hints=hints.json") == 1
    captured = capsys.readouterr()
    assert message in captured.err and captured.err.count("\n") == 1
    assert not (album / "a_color.png").exists()


def test_one_file_is_not_for_a_folder_and_sidecar_needs_a_file(album, capsys):
    write_json(album / "hints.json", POINT)
    assert command("album", "--output=out", "--hints=hints.json") == 1
    assert "--hints=FILE is for one photo. Received: 2 photos" in capsys.readouterr().err
    assert command("album", "--output=out", "--hints=sidecar") == 1
    assert "a.hints.json. Received: none beside any" in capsys.readouterr().err
    assert not (album / "out").exists()


def test_hints_beside_one_photo_that_are_wrong_cost_no_other_photo(album, capsys):
    write_json(album / "album" / "a.hints.json", POINT | {"point": [900, 2]})
    assert command("album", "--output=out", "--hints=sidecar") == 1
    captured = capsys.readouterr()
    assert (
        "a.png: hint 1 lies outside the photo" in captured.err and "HintError" not in captured.err
    )
    assert [path.name for path in (album / "out").glob("*.png")] == ["b.png"]
