"""Questions are dealt out evenly and repeated; votes outlive whatever happens to the process."""

import collections
import contextlib
import dataclasses
import os
import pathlib
import signal
import sqlite3
import subprocess
import sys
import threading

import pytest

from colorization.preference.study import (
    PREFERENCE,
    REPEAT_AFTER,
    TRUTH,
    Plan,
    Question,
    Votes,
    next_question,
)
from pipelines.errors import UserError

PLAN = Plan(models=(1, 2, 3), photos=tuple(range(10, 22)), truth=9, num_questions=40, seed=5)
ROOT = pathlib.Path(__file__).parents[3]


def ask_all(plan, voter="v", counts=None):
    """A voter who answers everything; gives the questions by key, and counts the votes."""
    asked, counts = {}, {} if counts is None else counts
    while (question := next_question(plan, voter, asked, counts)) is not None:
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
    question = next_question(PLAN, "v", {}, counts)
    assert (question.photo, question.pair) == behind


def test_every_tenth_question_is_an_earlier_one_with_sides_changed():
    asked = ask_all(PLAN)
    repeats = {key: question for key, question in asked.items() if question.repeats}
    assert list(repeats) == [10, 20, 30, 40]
    for key, question in repeats.items():
        earlier = asked[question.repeats]
        assert question.repeats < key - REPEAT_AFTER
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
    question = next_question(small, "v", asked, {})
    assert (question.photo, question.pair) == (11, (1, 2))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "votes.sqlite"


def open_study(path, num_models=2, num_photos=6):
    votes = Votes(path)
    models = votes.add_models({f"m{i}": f"print {i}" for i in range(num_models)})
    photos = votes.add_photos({f"digest {i}": f"{i}.jpg" for i in range(num_photos)})
    plan = Plan(tuple(models.values()), tuple(photos.values()), None, 60, votes.seed)
    return votes, plan


@pytest.fixture
def study(path):
    votes, plan = open_study(path)
    with contextlib.closing(votes):
        yield votes, plan


def test_a_voter_is_asked_one_question_at_a_time(study):
    votes, plan = study
    first = votes.standing("v", plan)
    assert (first.answered, first.last) == (0, None) and first == votes.standing("v", plan)
    assert votes.vote("v", first.token, "left")
    second = votes.standing("v", plan)
    assert (second.answered, second.last) == (1, first.token) and second.token != first.token
    assert votes.standing("w", plan).answered == 0


def test_the_first_vote_on_a_question_holds(study):
    votes, plan = study
    token = votes.standing("v", plan).token
    assert votes.vote("v", token, "left") and votes.vote("v", token, "right")
    (vote,), _ = votes.all()
    assert vote.choice == "left"


def test_nobody_votes_for_another(study):
    votes, plan = study
    token = votes.standing("v", plan).token
    assert not votes.vote("w", token, "left") and not votes.vote("v", "x", "left")
    assert not votes.take_back("w", token)
    assert votes.question("w", token) is None and votes.question("v", token) is not None
    assert votes.all()[0] == []


def test_votes_are_taken_back_one_by_one(study):
    votes, plan = study
    tokens = []
    for choice in ("left", "right", "tie"):
        tokens.append(votes.standing("v", plan).token)
        votes.vote("v", tokens[-1], choice)
    open_token = votes.standing("v", plan).token
    for token, answered in zip(tokens[:0:-1], (2, 1), strict=True):
        assert votes.standing("v", plan).last == token
        # A double click is one.
        assert votes.take_back("v", token) and votes.take_back("v", token)
        standing = votes.standing("v", plan)
        assert (standing.answered, standing.token) == (answered, token)
    for token in tokens[1:]:
        votes.vote("v", token, "right")
    assert votes.standing("v", plan).token == open_token
    assert [vote.choice for vote in votes.all()[0]] == ["left", "right", "right"]


