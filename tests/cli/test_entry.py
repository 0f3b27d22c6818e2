"""How the command line is reached, and what happens where its packages are missing."""

import sys
from importlib.metadata import PackageNotFoundError, distribution

import pytest


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_extra_is_named(program, missing):
    program.words = [
        sys.executable,
        "-c",
        f"import sys; sys.modules[{missing!r}] = None; from serialwrite.cli import main; main()",
    ]
    code, out, err = program.run("demo")
    assert (code, out) == (2, "")
    assert missing in err
    assert "pip install typer rich" in err


def test_a_module_of_ours_that_is_missing_is_not_blamed_on_the_extra(program):
    program.words = [
        sys.executable,
        "-c",
        "import sys; sys.modules['serialwrite.testing'] = None; from serialwrite.cli import main; main()",
    ]
    code, _, err = program.run("demo")
    assert code == 1
    assert "ModuleNotFoundError" in err


def test_the_library_does_without_the_command_line(program):
    extras = {"typer", "rich", "matplotlib", "greenlet", "numpy", "serialwrite.cli"}
    code = f"import sys, serialwrite, serialwrite.testing; print({extras} & sys.modules.keys())"
    program.words = [sys.executable, "-c", code]
    assert program.run() == (0, "set()\n", "")


def test_as_a_module(program):
    program.words = [sys.executable, "-m", "serialwrite"]
    code, out, _ = program.run("--help")
    assert code == 0
    assert "demo" in out
    assert "write" in out


def test_the_script_is_the_same_program():
    try:
        installed = distribution("serialwrite")
    except PackageNotFoundError:
        pytest.skip("serialwrite is not installed here, but run from its source tree")
    (script,) = installed.entry_points.select(group="console_scripts", name="serialwrite")
    assert script.value == "serialwrite.cli:main"


def test_help_states_the_exit_codes(program):
    code, out, _ = program.run("write", "--help")
    assert code == 0
    words = " ".join(out.split())
    assert "0 all written; 2 bad usage" in words
    assert "3 timed out part-way; 4 disconnected; 130 Ctrl-C" in words
