import collections
import dataclasses

import pytest

from colorization.preference import study
from colorization.preference.study import PREFERENCE, TRUTH, Plan, Question

PLAN = Plan(models=(1, 2, 3), photos=tuple(range(10, 22)), truth=9, num_questions=40, seed=5)


def ask_all(plan, voter="v", counts=None):
    """A voter who answers everything; gives the questions by key, and counts the votes."""
    asked, counts = {}, {} if counts is None else counts
    while (question := study.next_question(plan, voter, asked, counts)) is not None:
        asked[len(asked) + 1] = question
        if question.repeats is None:
            cell = question.photo, question.pair
            counts[cell] = counts.get(cell, 0) + 1
    return asked


def test_equal_seeds_ask_alike_and_other_voters_are_asked_otherwise():
    assert ask_all(PLAN) == ask_all(PLAN)
    assert ask_all(PLAN) != ask_all(PLAN, "w")
    assert ask_all(PLAN) != ask_all(dataclasses.replace(PLAN, seed=6))


def test_a_voter_is_asked_as_much_as_planned_preferences_first():
    assert PLAN.counts() == {PREFERENCE: 20, TRUTH: 20}
    kinds = [PLAN.kind(question) for question in ask_all(PLAN).values()]
    assert kinds == [PREFERENCE] * 20 + [TRUTH] * 20


@pytest.mark.parametrize(
    "models, truth, expected",
    [
        ((1,), 9, (0, 12)),
        ((1, 2), None, (12, 0)),
        ((1, 2), 9, (12, 24)),
        ((1, 2, 3), None, (36, 0)),
    ],
)
def test_no_more_is_asked_than_there_is(models, truth, expected):
    plan = dataclasses.replace(PLAN, models=models, truth=truth)
    assert tuple(plan.counts().values()) == tuple(map(min, expected, (40, 27)))
    asked = ask_all(plan).values()
    assert len(asked) == sum(plan.counts().values())
    cells = [(question.photo, question.pair) for question in asked if question.repeats is None]
    assert len(set(cells)) == len(cells)


def test_votes_spread_evenly_over_pairs_photos_and_sides():
    plan = dataclasses.replace(PLAN, truth=None, num_questions=24)
    counts, on_left = {}, collections.Counter()
    for number in range(12):
        for question in ask_all(plan, f"voter {number}", counts).values():
            on_left[question.left] += 1
    by_pair, by_photo = collections.Counter(), collections.Counter()
    for (photo, pair), votes in counts.items():
        by_pair[pair] += votes
        by_photo[photo] += votes
    assert len(by_pair) == 3 and max(by_pair.values()) - min(by_pair.values()) <= 1
    assert len(by_photo) == 12 and max(by_photo.values()) - min(by_photo.values()) <= 2
    assert max(counts.values()) - min(counts.values()) <= 2
    # 96 of 288 each, with a standard deviation of 8.
    assert all(abs(on_left[model] - 96) < 30 for model in plan.models)


def test_a_voter_sees_all_photos_before_one_comes_again():
    plan = dataclasses.replace(PLAN, truth=None)
    photos = [question.photo for question in ask_all(plan).values() if question.repeats is None]
    assert len(set(photos[:12])) == 12


def test_the_pair_with_the_fewest_votes_comes_first():
    behind = 12, (1, 3)
    counts = {(p, pair): 5 for p in PLAN.photos for pair in PLAN.pairs(PREFERENCE)} | {behind: 2}
    question = study.next_question(PLAN, "v", {}, counts)
    assert (question.photo, question.pair) == behind


def test_every_tenth_question_is_an_earlier_one_with_sides_changed():
    asked = ask_all(PLAN)
    repeats = {key: question for key, question in asked.items() if question.repeats}
    assert list(repeats) == [10, 20, 30, 40]
    for key, question in repeats.items():
        earlier = asked[question.repeats]
        assert question.repeats < key - study.REPEAT_AFTER
        assert (question.photo, question.left, question.right) == (
            earlier.photo,
            earlier.right,
            earlier.left,
        )
    assert len({question.repeats for question in repeats.values()}) == 4


def test_what_is_no_longer_in_the_study_does_not_count():
    asked = {1: Question(10, 1, 2), 2: Question(99, 1, 2), 3: Question(10, 7, 2)}
    assert [PLAN.covers(question) for question in asked.values()] == [True, False, False]
    small = dataclasses.replace(PLAN, models=(1, 2), photos=(10, 11), truth=None)
    question = study.next_question(small, "v", asked, {})
    assert (question.photo, question.pair) == (11, (1, 2))
