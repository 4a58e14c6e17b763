"""Sheets of variants."""

import numpy as np
import pytest

from colorization.pages import SHEET_GAP as GAP
from colorization.pages import sheet, shrink


def cell(page, row, column, height, width):
    top, left = row * (height + GAP), column * (width + GAP)
    return page[top : top + height, left : left + width]


@pytest.mark.parametrize(
    ("number", "rows", "columns"), [(2, 1, 2), (3, 2, 2), (5, 2, 3), (25, 5, 5)]
)
def test_rows_are_about_as_many_as_columns(number, rows, columns):
    pictures = [np.full((6, 8, 3), 10 * index, np.uint8) for index in range(number)]
    page = sheet(pictures)
    assert page.shape == (rows * 6 + (rows - 1) * GAP, columns * 8 + (columns - 1) * GAP, 3)
    for index in range(number):
        found = cell(page, index // columns, index % columns, 6, 8)
        np.testing.assert_array_equal(found, pictures[index])


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((1000, 500), (320, 160)), ((3, 4000), (1, 320)), ((20, 30), (20, 30))],
)
def test_large_pictures_are_made_small(shape, expected):
    assert shrink(np.zeros((*shape, 3), np.uint8)).shape == (*expected, 3)


def test_sixteen_bits_become_eight():
    deep = np.arange(256, dtype=np.uint16).reshape(16, 16, 1).repeat(3, axis=2) * 257
    np.testing.assert_array_equal(shrink(deep) * np.uint16(257), deep)
