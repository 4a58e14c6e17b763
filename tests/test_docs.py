"""What the documentation names is there: files, links, commands and modules."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", "deploy/**/*.md", "saved_models/*.md")
    for path in ROOT.glob(pattern)
)
# Short names start at one of these.
PLACES = (ROOT, ROOT / "colorization", ROOT / "pipelines")


def module_path(name):
    """Path of a module or package of this project, or None."""
    path = ROOT.joinpath(*name.split("."))
    found = path.with_suffix(".py"), path / "__init__.py", path
    return next((each for each in found if each.exists()), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\(([^)#:=]+)(?:#[^)]*)?\)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_that_are_named_are_there(page):
    names = re.findall(
        r"(?<![\w/.])([\w.]+(?:/[\w.]+)+\.(?:py|md|flags|sh|yaml))\b", page.read_text()
    )
    places = (*PLACES, page.parent)
    missing = [name for name in names if not any((place / name).exists() for place in places)]
    assert [name for name in missing if "NAME" not in name] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_modules_that_are_named_are_there(page):
    text = page.read_text()
    commands = re.findall(r"python -m ((?:colorization|pipelines|benchmarks)[\w.]*\w)", text)
    missing = [name for name in commands if module_path(name) is None]
    for name in re.findall(r"`((?:colorization|pipelines)(?:\.\w+)+)", text):
        parent, _, last = name.rpartition(".")
        place = module_path(parent)
        if module_path(name) is None and not (
            # A file, such as colorization.jsonl.
            last.startswith("json")
            or place
            and place.is_file()
            and re.search(rf"\b{last}\b", place.read_text())
        ):
            missing.append(name)
    assert missing == []
