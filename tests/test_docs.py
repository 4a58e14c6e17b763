"""What the documentation names is there: files, links, commands and modules."""

import dataclasses
import pathlib
import re

from colorization.__main__ import COMMANDS
from colorization.config import Config
from colorization.flags import RECIPES

ROOT = pathlib.Path(__file__).parents[1]
PAGES = sorted(
    path
    for pattern in ("*.md", "benchmarks/*.md", "docs/*.md", "deploy/**/*.md", "saved_models/*.md")
    for path in ROOT.glob(pattern)
)
# Short names start at one of these.
PLACES = (ROOT, ROOT / "colorization", ROOT / "pipelines")


def module_path(name):
    """Path of a module or package of this project, or None."""
    path = ROOT.joinpath(*name.split("."))
    found = path.with_suffix(".py"), path / "__init__.py", path
    return next((each for each in found if each.exists()), None)


def all_pages(find):
    """What a function finds wrong of each page."""
    found = {str(page.relative_to(ROOT)): find(page) for page in PAGES}
    return {page: wrong for page, wrong in found.items() if wrong}


def test_links_lead_somewhere():
    def find(page):
        links = re.findall(r"\]\(([^)#:=]+)(?:#[^)]*)?\)", page.read_text())
        return [link for link in links if not (page.parent / link).exists()]

    assert all_pages(find) == {}


def missing_files(page):
    names = re.findall(
        r"(?<![\w/.])([\w.]+(?:/[\w.]+)+\.(?:py|md|flags|sh|yaml))\b", page.read_text()
    )
    places = (*PLACES, page.parent)
    missing = [name for name in names if not any((place / name).exists() for place in places)]
    return [name for name in missing if "NAME" not in name]


def test_files_that_are_named_are_there():
    assert all_pages(missing_files) == {}


def missing_modules(page):
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
    return missing


def test_modules_that_are_named_are_there():
    assert all_pages(missing_modules) == {}


def command_lines(page):
    """The lines in fences that run a command of this project, continued ones joined."""
    text = re.sub(r"\\\\\n\s*", "", page.read_text())
    for fence in re.findall(r"^```\n(.*?)^```", text, flags=re.M | re.S):
        yield from (line for line in fence.splitlines() if re.match("coloriz(e|ation) ", line))


def known_flags():
    """Names of all flags that a command defines."""
    names = {field.name for field in dataclasses.fields(Config)} | {"recipe"}
    for package in ("colorization", "pipelines"):
        for path in (ROOT / package).rglob("*.py"):
            names |= set(re.findall(r"\(\s*\"(\w+)\",", path.read_text()))
            names |= set(re.findall(r"^    (\w+): ", path.read_text(), flags=re.M))
    return names


KNOWN_FLAGS = known_flags()


def unknown_words(page):
    wrong = []
    for line in command_lines(page):
        program, word = line.split()[:2]
        if program == "colorization" and word not in COMMANDS:
            wrong.append(line)
        # What stands in quotes is for others, such as a runner of Beam.
        flags = re.findall(r"(?<=\s)--(\w+)", re.sub(r"'[^']*('|$)", "", line.partition(" # ")[0]))
        wrong += [flag for flag in flags if not {flag, flag.removeprefix("no")} & KNOWN_FLAGS]
        for recipe in re.findall(r"--recipe=(\w+)", line):
            if recipe != "NAME" and not (RECIPES / f"{recipe}.flags").exists():
                wrong.append(recipe)
    return wrong


def test_commands_flags_and_recipes_that_are_named_exist():
    assert all_pages(unknown_words) == {}
