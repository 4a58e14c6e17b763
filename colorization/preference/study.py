"""A study: which pair a voter is shown next, and the file of what was asked and of every vote.

One SQLite file holds a study. When a method returns, what it stored is on disk; any number of
threads and processes may use the file at once. Models, the truth among them, and photos are the
numbers that the file knows them by. All that is known of a voter is a random text.

Source: sqlite.org, "Atomic Commit in SQLite" and "PRAGMA statements".
"""

import collections
import contextlib
import dataclasses
import itertools
import os
import random
import secrets
import sqlite3
import threading
import typing

from pipelines.errors import UserError

PREFERENCE, TRUTH = "preference", "truth"
# Of these questions one is an earlier one again, sides changed, at least so many questions later.
REPEAT_EVERY = 10
REPEAT_AFTER = 5
CHOICES = ("left", "right", "tie")
_QUESTION = 'photo, "left", "right", repeats'
# "CPrf" marks the file as this program's; the number is that of its layout.
_APPLICATION, _LAYOUT = 0x43507266, 1
_TABLES = """
CREATE TABLE study (seed INTEGER NOT NULL);
CREATE TABLE models (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, fingerprint TEXT NOT NULL
);
CREATE TABLE photos (id INTEGER PRIMARY KEY, digest TEXT NOT NULL UNIQUE, name TEXT NOT NULL);
CREATE TABLE questions (
    id INTEGER PRIMARY KEY,
    token TEXT NOT NULL UNIQUE,
    voter TEXT NOT NULL,
    photo INTEGER NOT NULL REFERENCES photos,
    "left" INTEGER NOT NULL REFERENCES models,
    "right" INTEGER NOT NULL REFERENCES models,
    repeats INTEGER REFERENCES questions,
    asked TEXT NOT NULL
);
CREATE INDEX questions_of_voters ON questions (voter);
CREATE TABLE votes (
    question INTEGER PRIMARY KEY REFERENCES questions,
    choice TEXT NOT NULL CHECK (choice IN ('left', 'right', 'tie')),
    cast_at TEXT NOT NULL
);
"""


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a study asks; `truth` is None if outputs are not compared with it."""

    models: tuple
    photos: tuple
    truth: int | None
    num_questions: int
    seed: int

    def pairs(self, kind):
        """Pairs of models that questions of a kind compare, as sorted tuples."""
        if kind == PREFERENCE:
            return list(itertools.combinations(sorted(self.models), 2))
        return [] if self.truth is None else [tuple(sorted((m, self.truth))) for m in self.models]

    def counts(self):
        """How many questions of each kind a voter is asked: dict, in the order of asking.

        Preferences come first, since who has seen the truth prefers what resembles it. Each pair
        gets an equal share.
        """
        pairs = {kind: len(self.pairs(kind)) for kind in (PREFERENCE, TRUTH)}
        wanted = round(self.num_questions * pairs[TRUTH] / sum(pairs.values()))
        wanted = {PREFERENCE: self.num_questions - wanted, TRUTH: wanted}
        return {kind: min(wanted[kind], pairs[kind] * len(self.photos)) for kind in pairs}

    def covers(self, question):
        """Tells whether the study can still ask a question: models may have gone, or photos."""
        known = {*self.models, self.truth}
        return question.photo in self.photos and {question.left, question.right} <= known

    def kind(self, question):
        """The kind of a question."""
        return TRUTH if self.truth in question.pair else PREFERENCE


class Question(typing.NamedTuple):
    """Two colorings of one photo; `repeats` is the key of the earlier question that it repeats."""

    photo: int
    left: int
    right: int
    repeats: int | None = None

    @property
    def pair(self):
        """The two models, sorted."""
        return tuple(sorted((self.left, self.right)))


def next_question(plan, voter, asked, counts):
    """Chooses a voter's next `Question`, or None if the voter has been asked all.

    The pair with the fewest votes comes first; of its photos, the one that the voter has seen
    least, then the one with the fewest votes. Sides, and what is left open, are drawn by the seed.
    `voter` is a text that tells voters apart, `asked` a dict of their questions by key, in the
    order of asking, and `counts` a dict of the votes of all voters by `(photo, pair)`.
    """
    asked = {key: question for key, question in asked.items() if plan.covers(question)}
    kinds = collections.Counter(plan.kind(question) for question in asked.values())
    kind = next((kind for kind, most in plan.counts().items() if kinds[kind] < most), None)
    if kind is None:
        return None
    draw = random.Random(f"{plan.seed} {voter} {len(asked)}")
    if (len(asked) + 1) % REPEAT_EVERY == 0:
        repeated = _repeat(plan, kind, asked)
        if repeated is not None:
            return repeated
    done = {(question.photo, question.pair) for question in asked.values()}
    # Repeats left out: the photos that are short of votes come first, and the first are repeated.
    seen = collections.Counter(q.photo for q in asked.values() if q.repeats is None)
    by_pair, by_photo = collections.Counter(), collections.Counter()
    for (photo, pair), votes in counts.items():
        by_pair[pair] += votes
        by_photo[photo] += votes

    def order_of_photos(pair, photo):
        return seen[photo], counts.get((photo, pair), 0), by_photo[photo], draw.random()

    open_photos = {
        pair: [photo for photo in plan.photos if (photo, pair) not in done]
        for pair in plan.pairs(kind)
    }
    # Never empty: of each kind no more is asked than there are photos for its pairs.
    open_pairs = [pair for pair, photos in open_photos.items() if photos]
    pair = min(open_pairs, key=lambda pair: (by_pair[pair], draw.random()))
    photo = min(open_photos[pair], key=lambda photo: order_of_photos(pair, photo))
    left, right = draw.sample(pair, 2)
    return Question(photo, left, right)


def _repeat(plan, kind, asked):
    """The voter's first question of a kind that was not repeated yet, with its sides changed."""
    repeated = {question.repeats for question in asked.values()}
    for key, question in list(asked.items())[:-REPEAT_AFTER]:
        if question.repeats is None and key not in repeated and plan.kind(question) == kind:
            return Question(question.photo, question.right, question.left, key)
    return None


