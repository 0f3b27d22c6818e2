"""The type checkers accept every documented use, refuse every misuse, and find no public name without a type."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
PYTHON = ("--pythonpath", sys.executable)  # where pyright is to look for what serialwrite imports
BIN = Path(sys.executable).parent
BOUND = 300  # seconds that a checker may take, with a cold cache on a busy machine


def run(checker: str, *arguments: str) -> str:
    """What ``checker`` printed."""
    if importlib.util.find_spec(checker) is None:
        if os.environ.get("CI") == "true":
            pytest.fail(f"{checker} is not installed, and CI runs every test", pytrace=False)
        pytest.skip(f"{checker} is not installed")
    done = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        cwd=ROOT,
        # `pyright --verifytypes` asks the `python` of PATH for PYTHONPATH, whatever --pythonpath says.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PATH": os.pathsep.join((str(BIN), os.environ["PATH"]))},
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )
    return done.stdout or done.stderr


def errors_of_mypy(path: Path) -> dict[int, str]:
    """The line of each error, and what was said of it."""
    found = re.findall(r"^\S+?:(\d+)(?::\d+)?: error: (.*)$", run("mypy", "--strict", str(path)), re.MULTILINE)
    return {int(line): text for line, text in found}


def errors_of_pyright(path: Path) -> dict[int, str]:
    # Under the project's settings, elsewhere: its exclusion of the misuses holds even for a file that is named.
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pyright"]
    settings |= {"include": ["."], "exclude": [], "extraPaths": [str(ROOT)]}
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "pyrightconfig.json").write_text(json.dumps(settings), encoding="utf-8")
        shutil.copy(path, directory)
        report = json.loads(run("pyright", *PYTHON, "--outputjson", "--project", directory))
    assert report["summary"]["filesAnalyzed"] == 1
    return {
        one["range"]["start"]["line"] + 1: one["message"]
        for one in report["generalDiagnostics"]
        if one["severity"] == "error"
    }


CHECKERS = {"mypy": errors_of_mypy, "pyright": errors_of_pyright}


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_documented_use_is_accepted(checker: str) -> None:
    assert CHECKERS[checker](HERE / "typing_api.py") == {}


@pytest.mark.parametrize("checker", CHECKERS)
def test_every_misuse_is_refused_and_nothing_else(checker: str) -> None:
    path = HERE / "typing_bad.py"
    lines = path.read_text(encoding="utf-8").splitlines()
    misuses = {number for number, line in enumerate(lines, 1) if "  # refused: " in line}
    assert len(misuses) >= 8
    errors = CHECKERS[checker](path)
    assert {lines[number - 1].strip() for number in misuses - errors.keys()} == set(), "misuses that were accepted"
    assert {number: errors[number] for number in errors.keys() - misuses} == {}


def test_every_public_name_has_a_type() -> None:
    report = json.loads(run("pyright", *PYTHON, "--outputjson", "--ignoreexternal", "--verifytypes", "serialwrite"))
    completeness = report["typeCompleteness"]
    unknown = [
        symbol["name"] + "".join(": " + one["message"] for one in symbol["diagnostics"])
        for symbol in completeness["symbols"]
        if not symbol["isTypeKnown"] or symbol["isTypeAmbiguous"]
        if not symbol["name"].startswith("serialwrite.labgrid.")  # its base class is labgrid's, which has no types
    ]
    assert len(completeness["symbols"]) > 100
    assert unknown == []
