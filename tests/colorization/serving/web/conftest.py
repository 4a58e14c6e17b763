"""Fixtures for tests of the web page."""

import tempfile

import numpy as np
import pytest

from colorization.serving.web import app
from tests.colorization.serving.web import support


@pytest.fixture(scope="session")
def gray():
    """Pixels of a gray photo."""
    rows, columns = np.mgrid[:60, :80]
    return (rows * 2 + columns).astype(np.uint8)


@pytest.fixture(scope="session")
def photo(gray):
    """Bytes of a gray photo."""
    return support.encode(gray)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of temporary files, which every test must leave empty."""
    path = tmp_path / "temporary"
    path.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(path))
    yield path
    assert list(path.iterdir()) == []


@pytest.fixture
def painter():
    return support.Painter()


@pytest.fixture
def client(painter):
    """A client of an application with low limits; its `colorizer` is the painter."""
    limits = app.Limits(100_000, 10_000, max_queue=1, timeout=20, workers=1)
    with support.serving_app(painter, limits) as made:
        yield made.test_client()
