"""Holds the layers: who may import whom."""

import ast
import pathlib
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[1]
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts): path
    for package in ("colorization", "pipelines")
    for path in sorted((ROOT / package).rglob("*.py"))
}
COMMANDS = ("train", "evaluate", "compare", "colorize", "export", "serve", "demo", "batch")
SHELL = {"absl.flags", "colorization.config", "colorization.flags"}
FILES = {"glob", "io", "os", "pathlib", "shutil", "tempfile"}
SHELLED = {f"colorization.{command}" for command in COMMANDS} | {
    f"colorization.training.{module}" for module in ("loop", "restore", "state")
}
PURE = SHELL | FILES | {"absl", "cv2", "tensorflow"}
# Package: what it must not import.
FORBIDDEN = {
    "pipelines": {"colorization"},
    "colorization.models": PURE | {"numpy", "pipelines"},
    "colorization.losses": PURE | {"numpy"},
    "colorization.evaluation.metrics": PURE - {"cv2"},
    "colorization.training": {"absl"},
    "colorization.inference": SHELL,
    "colorization.evaluation": SHELL,
}


def imports(path):
    """Every module a file imports, `from a import b` giving both `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(module, packages):
    return any(module == package or module.startswith(package + ".") for package in packages)


IMPORTED = {module: set(imports(path)) for module, path in MODULES.items()}


@pytest.mark.parametrize("package", FORBIDDEN)
def test_a_package_imports_nothing_that_is_forbidden(package):
    found = {m: {x for x in IMPORTED[m] if within(x, FORBIDDEN[package])} for m in MODULES}
    assert {m: names for m, names in found.items() if names and within(m, [package])} == {}


def test_flags_are_for_commands_and_for_the_recipe_of_a_run():
    users = {m for m in MODULES if any(within(x, ["colorization.flags"]) for x in IMPORTED[m])}
    assert users <= SHELLED


def test_losses_know_bins_and_nothing_else_of_pipelines():
    allowed = {"pipelines", "pipelines.color", "pipelines.color.bins"}
    used = {name for name in IMPORTED["colorization.losses"] if within(name, ["pipelines"])}
    assert used <= allowed


def test_options_of_training_take_the_standard_library_alone():
    light = {"colorization.choices", "pipelines.errors"}
    others = {name for name in IMPORTED["colorization.config"] if not within(name, light)}
    others -= {"colorization", "pipelines"}
    assert {name.split(".")[0] for name in others} <= sys.stdlib_module_names


def test_the_rules_apply():
    assert "colorization.models.unet" in MODULES and "pipelines.color.spaces" in MODULES
    assert set(imports(MODULES["pipelines.color.codecs"])) >= {"tensorflow", "pipelines.color.bins"}
