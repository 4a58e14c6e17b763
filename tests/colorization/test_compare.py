"""The command `compare`: side by side where protocols agree, one line where they do not."""

import copy
import json
import pathlib

import pytest

from colorization import compare
from colorization.evaluation import EvaluationError, results
from tests.command_line import call


def record(system="chroma 1", data="scenes/val", changes=()):
    protocol = {
        "data": {"fingerprint": data, "photos": 378, "limit": 0},
        "size": "each photo's own",
        "figures": {"psnr": 1},
        "networks": {},
        "variants": {},
    }
    return {
        "format": "colorization-evaluation",
        "version": 1,
        "system": {"label": system},
        "data": {"label": data, "photos": 378},
        "figures": {"psnr": {"value": 25.0, "low": 24.0, "high": 26.0}},
        "warnings": [],
        "protocol": protocol | dict(changes),
    }


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes records into files a.jsonl, b.jsonl and so on; returns their names."""
    monkeypatch.chdir(tmp_path)

    def write_files(*files):
        names = [f"{letter}.jsonl" for letter, _ in zip("abc", files, strict=False)]
        for name, lines in zip(names, files, strict=True):
            pathlib.Path(name).write_text(results.to_lines(copy.deepcopy(lines)))
        return names

    return write_files


def test_systems_of_several_files_stand_side_by_side(write, capsys):
    compare.main(write([record(), record("gray")], [record("mine 1")]))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "### scenes/val: 378 photos"
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "figure",
        "better",
        "chroma 1",
        "gray",
        "mine 1",
    ]
    assert lines[4].count("25.00 [24.00, 26.00]") == 3


def test_equal_names_are_told_apart_by_their_files(write, capsys):
    compare.main(write([record()], [record()]))
    header = capsys.readouterr().out.splitlines()[2]
    assert "chroma 1 (a.jsonl)" in header and "chroma 1 (b.jsonl)" in header


def test_every_common_set_has_its_table(write, capsys):
    sets = [record(data=name) for name in ("scenes/val", "faces/val")]
    compare.main(write(sets, [*sets, record(data="flowers/val")]))
    found = [line for line in capsys.readouterr().out.splitlines() if line.startswith("###")]
    assert found == ["### scenes/val: 378 photos", "### faces/val: 378 photos"]


def test_files_of_one_set_each_are_compared_whatever_it_is_called(write, capsys):
    moved = record("mine 1")
    moved["data"]["label"] = "copies/val"
    compare.main(write([record()], [moved]))
    assert "mine 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "128 x 128"}, "size is \"each photo's own\" there and '128 x 128' here"),
        ({"figures": {"psnr": 2}}, "figures.psnr is 1 there and 2 here"),
        (
            {"data": {"fingerprint": "scenes/val", "photos": 40, "limit": 40}},
            "data.limit is 0 there and 40 here; data.photos is 378 there and 40 here",
        ),
    ],
)
def test_other_protocols_are_refused_by_the_field_that_differs(write, capsys, changes, message):
    names = write([record()], [record("mine 1"), record("mine 2", changes=changes)])
    with pytest.raises(EvaluationError) as caught:
        compare.main(names)
    assert message in str(caught.value) and "a.jsonl and b.jsonl" in str(caught.value)
    assert not capsys.readouterr().out


def test_files_without_a_common_set_are_refused(write):
    pair = [record(data="faces/val"), record(data="flowers/val")]
    with pytest.raises(
        EvaluationError, match="a.jsonl has scenes/val; b.jsonl has faces/val, flow"
    ):
        compare.main(write([record()], pair))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Received: none"),
        (["none.jsonl"], "none.jsonl: can't be read"),
        (["a.jsonl"], "a.jsonl: expected lines"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"format": "other"}))
    status, output, errors = call("colorization.compare", *arguments, cwd=tmp_path)
    assert (status, output, errors.count("\n")) == (1, "", 1) and message in errors
