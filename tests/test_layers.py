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
COMMANDS = ("train", "evaluate", "compare", "colorize", "export", "serve", "demo")
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


@pytest.mark.parametrize("module", MODULES)
def test_imports(module):
    imported = set(imports(MODULES[module]))
    for package, forbidden in FORBIDDEN.items():
        if within(module, [package]):
            assert not {name for name in imported if within(name, forbidden)}
    # Training says in a run's directory what was asked of it.
    if module not in SHELLED:
        assert not {x for x in imported if within(x, ["colorization.flags"])}
    if within(module, ["colorization.losses"]):
        allowed = {"pipelines", "pipelines.color", "pipelines.color.bins"}
        assert {name for name in imported if within(name, ["pipelines"])} <= allowed
    if module == "colorization.config":
        light = {"colorization.choices", "colorization.config_rules", "pipelines.errors"}
        others = {name for name in imported if not within(name, light)}
        others -= {"colorization", "pipelines"}
        assert {name.split(".")[0] for name in others} <= sys.stdlib_module_names


def test_the_rules_apply():
    assert "colorization.models.unet" in MODULES and "pipelines.color.spaces" in MODULES
    assert set(imports(MODULES["pipelines.color.codecs"])) >= {"tensorflow", "pipelines.color.bins"}
