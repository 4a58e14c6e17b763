"""The audit command: what it prints and writes, and one line for a mistake."""

import json
import os

import cv2
import numpy as np
import pytest
import skimage.data

from colorization import audit as command
from colorization.auditing import findings
from pipelines.batches import survey
from pipelines.sources import opener
from tests import command_line


def call(*arguments):
    return command_line.call("colorization.audit", *arguments)


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Three pictures to train on, two of them copies, and the third to validate on, mirrored."""
    folder = tmp_path_factory.mktemp("photos")
    pictures = {
        "train/a.jpg": skimage.data.coffee(),
        "train/b.png": cv2.resize(skimage.data.coffee(), (150, 100), interpolation=cv2.INTER_AREA),
        "train/c.jpg": skimage.data.chelsea(),
        "train/d.jpg": skimage.data.astronaut(),
        "val/e.png": np.ascontiguousarray(skimage.data.chelsea()[:, ::-1]),
    }
    for name, picture in pictures.items():
        (folder / name).parent.mkdir(exist_ok=True)
        cv2.imwrite(str(folder / name), picture[..., ::-1])
    return folder


@pytest.mark.slow
def test_the_command_prints_tables_and_writes_a_folder(photos, tmp_path):
    output = tmp_path / "new" / "audit"
    status, text, errors = call(
        f"--data=folder:{photos}/train", f"--val_data=folder:{photos}/val", f"--output={output}"
    )
    assert (status, errors) == (0, "")
    lines = text.splitlines()
    table = {line[:24].strip(): line[24:].split() for line in lines[:9]}
    assert table["pictures"] == ["4", "1"] and table["near copies, groups"] == ["1", "0"]
    assert table["leaking into the other"] == ["1", "1"]
    # Columns are aligned.
    assert len({len(line) for line in lines[:9]}) == 1
    assert lines[-2] == f"Wrote report.html, audit.json, exclude.txt to {output}"
    assert (
        lines[-1]
        == f"To leave these pictures out: colorization train --exclude={output}/exclude.txt ..."
    )
    assert {path.name for path in output.iterdir()} == set(command.FILENAMES)
    assert json.loads((output / "audit.json").read_text())["data"]["num_pictures"] == 4
    assert (output / "exclude.txt").read_text().splitlines()[1:] == [
        f"{photos}/train/b.png\tcopy of {photos}/train/a.jpg",
        f"{photos}/train/c.jpg\tcopy of {photos}/val/e.png of the validation set",
    ]


@pytest.mark.slow
def test_training_takes_the_list(photos, tmp_path, monkeypatch):
    specification = f"folder:{os.path.relpath(photos)}/train"
    found = findings.audit(
        opener.open_source(specification), opener.open_source(f"folder:{photos}/val")
    )
    command.write(found, str(tmp_path))
    # The list is good from everywhere.
    monkeypatch.chdir(tmp_path)
    source = opener.open_source(f"folder:{photos}/train", exclude=str(tmp_path / "exclude.txt"))
    assert [os.path.basename(name) for name in source.names] == ["a.jpg", "d.jpg"]
    assert survey.survey(source).num_usable == 2


@pytest.mark.slow
def test_a_failure_leaves_no_half_file(photos, tmp_path):
    found = findings.audit(opener.open_source(f"folder:{photos}/val"))
    (tmp_path / "audit.json").mkdir()
    with pytest.raises(IsADirectoryError):
        command.write(found, str(tmp_path))
    assert {path.name for path in tmp_path.iterdir()} == {"report.html", "audit.json"}


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], "Error: audit takes --data=SOURCE and other flags only. See --help."),
        (["photos"], "Error: audit takes --data=SOURCE and other flags only. See --help."),
        (
            ["--data=samples", "--output={folder}"],
            "Error: --output must be a new or an empty folder. Received: {folder}, which exists",
        ),
        (
            ["--data=samples", "--output={folder}/notes.txt"],
            "Error: --output must be a new or an empty folder. Received: {folder}/notes.txt",
        ),
    ],
)
def test_mistakes_are_one_line(arguments, message, tmp_path):
    (tmp_path / "notes.txt").write_text("precious")
    arguments = [text.replace("{folder}", str(tmp_path)) for text in arguments]
    status, output, errors = call(*arguments)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(message.replace("{folder}", str(tmp_path)))
    assert (tmp_path / "notes.txt").read_text() == "precious"


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--data={folder}"], "Error: --data: expected folder:PATH, pairs:"),
        (["--data=folder:{folder}"], "Error: folder:{folder}: none of 1 files is a whole"),
        (
            ["--data=samples", "--output={folder}/a.png/b"],
            "Error: {folder}/a.png/b: Not a directory.",
        ),
    ],
)
def test_wrong_pictures_and_folders_are_one_line(arguments, message, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no")
    arguments = [text.replace("{folder}", str(tmp_path)) for text in arguments]
    status, output, errors = call(*arguments)
    assert (status, output, errors.count("\n")) == (1, "", 1)
    assert errors.startswith(message.replace("{folder}", str(tmp_path)))
