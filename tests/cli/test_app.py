"""How the command line is reached, and what happens where its packages are missing."""

import shutil
import sys
from dataclasses import fields
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

import pytest
from typer.main import get_command

from serialwrite.cli._app import app
from serialwrite.cli._endings import ExitCode
from serialwrite.cli._line_options import LineOptions
from serialwrite.loopback import Verdict


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


def test_report_without_jinja_is_refused_before_the_test(program):
    program.words = [
        sys.executable,
        "-c",
        "import sys; sys.modules['jinja2'] = None; from serialwrite.cli import main; main()",
    ]
    code, out, err = program.run("loopback", "--report", "report.html")
    assert (code, out) == (2, "")
    assert "pip install jinja2" in err


def test_own_module_missing_is_not_blamed_on_the_extra(program):
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


COMMANDS = ("write", "read", "ask", "ports", "probe", "loopback", "rig", "demo", "lab loopback")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_is_readable_at_80_columns(program, command):
    program.env["COLUMNS"] = "80"
    code, out, _ = program.run(*command.split(), "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "<bool>" not in out
    assert "─" not in out  # a box leaves the words a third of the width
    words = " ".join(out.split())
    assert all(f"{code.value} {code.meaning}" in words for code in ExitCode)


def test_every_command_that_opens_a_port_has_the_line_options():
    commands = get_command(app).commands
    assert {*COMMANDS, "lab"} == {*commands, "lab loopback"}
    options = {
        name: {each.name: (each.opts, each.secondary_opts, each.default) for each in commands[name].params}
        for name in commands
    }
    shared = {field.name for field in fields(LineOptions)}
    assert shared == {"baud", "data_bits", "parity", "stop_bits", "flow", "dtr", "rts"}
    line = {name: options["write"][name] for name in shared}
    assert line["baud"] == (["--baud", "-b"], [], 115200)
    for name in ("read", "ask", "probe", "loopback"):
        assert options[name] | line == options[name]


def test_loopback_verdicts_have_the_exit_codes_of_the_table():
    codes = {verdict.name: ExitCode(verdict.exit_code).name for verdict in Verdict}
    assert codes == {
        "PASS": "DONE",
        "FAIL": "FAILED",
        "NOT_RUN": "USAGE",
        "STOPPED": "INTERRUPTED",
        "TIMED_OUT": "TIMED_OUT",
        "NOT_TESTED": "TIMED_OUT",
    }


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_completion_completes_in_bash(program):
    if len(program.words) > 1:
        pytest.skip("completion is for the installed script")
    program.env |= {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}
    code, script, err = program.run("--show-completion", "bash")
    assert (code, err) == (0, "")
    path = program.folder / "completion.sh"
    path.write_text(script)
    program.env["PATH"] = f"{Path(program.words[0]).parent}:{program.env['PATH']}"
    typed = f"source {path}; COMP_WORDS=(serialwrite ask --ba); COMP_CWORD=2; _serialwrite_completion serialwrite"
    program.words = ["bash", "-c", f'{typed}; echo "${{COMPREPLY[@]}}"']
    assert program.run() == (0, "--baud\n", "")
