"""Every example of the documentation runs, and prints what it says that it prints; every page shows only what runs."""

import ast
import asyncio
import os
import re
import runpy
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import serial.rs485
from fake_uart import simulated_port
from typer.main import get_command
from waiting import until

import serialwrite as sw
from serialwrite.cli._app import app
from serialwrite.testing import PtyPair, receive, send

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
EXAMPLES = sorted((DOCS / "examples").glob("*.py"))
SERIALWRITE = [sys.executable, "-m", "serialwrite"]
BOUND = 60  # seconds for one example
# These need a port, which they are given by the tests below.
WITH_A_PORT = {"reset_board.py", "rs485.py", "upload_to_a_port.py"}


def run(*command):
    return subprocess.run(
        [*map(str, command)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=DOCS / "examples",
        capture_output=True,
        text=True,
        timeout=BOUND,
        check=False,
    )


def complaints(stderr):
    """What was said on stderr, but for asyncio's word, under -X dev, on a machine that was too busy to go on at once."""
    slow = re.compile(r"Executing <.* took [\d.]+ seconds")
    return [line for line in stderr.splitlines() if not slow.fullmatch(line)]


def promised(path):
    return re.findall(r"# prints: (.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)


def of_kind(*, pytest_file):
    return [path for path in EXAMPLES if path.name.startswith("test_") == pytest_file and path.name not in WITH_A_PORT]


def test_there_are_examples():
    assert EXAMPLES


@pytest.mark.parametrize("path", of_kind(pytest_file=False), ids=lambda path: path.name)
def test_example(path, need_tool):
    python = [sys.executable, "-W", "error", "-X", "dev", path]
    if path.name == "ci_job.py":  # as the page says
        need_tool("socat")
        done = run(*SERIALWRITE, "rig", "socat", "--exec", f"{sys.executable} {path}")
        assert done.returncode == 0, done.stderr
    else:
        done = run(*python)
        assert complaints(done.stderr) == []
        assert done.returncode == 0
    if promised(path):
        assert done.stdout.splitlines() == promised(path)


@pytest.mark.parametrize("path", of_kind(pytest_file=True), ids=lambda path: path.name)
def test_example_for_pytest(path, need_tool):
    if "socat" in path.name:
        need_tool("socat")
    done = run(sys.executable, "-m", "pytest", "-W", "error", "-p", "no:cacheprovider", path)
    assert done.returncode == 0, done.stdout
    assert re.search(r"\d passed in", done.stdout)
    assert "skipped" not in done.stdout


@pytest.mark.parametrize(("example", "function"), [("query.py", "query"), ("silent_device.py", "ask")])
def test_two_replies_in_a_burst_are_both_had(example, function):
    ask = runpy.run_path(str(DOCS / "examples" / example))[function]
    with PtyPair() as rig, rig.open_peer() as device, sw.SerialPort(rig.port) as port:
        send(device, b"one\r\ntwo\r\n")
        lines = sw.Buffered(port)
        assert [ask(lines, b"?", timeout=10) for _ in range(2)] == [b"one", b"two"]


def test_no_buffer_is_made_for_one_read_until():
    """What comes behind the delimiter would be lost."""
    for_one = re.compile(r"read_until\([^)]*dynamic_buffer\(")
    assert [path for path in [*EXAMPLES, ROOT / "README.md"] if for_one.search(path.read_text(encoding="utf-8"))] == []


def test_an_upload_to_a_port(tmp_path):
    firmware = os.urandom(200_000)
    (tmp_path / "firmware.bin").write_bytes(firmware)
    with PtyPair() as rig, rig.open_peer() as device:
        received = []
        reading = threading.Thread(target=lambda: received.append(receive(device, len(firmware), timeout=BOUND)))
        reading.start()
        done = run(
            sys.executable, "-W", "error", DOCS / "examples/upload_to_a_port.py", rig.port, tmp_path / "firmware.bin"
        )
        reading.join()
    assert (done.stdout, done.stderr) == ("done: 200000 bytes\n", "")
    assert received == [firmware]


async def test_a_bus_that_is_turned_around(monkeypatch):
    names = runpy.run_path(str(DOCS / "examples" / "rs485.py"))
    with simulated_port(baudrate=19200) as port:
        opened = iter([ValueError("no RS-485 mode"), port])

        def open_port(path, baudrate, **settings):
            made = next(opened)
            assert isinstance(settings.get("rs485_mode"), serial.rs485.RS485Settings) == isinstance(made, ValueError)
            if isinstance(made, ValueError):
                raise made
            return made

        monkeypatch.setattr(sw, "SerialPort", open_port)
        bus = names["open_bus"]("/dev/ttyUSB0")
        assert type(bus) is sw.RS485
        asking = asyncio.create_task(names["ask"](bus, b"question", 6, timeout=0.5))
        with pytest.raises(sw.TransferTimeout) as caught:  # this UART has no receiver: nobody answers
            await asking
        assert caught.value.bytes_transferred == 0
        assert port.uart.received == b"question"
        assert port.uart.rts_log == [(False, 0), (True, 0), (False, 8)]


async def test_a_board_that_is_reset(monkeypatch):
    names = runpy.run_path(str(DOCS / "examples" / "reset_board.py"))
    with simulated_port(dsr=False) as port:
        port.serial.reset_input_buffer = lambda: None
        restarting = asyncio.create_task(names["restart"](port))
        await until(lambda: port.uart.dtr_log == [False, True])
        assert not restarting.done()
        port.uart.dsr = True
        await restarting
        await names["enter_boot_loader"](port)
        assert port.uart.dtr_log[2:] == [False, True, False]
        assert [on for on, _ in port.uart.rts_log] == [True, False]


SOURCES = {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES}
for found in re.finditer(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL):
    SOURCES[f"README.md at {found.start()}"] = found[1]


@pytest.mark.parametrize("code", SOURCES.values(), ids=SOURCES)
def test_a_coroutine_leaves_streams_by_async_with(code):
    for function in ast.walk(ast.parse(code)):
        if isinstance(function, ast.AsyncFunctionDef):
            entered = [item for node in ast.walk(function) if isinstance(node, ast.With) for item in node.items]
            made = [ast.unparse(item.context_expr).partition("(")[0].removeprefix("sw.") for item in entered]
            assert not {"SerialPort", "SocketStream", "DescriptorStream", "Traced"}.intersection(made)


# -- the pages ----------------------------------------------------------------------------------------------


PAGES = sorted(DOCS.rglob("*.md"))
HOW_TO = sorted((DOCS / "how-to").glob("*.md"))


def test_python_on_a_page_comes_from_an_example():
    """It is included from docs/examples, where it runs."""
    assert [page for page in PAGES if "```python" in page.read_text(encoding="utf-8")] == []


def test_a_task_has_an_example():
    of_the_command_line = {"from-the-shell.md", "labgrid.md"}
    assert {
        page.name for page in HOW_TO if "{literalinclude} ../examples/" not in page.read_text(encoding="utf-8")
    } == of_the_command_line


def test_the_marks_of_an_excerpt_are_in_its_file():
    """Sphinx warns of a start that is missing; an end that is missing it takes for the end of the file."""
    include = re.compile(r"```\{literalinclude\} (\S+)\n(.*?)```", re.DOTALL)
    assert [
        (page, name, mark)
        for page in PAGES
        for name, options in include.findall(page.read_text(encoding="utf-8"))
        for mark in re.findall(r':(?:start-after|start-at|end-before): "?(.*?)"?$', options, re.MULTILINE)
        if mark not in (page.parent / name).read_text(encoding="utf-8")
    ] == []


OPTION = re.compile(r':([\w-]+): "?(.*?)"?$', re.MULTILINE)
README = (ROOT / "README.md").read_text(encoding="utf-8")


def excerpt(text, options):
    """What Sphinx shows of a file with these options."""
    lines = text.splitlines(keepends=True)
    if mark := options.get("start-at") or options.get("start-after"):
        lines = lines[next(i for i, line in enumerate(lines) if mark in line) + ("start-after" in options) :]
    if mark := options.get("end-before"):
        lines = lines[: next(i for i, line in enumerate(lines) if i and mark in line)]
    return "".join(lines)


def blocks():
    """Every block of Python that a page shows, below a comment with its page and line. A tutorial's reader types them into one file."""
    for page in PAGES:
        text, so_far = page.read_text(encoding="utf-8"), {}
        for found in re.finditer(r"```\{literalinclude\} (\S+\.py)\n(.*?)```", text, re.DOTALL):
            shown = excerpt((page.parent / found[1]).read_text(encoding="utf-8"), dict(OPTION.findall(found[2])))
            if page.parent.name == "tutorial":
                shown = so_far[found[1]] = so_far.get(found[1], "") + shown
            yield f"# {page.relative_to(DOCS)}:{text.count(chr(10), 0, found.start()) + 1}\n{shown}"
    for found in re.finditer(r"^```python\n(.*?)^```$", README, re.DOTALL | re.MULTILINE):
        yield f"# README.md:{README.count(chr(10), 0, found.start()) + 1}\n{found[1]}"


def test_a_block_by_itself_has_all_its_names(tmp_path):
    for number, code in enumerate(blocks()):
        (tmp_path / f"block_{number}.py").write_text(code, encoding="utf-8")
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--quiet", "--no-cache", "--select", "F821,E9"]
    done = subprocess.run([*ruff, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


TRANSCRIPTS = [
    (page, name, said)
    for page in PAGES
    for name, said in re.findall(
        r"```console\n\$ python (\w+\.py)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL
    )
]
CALLED = {"upload.py": "firmware_upload.py"}  # what the reader calls it: what it is


@pytest.mark.parametrize(("page", "name", "said"), TRANSCRIPTS, ids=lambda value: str(value)[:20])
def test_a_transcript_is_what_is_printed(page, name, said):
    def figures(text):
        return re.sub(r"[\d,.]*\d", "9", text)

    done = run(sys.executable, DOCS / "examples" / CALLED.get(name, name))
    assert figures(done.stdout) == figures(said)


COMMANDS = {
    name: command
    for group, one in get_command(app).commands.items()
    for name, command in (
        {f"{group} {name}": command for name, command in one.commands.items()}
        if hasattr(one, "commands")
        else {group: one}
    ).items()
}
CALLS = [
    (page, call)
    for page in [*PAGES, ROOT / "README.md", ROOT / "hw_tests" / "README.md"]
    for call in re.findall(rf"serialwrite (?:{'|'.join(COMMANDS)})(?![\w:])[^`\n#]*", page.read_text(encoding="utf-8"))
]


def test_the_options_of_a_command_exist():
    for page, call in CALLS:
        command = next(name for name in COMMANDS if call.startswith(f"serialwrite {name}"))
        own = call.partition(" --exec ")[0]  # what follows are another command's
        known = {name for one in COMMANDS[command].params for name in (*one.opts, *one.secondary_opts)} | {"--help"}
        assert set(re.findall(r"(?<=\s)-{1,2}[a-z][\w-]*", own)) <= known, (page, call)
