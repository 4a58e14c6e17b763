"""Standings of a study: scores against published ones, intervals, and the report."""

import numpy as np
import pytest
import scipy.optimize
import scipy.special
import scipy.stats

from colorization.preference import standings
from colorization.preference.standings import report
from colorization.preference.study import Question, Vote

NAMES = {1: "chroma", 2: "gray", 3: "truth", 4: "mine", 5: "theirs"}
# Games of seven baseball teams in 1987, and what is published of them: Agresti, Categorical Data
# Analysis, 2nd edition, tables 10.10 and 10.11; scores relative to the last team.
BASEBALL = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ],
    float,
)
PUBLISHED = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0]


def votes(*cast, repeats=None, repeated=None):
    """Votes given as (left, right, choice, times)."""
    return [
        Vote(Question(photo, left, right, repeats), choice, "v", repeated)
        for left, right, choice, times in cast
        for photo in range(times)
    ]


def rows(lines):
    """Cells of the tables, by the first."""
    cells = [
        [cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("|")
    ]
    return {first: rest for first, *rest in cells}


def test_no_votes_are_one_line():
    assert report([], NAMES) == ["No votes yet, so there is nothing to report."]


def test_preferences():
    lines = report(votes((1, 2, "left", 10), (2, 1, "left", 4), (1, 2, "tie", 2)), NAMES)
    assert lines[0] == "16 votes of 1 voter on 10 photos."
    assert "Which looks better: 16 votes, 2 of them undecided (half a win for each)." in lines
    table = rows(lines)
    # log(11.5 / 5.5) / 2, since one tie is added.
    assert table["chroma"][0] == "+0.37" and table["gray"][0] == "-0.37"
    assert table["chroma"][2:] == ["69%", "16"] and table["gray"][2:] == ["31%", "16"]
    low, high = map(float, table["chroma"][1].split(" to "))
    assert low < 0.37 < high
    assert list(table)[2:] == ["chroma", "gray"], "the best comes first"
    assert not any("real photo" in line or "keeps" in line for line in lines)


def test_fooling_rates():
    lines = report(
        votes((1, 3, "left", 3), (3, 1, "right", 3), (3, 1, "left", 13), (3, 1, "tie", 2)), NAMES
    )
    # Seven of 21, by Wilson.
    assert rows(lines)["chroma"] == ["33.3 %", "17.2 to 54.6 %", "21"]
    assert not any("Which looks better" in line for line in lines)


def test_who_won_all_or_nothing_is_named():
    lines = report(votes((1, 2, "left", 10)), NAMES)
    assert "chroma won every vote: one added tie keeps its score finite." in lines
    assert "gray won no vote: one added tie keeps its score finite." in lines
    assert "inf" not in " ".join(lines) and "nan" not in " ".join(lines)


def test_unconnected_models_get_no_scores():
    lines = report(votes((1, 2, "left", 3), (4, 5, "right", 3), (1, 3, "left", 1)), NAMES)
    (line,) = [line for line in lines if line.startswith("No scores")]
    assert "chroma, gray | mine, theirs" in line and "Ask for more votes." in line
    assert rows(lines)["chroma"] == ["100.0 %", "20.7 to 100.0 %", "1"]


@pytest.mark.parametrize("choice, same", [("left", 5), ("tie", 0)])
def test_repeats_tell_of_consistency_and_count_for_nothing_else(choice, same):
    first = votes((1, 2, "right", 5), (2, 1, "right", 4))
    lines = report(first + votes((2, 1, choice, 5), repeats=1, repeated="left"), NAMES)
    assert any(f"{same} of 5 repeated questions answered as before" in line for line in lines)
    assert rows(lines)["gray"] == rows(report(first, NAMES))["gray"]


def draw_votes(strengths, num_votes, random, noise_of_photos=0.0, num_photos=20):
    """Votes as the model has them; photos may favor models of their own."""
    pairs = np.array([random.permutation(len(strengths))[:2] for _ in range(num_votes)])
    photos = random.integers(num_photos, size=num_votes)
    favor = noise_of_photos * random.normal(size=(num_photos, len(strengths)))
    level = np.asarray(strengths)[pairs] + np.take_along_axis(favor[photos], pairs, axis=1)
    chance = scipy.special.expit(level[:, 0] - level[:, 1])
    return pairs, (random.random(num_votes) < chance).astype(float), photos


def test_published_scores():
    found = standings.bradley_terry(BASEBALL, prior_ties=0)
    np.testing.assert_allclose(found - found[-1], PUBLISHED, atol=0.005)


@pytest.mark.parametrize("prior_ties", [0, 1])
def test_scores_and_errors_are_those_of_the_likelihood(prior_ties):
    votes = [[i, j] for i in range(7) for j in range(7) for _ in range(int(BASEBALL[i, j]))]
    pairs, shares = np.array(votes), np.ones(len(votes))
    prior = [[i, j] for i in range(7) for j in range(7) if i != j]

    def loss(free):
        values = np.append(free, 0)
        differences = values[pairs[:, 0]] - values[pairs[:, 1]]
        tied = values[[i for i, _ in prior]] - values[[j for _, j in prior]]
        likelihood = scipy.special.log_expit(differences).sum()
        return -likelihood - prior_ties / 12 * scipy.special.log_expit(tied).sum()

    best = scipy.optimize.minimize(loss, np.zeros(6), tol=1e-10)
    found = standings.bradley_terry(standings.count_wins(pairs, shares, 7), prior_ties)
    expected = np.append(best.x, 0)
    np.testing.assert_allclose(found, expected - expected.mean(), atol=1e-4)

    errors = standings.standard_errors(found, pairs, shares, [], prior_ties)
    step, hessian = 1e-3, np.zeros((6, 6))
    for i, j in np.ndindex(6, 6):
        a, b = np.eye(6)[i] * step, np.eye(6)[j] * step
        signs = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
        hessian[i, j] = sum(s * t * loss(best.x + s * a + t * b) for s, t in signs) / 4 / step**2
    center = (np.eye(7) - 1 / 7)[:, :6]
    np.testing.assert_allclose(
        errors, np.sqrt(np.diag(center @ np.linalg.inv(hessian) @ center.T)), rtol=1e-4
    )


def test_the_order_of_models_and_of_votes_does_not_matter():
    random = np.random.default_rng(1)
    pairs, shares, photos = draw_votes([0, 0.5, -1, 1], 200, random)
    found = standings.bradley_terry(standings.count_wins(pairs, shares, 4))
    errors = standings.standard_errors(found, pairs, shares, [photos])
    new, order, turned = random.permutation(4), random.permutation(200), random.random(200) < 0.5
    pairs = np.where(turned[:, None], new[pairs][:, ::-1], new[pairs])[order]
    shares, photos = np.where(turned, 1 - shares, shares)[order], photos[order]
    again = standings.bradley_terry(standings.count_wins(pairs, shares, 4))
    np.testing.assert_allclose(again[new], found, atol=1e-8)
    same = standings.standard_errors(again, pairs, shares, [photos])
    np.testing.assert_allclose(same[new], errors, atol=1e-8)


def test_a_tie_is_half_a_win_for_each():
    pairs = np.array([[0, 1], [1, 2]])
    ties = standings.count_wins(pairs, np.array([0.5, 0.5]), 3)
    np.testing.assert_array_equal(ties, [[0, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0]])
    np.testing.assert_allclose(standings.bradley_terry(ties), 0, atol=1e-12)


def test_who_won_all_votes_scores_higher_the_more_there_were_but_no_infinity():
    gaps = []
    for wins in (1, 10, 1000):
        first, second = standings.bradley_terry(np.array([[0, wins], [0, 0.0]]))
        gaps.append(first - second)
    # Half a win each is added.
    np.testing.assert_allclose(np.exp(gaps), [3, 21, 2001])


def test_groups_that_no_vote_connects():
    wins = np.zeros((5, 5))
    wins[0, 3] = wins[3, 1] = wins[4, 2] = 1
    assert standings.connected_groups(wins) == [[0, 1, 3], [2, 4]]
    assert standings.connected_groups(np.zeros((2, 2))) == [[0], [1]]


@pytest.mark.parametrize("noise_of_photos", [0, 1])
def test_intervals_hold_the_true_scores_as_often_as_they_say(noise_of_photos):
    random, truth, inside = np.random.default_rng(0), np.array([-0.5, 0, 0.5]), []
    for _ in range(200):
        pairs, shares, photos = draw_votes(truth, 240, random, noise_of_photos, num_photos=30)
        found = standings.bradley_terry(standings.count_wins(pairs, shares, 3))
        errors = standings.standard_errors(found, pairs, shares, [photos])
        # Favors of photos flatten scores: an average voter of an average photo is meant.
        expected = truth / np.sqrt(1 + noise_of_photos**2 * 2 * 0.346)
        inside.append(np.abs(found - expected) < standings.QUANTILE * errors)
    assert 0.92 < np.mean(inside) < 0.99


def test_votes_on_one_photo_that_are_alike_widen_the_intervals():
    pairs = np.array([[0, 1]] * 40)
    photos = np.repeat(np.arange(4), 10)
    shares = np.array([1.0, 1.0, 1.0, 0.0])[photos]
    found = standings.bradley_terry(standings.count_wins(pairs, shares, 2))
    alone = standings.standard_errors(found, pairs, shares, [])
    together = standings.standard_errors(found, pairs, shares, [photos])
    assert (together > 2 * alone).all()
    # One group says nothing of how unlike groups are.
    same = standings.standard_errors(found, pairs, shares, [np.zeros(40, int)])
    np.testing.assert_array_equal(same, alone)


@pytest.mark.parametrize("successes, trials", [(0, 1), (1, 1), (3, 10), (81, 263), (40, 40)])
def test_wilson_intervals_are_scipys(successes, trials):
    expected = scipy.stats.binomtest(successes, trials).proportion_ci(method="wilson")
    np.testing.assert_allclose(standings.wilson_interval(successes, trials), expected, atol=1e-6)
