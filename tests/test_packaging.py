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


def test_every_data_file_of_the_package_is_installed():
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    data = [
        path for path in (ROOT / "serialwrite").rglob("*.*") if path.suffix not in {".py", ".pyc", ".pyx", ".so", ".c"}
    ]
    assert len(data) > 3
    assert [path.name for path in data if not any(path.match(pattern) for pattern in patterns)] == []


def test_while_unpublished_nothing_says_to_install_it_by_name():
    """A name that an index does not have may belong to another project by the time that a user installs it."""
    by_name = re.compile(r"pip install[^\n`&]*(?<![\w./])serialwrite\b")
    assert [path for path in SAID if by_name.search(path.read_text(encoding="utf-8"))] == []


def test_the_readme_links_to_nothing_beside_it():
    """Where an index shows it, there are no files beside it."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"\]\((?!https?:|#)[^)]*\)", readme) == []
