import pytest

from colorization.preference.questions import Question
from colorization.preference.standings import report
from colorization.preference.votes import Vote

NAMES = {1: "chroma", 2: "gray", 3: "truth", 4: "mine", 5: "theirs"}


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


def test_all_lines_of_a_table_are_equally_long():
    lines = report(votes((1, 2, "left", 10), (1, 3, "left", 4), (3, 2, "left", 1000)), NAMES)
    tables = [line for line in lines if line.startswith("|")]
    assert len(tables) == 8 and len({len(line) for line in tables[:4]}) == 1
    assert len({len(line) for line in tables[4:]}) == 1


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
