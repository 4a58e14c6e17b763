"""Hints color what they are on and what is like it; many of them color the whole picture."""

import numpy as np
import pytest

from colorization.inference import full_size, hint_reach

ROWS, COLUMNS = np.mgrid[:64, :96]
IS_DISC = np.hypot(ROWS - 30, COLUMNS - 24) < 16
LIGHTNESS = np.float32(np.where(IS_DISC, 75, 30) + 3 * np.sin(ROWS))[None, ..., None]
OWN, GREEN = np.float32([10, 12]), np.float32([-30, 30])


class Moved:
    """An engine that one hint moves everywhere, by a share of the way."""

    def __init__(self, share):
        self._share = share

    def coefficients(self, lightness, hints=None):
        return self.variants(lightness, 1, hints)

    def variants(self, lightness, count, hints=None):
        ab = OWN
        if hints is not None and hints.any():
            ab = OWN + self._share * (hints[hints[..., 2] > 0][:, :2].mean(axis=0) - OWN)
        colorings = [np.full((*lightness.shape[1:3], 2), ab + 5 * i) for i in range(count)]
        return full_size.fit(lightness, np.float32(colorings))


def hints(*places, color=GREEN):
    drawn = np.zeros((1, 64, 96, 3), np.float32)
    for number, (row, column) in enumerate(places):
        drawn[0, row - 1 : row + 2, column - 1 : column + 2] = [*color + number, 1]
    return drawn


def colored(engine, drawn, **others):
    (found,) = hint_reach.coefficients(engine, LIGHTNESS, drawn, **others)
    return found[..., :2] * LIGHTNESS[0] + found[..., 2:]


def distance(ab, color):
    return np.linalg.norm(ab - color, axis=-1)


@pytest.mark.parametrize("share", [0, 0.5, 1])
def test_a_hint_gives_its_place_its_color_and_leaves_what_is_unlike_it(share):
    ab = colored(Moved(share), hints((30, 24)))
    assert distance(ab, GREEN)[30, 24] < 1
    assert distance(ab, GREEN)[22:38, 16:32].mean() < 10
    assert distance(ab, OWN)[:, 72:].mean() < 1.5


def test_a_stroke_of_one_color_says_one_thing():
    drawn = np.zeros((1, 64, 96, 3), np.float32)
    drawn[0, 29:32, 12:37] = [*GREEN, 1]
    assert distance(colored(Moved(1), drawn), OWN)[:, 72:].mean() < 1.5


def test_many_unlike_hints_are_answered_by_the_network_alone():
    places = [(8 + 12 * (i // 3), 8 + 14 * (i % 3)) for i in range(12)]
    drawn = hints(*places)
    for number, (row, column) in enumerate(places):
        drawn[0, row - 1 : row + 2, column - 1 : column + 2, :2] = (number % 2) * 40 - 20, 20
    engine = Moved(0.5)
    answer = engine.coefficients(LIGHTNESS, drawn)[0]
    ab, expected = colored(engine, drawn), answer[..., :2] * LIGHTNESS[0] + answer[..., 2:]
    assert np.linalg.norm(ab - expected, axis=-1)[:, 84:].mean() < 8


def test_a_reference_counts_everywhere_and_a_hint_over_it_where_it_is():
    reference, engine = hints((10, 80), color=np.float32([0, -30])), Moved(1)
    alone = colored(engine, None, reference=reference)
    assert distance(alone, [0, -30]).max() < 1e-3
    both = colored(engine, hints((30, 24)), reference=reference)
    assert distance(both, GREEN)[30, 24] < 0.5
    assert distance(both, alone)[:, 72:].mean() < 1.5


def test_variants_differ_as_they_did_and_the_first_is_the_coloring():
    engine, drawn = Moved(1), hints((30, 24))
    found = hint_reach.coefficients(
        engine, LIGHTNESS, drawn, ask=lambda told: engine.variants(LIGHTNESS, 3, told)
    )
    (alone,) = hint_reach.coefficients(engine, LIGHTNESS, drawn)
    np.testing.assert_allclose(found[0], alone, atol=1e-4)
    asked = engine.variants(LIGHTNESS, 3, drawn)
    np.testing.assert_allclose(found[2] - found[0], asked[2] - asked[0], atol=1e-3)


def test_without_hints_the_answer_is_the_engines():
    engine = Moved(1)
    expected = engine.coefficients(LIGHTNESS)
    for drawn in (None, np.zeros((1, 64, 96, 3), np.float32)):
        np.testing.assert_array_equal(hint_reach.coefficients(engine, LIGHTNESS, drawn), expected)