def test_repeats_say_what_was_chosen_before_as_seen_from_their_sides(path):
    votes, plan = open_study(path, num_photos=12)
    with contextlib.closing(votes):
        for choice in ("left", "right", "tie") * 4:
            votes.vote("v", votes.standing("v", plan).token, choice)
        cast = votes.all()[0]
        assert [vote.repeated for vote in cast] == [None] * 9 + ["right"] + [None] * 2
        assert cast[9].question.pair == cast[0].question.pair


def test_a_study_goes_on_with_other_models_and_photos(study, path):
    votes, plan = study
    votes.vote("v", votes.standing("v", plan).token, "left")
    open_token = votes.standing("v", plan).token
    seed = votes.seed
    votes.close()
    votes, plan = open_study(path, num_models=3, num_photos=8)
    with contextlib.closing(votes):
        assert votes.seed == seed and len(plan.models) == 3 and len(plan.photos) == 8
        assert votes.standing("v", plan).token == open_token
        without = dataclasses.replace(plan, models=plan.models[1:])
        standing = votes.standing("v", without)
        assert standing.answered == 0 and set(standing.question.pair) == set(plan.models[1:])
        cast, names = votes.all()
        assert len(cast) == 1 and list(names.values()) == ["m0", "m1", "m2"]


def test_a_name_stands_for_one_model(study):
    votes, _ = study
    with pytest.raises(UserError, match="another model of the name m0. Choose another file"):
        votes.add_models({"new": "a", "m0": "other"})
    # Whole or not at all.
    assert set(votes.add_models({})) == {"m0", "m1"}


def test_names_of_photos_need_not_be_text(study):
    votes, _ = study
    assert list(votes.add_photos({"new": os.fsdecode(b"caf\xe9.jpg")}).values()) == [7]


def test_files_that_are_no_study_are_left_as_they_are(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("Not a database at all, but long enough to be looked at." * 20)
    other = tmp_path / "other.sqlite"
    with contextlib.closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE t (x)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(UserError, match=f"--votes={path}: the file of a study"):
            Votes(path)
        assert path.read_bytes() == before
    with pytest.raises(UserError, match="was expected. Received: none"):
        Votes(tmp_path / "gone.sqlite", create=False)
    with pytest.raises(UserError, match="unable to open"):
        Votes(tmp_path / "no" / "folder.sqlite")
    assert sorted(tmp_path.iterdir()) == [text, other]


def test_many_may_open_a_new_file_at_once(path):
    barrier, seeds = threading.Barrier(8), []

    def work():
        barrier.wait()
        with contextlib.closing(Votes(path)) as votes:
            seeds.append(votes.seed)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seeds) == 8 and len(set(seeds)) == 1


VOTER = """
import sys
sys.path.insert(0, {folder!r})
from test_study import open_study
votes, plan = open_study({path!r}, num_photos=60)
for _ in range(40):
    token = votes.standing({voter!r}, plan).token
    votes.vote({voter!r}, token, "left")
    print(token, flush=True)
"""


def start_voter(path, voter):
    program = VOTER.format(folder=str(pathlib.Path(__file__).parent), path=str(path), voter=voter)
    return subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def stored(path):
    with contextlib.closing(sqlite3.connect(path)) as connection:
        (problem,) = connection.execute("PRAGMA integrity_check").fetchone()
        assert problem == "ok"
        rows = connection.execute(
            "SELECT token FROM votes JOIN questions ON id = question ORDER BY id"
        )
        return [token for (token,) in rows]


def test_two_writers_at_once_lose_nothing(path):
    voters = [start_voter(path, voter) for voter in ("v", "w")]
    tokens = [voter.communicate()[0].split() for voter in voters]
    assert [voter.returncode for voter in voters] == [0, 0]
    assert sorted(stored(path)) == sorted(tokens[0] + tokens[1]) and len(stored(path)) == 80


def test_what_was_stored_survives_a_kill(path):
    voter = start_voter(path, "v")
    told = [voter.stdout.readline().strip() for _ in range(7)]
    voter.send_signal(signal.SIGKILL)
    told += voter.stdout.read().split()
    voter.wait()
    # One more may have been stored, and not yet been told of.
    assert len(told) >= 7 and stored(path)[: len(told)] == told and len(stored(path)) <= 40