def as_text(name):
    """What can be stored of a file's name."""
    return os.fsencode(name).decode(errors="backslashreplace")


class Standing(typing.NamedTuple):
    """The number of a voter's votes, and what may be done next.

    The open question has a token, both None at the end; `last` is the token of the question whose
    vote can be taken back.
    """

    answered: int
    token: str | None
    question: Question | None
    last: str | None


class Vote(typing.NamedTuple):
    """A voter's choice, one of `CHOICES`.

    `repeated` is that on the question that this one repeats, as seen from these sides, or None.
    """

    question: Question
    choice: str
    voter: str
    repeated: str | None


class Votes:
    """An open file of votes, made if it is missing and `create` is true; close it after use.

    `seed` is that of the study's shuffling, drawn when the file was made. Raises `UserError` if
    the file is missing, cannot be made, or is no file of votes.
    """

    def __init__(self, path, create=True):
        self.path, self._lock = os.fspath(path), threading.Lock()
        if not create and not os.path.isfile(path):
            raise UserError(f"--votes={path}: the file of a study was expected. Received: none.")
        try:
            self._connection = sqlite3.connect(
                path, timeout=30, isolation_level=None, check_same_thread=False
            )
            try:
                self.seed = self._prepare()
            except BaseException:
                self._connection.close()
                raise
        except sqlite3.Error as error:
            raise UserError(
                f"--votes={path}: the file of a study, or a new one in a folder that can be "
                f"written to, was expected. Received: {error}."
            ) from error

    def _prepare(self):
        """Makes the tables of a new file; returns the seed."""
        # A vote is on disk before it is answered. Without a write-ahead log: two processes that
        # turn it on at once may fail without waiting, and so a study stays one file.
        self._connection.execute("PRAGMA synchronous = EXTRA")
        self._connection.execute("PRAGMA foreign_keys = ON")
        with self._writing() as connection:
            (application,) = connection.execute("PRAGMA application_id").fetchone()
            (layout,) = connection.execute("PRAGMA user_version").fetchone()
            if connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                # Not as a script, which would end the transaction.
                for statement in _TABLES.split(";\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO study VALUES (?)", (secrets.randbits(31),))
                connection.execute(f"PRAGMA application_id = {_APPLICATION}")
                connection.execute(f"PRAGMA user_version = {_LAYOUT}")
            elif (application, layout) != (_APPLICATION, _LAYOUT):
                raise UserError(
                    f"--votes={self.path}: the file of a study of this version was expected. "
                    "Received: another database. Choose another file."
                )
            return connection.execute("SELECT seed FROM study").fetchone()[0]

    def close(self):
        """Closes the file."""
        with self._lock:
            self._connection.close()

    def add_models(self, fingerprints):
        """Makes models known, fingerprints by name; returns their numbers by name.

        Raises `UserError` if votes were cast on another model of that name.
        """
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO models (name, fingerprint) VALUES (?, ?)",
                fingerprints.items(),
            )
            known = dict(connection.execute("SELECT name, fingerprint FROM models"))
            for name, fingerprint in fingerprints.items():
                if known[name] != fingerprint:
                    raise UserError(
                        f"--votes={self.path} holds votes on another model of the name {name}. "
                        "Choose another file, or rename the folder of the new model."
                    )
            return dict(connection.execute("SELECT name, id FROM models"))

    def add_photos(self, names):
        """Makes photos known, given by names by digest; returns their numbers by digest."""
        with self._writing() as connection:
            connection.executemany(
                "INSERT OR IGNORE INTO photos (digest, name) VALUES (?, ?)",
                [(digest, as_text(name)) for digest, name in names.items()],
            )
            numbers = dict(connection.execute("SELECT digest, id FROM photos"))
            return {digest: numbers[digest] for digest in names}

    def standing(self, voter, plan):
        """Returns the `Standing` of a voter, and asks the next question if none is open."""
        with self._writing() as connection:
            rows = connection.execute(
                f"SELECT questions.id, token, choice, {_QUESTION} FROM questions "
                "LEFT JOIN votes ON question = questions.id WHERE voter = ? ORDER BY questions.id",
                (voter,),
            )
            asked, answered, token, question = {}, [], None, None
            for key, its_token, choice, *facts in rows.fetchall():
                its_question = Question(*facts)
                if plan.covers(its_question):
                    asked[key] = its_question
                    if choice is not None:
                        answered.append(its_token)
                    elif token is None:
                        token, question = its_token, its_question
            if token is None:
                token, question = self._ask(connection, voter, plan, asked)
            return Standing(len(answered), token, question, answered[-1] if answered else None)

    def vote(self, voter, token, choice):
        """Stores a vote, unless there is one; tells whether the voter was asked that question."""
        with self._writing() as connection:
            row = self._row(voter, token)
            if row:
                connection.execute(
                    "INSERT OR IGNORE INTO votes VALUES (?, ?, datetime('now'))", (row[0], choice)
                )
            return bool(row)

    def take_back(self, voter, token):
        """Removes a vote, if there is one; tells whether the voter was asked that question."""
        with self._writing() as connection:
            row = self._row(voter, token)
            if row:
                connection.execute("DELETE FROM votes WHERE question = ?", row[:1])
            return bool(row)

    def question(self, voter, token):
        """Finds the `Question` that a voter was asked by its token; None for any other."""
        with self._lock:
            row = self._row(voter, token)
        return Question(*row[1:]) if row else None

    def all(self):
        """Reads all votes, in the order of asking, and the names of models by number, in order."""
        mirrored = "CASE earlier.choice WHEN 'left' THEN 'right' WHEN 'right' THEN 'left' ELSE "
        with self._lock:
            rows = self._connection.execute(
                f"SELECT {_QUESTION}, votes.choice, voter, {mirrored} earlier.choice END "
                "FROM votes JOIN questions ON questions.id = votes.question "
                "LEFT JOIN votes AS earlier ON earlier.question = repeats ORDER BY questions.id"
            ).fetchall()
            names = self._connection.execute("SELECT id, name FROM models ORDER BY id").fetchall()
        return [Vote(Question(*row[:4]), *row[4:]) for row in rows], dict(names)

    @contextlib.contextmanager
    def _writing(self):
        """A transaction that no other thread or process can come between; undone by an error."""
        with self._lock, self._connection as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection

    def _ask(self, connection, voter, plan, asked):
        """Stores the voter's next question; returns its token and itself, or None for both."""
        counts = connection.execute(
            'SELECT photo, min("left", "right"), max("left", "right"), count(*) FROM votes '
            "JOIN questions ON questions.id = question WHERE repeats IS NULL GROUP BY 1, 2, 3"
        )
        counts = {(photo, (low, high)): votes for photo, low, high, votes in counts}
        question = next_question(plan, voter, asked, counts)
        if question is None:
            return None, None
        token = secrets.token_urlsafe(12)
        connection.execute(
            f"INSERT INTO questions (token, voter, asked, {_QUESTION}) "
            "VALUES (?, ?, datetime('now'), ?, ?, ?, ?)",
            (token, voter, *question),
        )
        return token, question

    def _row(self, voter, token):
        return self._connection.execute(
            f"SELECT id, {_QUESTION} FROM questions WHERE token = ? AND voter = ?", (token, voter)
        ).fetchone()
