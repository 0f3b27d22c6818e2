"""What is packed, what it calls itself, and what its pages say of how to get it."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import serialwrite

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SAID = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md"), *(ROOT / "serialwrite").rglob("*.py")])


def test_the_version_is_that_of_the_metadata():
    try:
        installed = version("serialwrite")
    except PackageNotFoundError:
        pytest.skip("serialwrite is not installed here, but run from its source tree")
    assert serialwrite.__version__ == installed


def test_the_sdist_has_what_its_tests_look_for():
    manifest = (ROOT / "MANIFEST.in").read_text(encoding="utf-8").splitlines()
    packed = {name for line in manifest if line.startswith(("graft", "include")) for name in line.split()[1:]}
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("*.py"))
    # Files at the top that a test names; setuptools packs pyproject.toml and the package unasked.
    named = {name for name in re.findall(r'"(\.?[\w.]+)(?:/\w+)?"', tests) if (ROOT / name).exists()}
    assert {".ci", "Makefile", "README.md"} <= named
    made = {line.strip("/") for line in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()}
    assert named - made - {".", ".git", "pyproject.toml", "serialwrite"} <= packed


@pytest.mark.parametrize("path", SAID, ids=lambda path: str(path.relative_to(ROOT)))
def test_while_unpublished_nothing_says_to_install_it_by_name(path):
    """A name that an index does not have is found by nobody, or belongs to somebody else by then."""
    assert not re.search(r"pip install[^\n`&]*(?<![\w./])serialwrite\b", path.read_text(encoding="utf-8"))


def test_the_readme_links_to_nothing_beside_it():
    """Where an index shows it, there are no files beside it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", readme) == []
