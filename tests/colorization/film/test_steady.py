import fractions
import itertools

import cv2
import numpy as np
import pytest

from colorization.film import film_coloring, steady
from colorization.film.film_reader import Film
from tests.colorization.film import films

SIZE = 64, 80


def texture(seed=0, height=SIZE[0], width=SIZE[1]):
    """Smooth random L*."""
    cells = np.random.default_rng(seed).uniform(15, 85, (height // 6, width // 6))
    return cv2.resize(np.float32(cells), (width, height), interpolation=cv2.INTER_CUBIC)


def constant(a, b, slope=0.0, lightness=None):
    """Coefficients of one color; with a slope, that color at the mean of lightness."""
    values = np.zeros((*SIZE, 4), np.float32)
    values[..., :2] = slope
    values[..., 2:] = [a, b]
    if lightness is not None:
        values[..., 2:] -= slope * steady_mean(lightness)
    return values


def steady_mean(lightness):
    return cv2.blur(cv2.blur(lightness, (9, 9)), (9, 9))[..., None]


def stretch(lights, predictions):
    """`Seen` of frames of one shot."""
    frames = [steady.Seen(light, own) for light, own in zip(lights, predictions, strict=True)]
    for before, after in itertools.pairwise(frames):
        after.from_before, before.from_after = steady.find_motions(
            before.lightness, after.lightness
        )
    return frames


def settled_ab(frames):
    """ab of every frame, `(num_frames, h, w, 2)`."""
    found, _ = steady.settle(frames, len(frames), None)
    return np.array(
        [
            c[..., :2] * f.lightness[..., None] + c[..., 2:]
            for c, f in zip(found, frames, strict=True)
        ]
    )


def test_motion_finds_a_shift_and_trusts_it():
    wide = texture(width=100)
    back, ahead = steady.find_motions(wide[:, 5:85], wide[:, 8:88])
    inner = np.s_[10:-10, 10:-10]
    columns = np.arange(SIZE[1], dtype=np.float32)[None]
    assert np.abs(back.columns - columns - 3)[inner].mean() < 0.3
    assert np.abs(ahead.columns - columns + 3)[inner].mean() < 0.3
    assert back.trust[inner].mean() > 0.8


@pytest.mark.parametrize("seed", range(1, 4))
def test_unlike_frames_are_not_trusted(seed):
    for found in steady.find_motions(texture(0), texture(seed)):
        assert found.trust.mean() < film_coloring._CUT


def test_motion_does_not_depend_on_what_was_searched_before():
    pairs = [
        (texture(seed, 106, 126)[:64, :80], texture(seed, 106, 126)[3:67, 2:82])
        for seed in range(4)
    ]
    found, again = (
        [steady.find_motions(*pair)[0].rows for pair in order] for order in (pairs, pairs[::-1])
    )
    assert all((one == other).all() for one, other in zip(found, again[::-1], strict=True))


def test_frames_of_unlike_exposure_are_trusted():
    light = texture()
    back, _ = steady.find_motions(light, 0.8 * light + 5)
    assert back.trust.mean() > 0.8


def test_predictions_that_flicker_are_averaged():
    lights = [texture()] * 24
    frames = stretch(lights, [constant(20 + 10 * (-1) ** n, 0) for n in range(24)])
    ab = settled_ab(frames)
    assert np.abs(np.diff(ab[..., 0], axis=0)).mean() < 0.15 * 20
    assert ab[..., 0].mean() == pytest.approx(20, abs=1)


def test_averages_of_unlike_colors_are_nearly_as_varied_as_these():
    predictions = [constant(30, 18 * (-1) ** number) for number in range(24)]
    for own in predictions:
        own[:, 40:, 2:] = [-30, 0]
    ab = settled_ab(stretch([texture()] * 24, predictions))
    assert 32 < ab[:, :, :30, 0].mean() < np.hypot(30, 18)


def test_the_first_frame_agrees_with_what_comes():
    frames = stretch([texture()] * 16, [constant(-30, 0)] + [constant(30, 0)] * 15)
    assert settled_ab(frames)[0, ..., 0].mean() > 20


def test_flicker_of_exposure_does_not_become_flicker_of_color():
    gains = [1 + 0.15 * (-1) ** number for number in range(12)]
    lights = [texture() * gain for gain in gains]
    # What a network predicts follows the lightness that it sees.
    predictions = [constant(20, 30, 0.5, light) for light in lights]
    ab = settled_ab(stretch(lights, predictions))
    raw = [
        (p[..., :2] * light[..., None] + p[..., 2:]).mean((0, 1))
        for p, light in zip(predictions, lights, strict=True)
    ]
    assert np.abs(np.diff(ab.mean((1, 2)), axis=0)).max() < 0.5
    assert np.abs(np.diff(raw, axis=0)).max() < 0.5
    # Carried as slope and intercept, the same colors would move.
    mean = np.mean(predictions, axis=0)
    carried = [(mean[..., :2] * light[..., None] + mean[..., 2:]).mean() for light in lights]
    assert np.abs(np.diff(carried)).max() > 2


def test_frames_that_the_network_did_not_see_get_colors_along_the_motion():
    wide = texture(width=100)
    lights = [np.ascontiguousarray(wide[:, n : n + 80]) for n in range(7)]
    wide_a = np.where(np.arange(100) < 45, 40, -40).astype(np.float32)
    predictions = [None] * 7
    for number in range(0, 7, 3):
        predictions[number] = constant(0, 0)
        predictions[number][..., 2] = wide_a[number : number + 80]
    ab = settled_ab(stretch(lights, predictions))
    for number in (1, 2, 4, 5):
        edge = 45 - number
        assert ab[number, :, : edge - 6, 0].min() > 25
        assert ab[number, :, edge + 6 :, 0].max() < -25


def test_what_a_thing_uncovers_does_not_take_its_color():
    ground, thing, lights, predictions = texture(0), texture(5), [], []
    for number in range(10):
        light, own = ground.copy(), constant(-30, 0)
        columns = slice(4 * number, 4 * number + 24)
        light[20:44, columns] = thing[20:44, :24]
        own[20:44, columns, 2] = 50
        lights.append(light)
        predictions.append(own)
    ab = settled_ab(stretch(lights, predictions))
    # Where the thing was at first, and is not any more.
    assert ab[9, 24:40, 2:16, 0].mean() < -20
    assert ab[5, 26:38, 26:38, 0].mean() > 35


class TwoColors:
    """Colors all of a frame by how light its left half is against its right."""

    description = {"name": "two", "version": 1, "gives_variants": False}
    description |= {"working_size": 48, "size_multiple": 16}

    def __init__(self):
        self.calls = 0

    def coefficients(self, lightness, hints=None):
        self.calls += 1
        left, right = np.array_split(lightness[0, ..., 0], 2, axis=1)
        sign = 1 if left.mean() > right.mean() else -1
        return np.full((*lightness.shape[:3], 4), [0, 0, 40 * sign, 0], np.float32)


def two_shots(path, cut=10):
    ramp = np.linspace(60, 0, 64)
    pictures = []
    for number in range(20):
        light = np.clip(films.gray_picture(number)[..., 0] * 0.5 + 40, 0, 255)
        light = light + (ramp if number < cut else ramp[::-1])
        if number >= cut:
            light = light[::-1]
        pictures.append(np.repeat(np.uint8(light)[..., None], 3, axis=-1))
    return films.make_film(path, pictures)


def test_no_color_is_carried_over_a_cut_and_few_frames_are_predicted(tmp_path):
    film, engine = Film(two_shots(tmp_path / "a.mp4")), TwoColors()
    coloring = film_coloring.FilmColoring(film, engine)
    frames = [pair for pairs, _ in coloring.run(film.frames()) for pair in pairs]
    assert len(frames) == 20
    redness = [(rgb[..., 0].astype(int) - rgb[..., 1]).mean() for _, rgb in frames]
    assert min(redness[:10]) > 20 and max(redness[10:]) < -10
    assert engine.calls <= 12


def test_bars_beside_the_picture_stay_gray_and_unseen(tmp_path):
    pictures = []
    for number in range(12):
        picture = np.zeros((120, 160, 3), np.uint8)
        picture[:, 20:140] = films.gray_picture(number, 120, 120) // 2 + 90
        pictures.append(picture)
    film = Film(films.make_film(tmp_path / "a.mp4", pictures, gop_size=3))
    box = film_coloring.find_picture(film)
    assert np.abs(np.subtract(box, (0, 20, 120, 140))).max() <= 2
    coloring = film_coloring.FilmColoring(film, TwoColors(), box=box)
    assert coloring.shape == (48, 48)
    ((_, rgb), *_), _ = next(coloring.run(film.frames()))
    spread = rgb.max(-1).astype(int) - rgb.min(-1)
    assert spread[:, :17].max() <= 3 and spread[:, 25:135].mean() > 15


def test_pixels_that_are_not_square_are_seen_in_their_shape(tmp_path):
    pictures = [films.gray_picture(0, 96, 96)]
    aspect = fractions.Fraction(4, 3)
    film = Film(films.make_film(tmp_path / "a.mp4", pictures, aspect=aspect))
    assert film_coloring.FilmColoring(film, TwoColors()).shape == (48, 64)
