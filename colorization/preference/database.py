"""Opens the database of a study, as safely as SQLite can: nothing committed is ever lost.

Source: sqlite.org, "Atomic Commit in SQLite" and "PRAGMA statements".
"""

import contextlib
import os
import secrets
import sqlite3

from pipelines.errors import UserError

# "CPrf" marks the file as this program's; the number is that of its layout.
_APPLICATION, _LAYOUT = 0x43507266, 1
_SECONDS_TO_WAIT = 30
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


class VotesError(UserError):
    """A file of votes that cannot be used; the message is one line."""


def open_database(path, create=True):
    """Opens the file of a study, any number of which may be open at once.

    Args:
        path: Of the file.
        create: Whether it is made if it is missing.

    Returns:
        A `sqlite3.Connection` that any thread may use, one at a time; without a transaction of its
        own accord.

    Raises:
        VotesError: If the file is missing, cannot be made, or is no file of votes.
    """
    if not create and not os.path.isfile(path):
        raise VotesError(f"--votes={path}: the file of a study was expected. Received: none.")
    try:
        connection = sqlite3.connect(
            path, timeout=_SECONDS_TO_WAIT, isolation_level=None, check_same_thread=False
        )
        try:
            _prepare(connection, path)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise VotesError(
            f"--votes={path}: the file of a study, or a new one in a folder that can be written "
            f"to, was expected. Received: {error}."
        ) from error
    return connection


@contextlib.contextmanager
def transaction(connection):
    """A transaction that no other process can come between; undone if the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _prepare(connection, path):
    # First of all, so that a stranger's file is left as it is; and in this order, since another
    # process may be making the file.
    num_tables = _num_tables(connection)
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (layout,) = connection.execute("PRAGMA user_version").fetchone()
    if num_tables and (application, layout) != (_APPLICATION, _LAYOUT):
        raise VotesError(
            f"--votes={path}: the file of a study of this version was expected. Received: another "
            "database. Choose another file."
        )
    # A vote is on disk before it is answered. Without a write-ahead log: two processes that turn it
    # on at once may fail without waiting, and so a study stays one file.
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("PRAGMA foreign_keys = ON")
    with transaction(connection):
        # Looked at again, now that no other process can be at the same.
        if not _num_tables(connection):
            # Not as a script, which would end the transaction.
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute("INSERT INTO study VALUES (?)", (secrets.randbits(31),))
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_LAYOUT}")


def _num_tables(connection):
    return connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
