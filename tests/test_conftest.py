"""The checks of conftest.py can go red: a test that leaks or hangs fails, and is told why."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LEAKY = """
import asyncio, os, pytest, subprocess, sys, threading, time

def test_descriptor():
    os.open(os.devnull, os.O_RDONLY)

def test_thread():
    threading.Thread(target=time.sleep, args=(60,), name="forgotten", daemon=True).start()

def test_child():
    test_child.process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

async def test_task():
    test_task.task = asyncio.create_task(asyncio.sleep(60), name="forgotten")

async def test_error_in_a_callback():
    asyncio.get_running_loop().call_soon(int, "no number")
    await asyncio.sleep(0)

class Failure(Exception):
    pass

async def fail_when_cancelled():
    try:
        await asyncio.sleep(60)
    finally:
        raise Failure("of the test before")

async def test_that_fails_beside_a_task():
    test_that_fails_beside_a_task.task = asyncio.create_task(fail_when_cancelled())
    await asyncio.sleep(0)
    assert False

def test_after_it():
    del test_that_fails_beside_a_task.task

async def test_nothing():
    reader, writer = os.pipe()
    thread = threading.Thread(target=time.sleep, args=(0.05,))
    thread.start()
    task = asyncio.create_task(asyncio.sleep(0.01))
    os.close(reader), os.close(writer)

def test_tool(need_tool):
    need_tool("no-such-tool")

@pytest.mark.time_limit(0.3)
async def test_hanging_task():
    await asyncio.get_running_loop().create_future()

@pytest.mark.time_limit(0.3)
def test_hanging_thread():
    threading.Event().wait()

def teardown_module():
    test_child.process.kill()
    test_child.process.wait()
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    """What pytest says of leaky tests, CI or not."""
    folder = tmp_path_factory.mktemp("leaky")
    conftest = (Path(__file__).parent / "conftest.py").read_text()
    (folder / "conftest.py").write_text(conftest.replace("SETTLE = 5.0", "SETTLE = 0.1"))
    (folder / "test_leaky.py").write_text(LEAKY)
    (folder / "pytest.ini").write_text("[pytest]\nasyncio_mode = auto\nasyncio_default_fixture_loop_scope = function\n")

    def run(ci):
        command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "test_leaky.py"]
        environment = {**os.environ, "CI": ci}
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False).stdout

    return {ci: run(ci) for ci in ("", "true")}


@pytest.mark.parametrize(
    ("test", "why"),
    [
        ("test_descriptor", "the test leaked descriptor .* -> /dev/null"),
        ("test_thread", "the test leaked thread forgotten"),
        ("test_child", "the test leaked child process .* python"),
        ("test_task[asyncio]", "the test leaked .*Task pending name='forgotten'"),
        ("test_task[uvloop]", "the test leaked .*Task pending name='forgotten'"),
        ("test_error_in_a_callback[asyncio]", "error that nobody saw.*no number"),
        ("test_hanging_task[asyncio]", "the test took more than 0.3 s"),
        ("test_hanging_task[uvloop]", "the test took more than 0.3 s"),
        ("test_hanging_thread", "the test took more than 0.3 s"),
    ],
)
def test_a_bad_test_is_reported(report, test, why):
    if "uvloop" in test:
        pytest.importorskip("uvloop")
    said = [line for line in report[""].splitlines() if line.startswith(("ERROR", "FAILED"))]
    assert any(f"::{test}" in line for line in said)
    section = report[""].split(f" {test} ___", 1)[1].split("\n____", 1)[0]
    assert re.search(why, section, re.DOTALL), section


def test_a_test_that_gives_everything_back_passes(report):
    assert "PASSED test_leaky.py::test_nothing[asyncio]" in report[""]


def test_a_failed_test_leaves_no_error_to_the_next(report):
    assert "FAILED test_leaky.py::test_that_fails_beside_a_task[asyncio]" in report[""]
    assert "of the test before" not in report[""]


def test_a_missing_tool_skips_by_name_and_fails_in_ci(report):
    assert "SKIPPED [1] " in report[""]
    assert "no-such-tool is not installed" in report[""]
    assert "FAILED test_leaky.py::test_tool - " in report["true"]


def test_no_name_of_a_test_is_longer_than_60():
    names = [
        name
        for file in Path(__file__).parent.rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text())
    ]
    assert len(names) > 1000
    assert [name for name in names if len(name) > 60] == []


@pytest.mark.parametrize("program", ["benchmarks", "explorer", "mutants", "seeds", "soak"])
def test_help_of_a_program_is_its_usage(program):
    words = [sys.executable, "-m", f"tests.{program}", "--help"]
    done = subprocess.run(words, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: python -m tests.{program} ")
