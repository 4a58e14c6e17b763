"""The notebook runs from its first cell to its last."""

import json
import pathlib
import sys
import types

import pytest

from pipelines.photos.photo_files import read_picture

NOTEBOOK = pathlib.Path(__file__).parents[1] / "examples" / "quickstart.ipynb"


@pytest.mark.slow
def test_the_quickstart_colors_a_photo(tmp_path, monkeypatch):
    # Jupyter brings IPython; of it only the display of a picture is used.
    display = types.ModuleType("IPython.display")
    display.Image = lambda path, width: read_picture(path)
    monkeypatch.setitem(sys.modules, "IPython", types.ModuleType("IPython"))
    monkeypatch.setitem(sys.modules, "IPython.display", display)
    monkeypatch.chdir(tmp_path)
    values = {}
    for cell in json.loads(NOTEBOOK.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec("".join(cell["source"]), values)
    assert values["colored"].shape == values["photo"].shape
    assert 1 <= len(values["several"]) <= 3
    pale, colored = (read_picture(name).astype(int) for name in ("pale.jpg", "colored.jpg"))
    assert (pale.max(-1) - pale.min(-1)).mean() < (colored.max(-1) - colored.min(-1)).mean()
