"""Imports only go down: the layers of the design, held by the source itself."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "serialwrite"
LAYERS = [
    {"_timers", "_signal_safe", "_posix"},
    {"_errors", "_buffers", "_cancellation", "_executors"},
    {"_adapting", "_conditions", "_cursors", "_deadlines", "_handler"},
    {"_transfer", "_direction", "_operation"},
    {"_until", "_initiate"},
    {"_composed", "_tokens", "_adapters"},
    {"_stackful", "_cancelling", "_quick"},
    {"_sync"},
    {"streams"},
    {"_write", "_read"},
    {"__init__"},
    {"testing"},
    {"loopback"},
    {"pytest_plugin", "cli"},
    {"__main__"},
]
RANK = {name: rank for rank, names in enumerate(LAYERS) for name in names}
FILES = sorted(PACKAGE.rglob("*.py"))


def layer_of(path):
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path):
    """The layers that the module at ``path`` imports from, wherever in it the import stands."""
    here = path.relative_to(PACKAGE.parent).with_suffix("").parts
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(here[: len(here) - node.level]) if node.level else ""
            module = ".".join(filter(None, [base, node.module]))
            names = [f"{module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            parts = name.split(".")
            if parts[0] == "serialwrite":
                yield parts[1] if len(parts) > 1 and parts[1] in RANK else "__init__"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_only_go_down(path):
    mine = layer_of(path)
    above = {name for name in imported(path) if name != mine and RANK[name] >= RANK[mine]}
    assert not above, f"{mine} is below {above}"


def test_every_file_has_its_layer():
    assert {layer_of(path) for path in FILES} == set(RANK) & {layer_of(path) for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_only_one_file_calls_writev(path):
    calls = {node.attr for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Attribute)}
    assert "writev" not in calls or path.name == "_descriptor.py"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_first_line_says_what_the_file_owns(path):
    source = path.read_text()
    assert not source.strip() or ast.get_docstring(ast.parse(source)), "no docstring"
