"""Every Python block of the README runs as it stands, but for the name of the port and the device at the far end."""

import asyncio
import builtins
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import serialwrite
from serialwrite.testing import receive, send

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PORT = "/dev/ttyUSB0"
BLOCKS = [
    (README.count("\n", 0, block.start(1)) + 1, block[1])
    for block in re.finditer(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
]
FIRMWARE = bytes(range(256)) * 1024


def run(code, line, at):
    """Run a block, and the tests that it defines."""
    names = {"__name__": "readme"}
    exec(compile("\n" * (at - 1) + code.replace(PORT, line.port), ROOT / "README.md", "exec"), names)
    for name, value in names.items():
        if name.startswith("test_"):
            value()


def block_with(words):
    (found,) = [(at, code) for at, code in BLOCKS if words in code]
    return found


@pytest.fixture
def in_background():
    """Run a device's part of the conversation on a thread."""
    with ThreadPoolExecutor() as pool:
        yield pool.submit


def test_an_upload_that_stalls(line, device, in_background, tmp_path, monkeypatch, capsys):
    at, code = block_with("firmware.bin")
    monkeypatch.chdir(tmp_path)
    Path("firmware.bin").write_bytes(FIRMWARE)
    received = []

    def press_enter(prompt):
        received.append(in_background(receive, device, len(FIRMWARE)))

    monkeypatch.setattr(builtins, "input", press_enter)
    run(code, line, at)
    assert received.pop().result() == FIRMWARE
    # What the comment beside the print says it prints, but for the figures.
    comment = re.search(r"print\(error\)  # (.*)", code)[1]
    figures = re.compile(r"[\d,.]+")
    assert figures.sub("9", capsys.readouterr().out.strip()) == figures.sub("9", comment)


def test_query_and_reply(line, device, in_background, capsys):
    at, code = block_with("*IDN?")

    def answer():
        question = receive(device, 7)
        send(device, b"serialwrite,1\r\n")
        return question

    asked = in_background(answer)
    run(code, line, at)
    assert asked.result() == b"*IDN?\r\n"
    assert capsys.readouterr().out == "b'serialwrite,1\\r\\n'\n"


def test_query_of_two_replies_in_a_burst_loses_neither(line, device):
    _, code = block_with("*IDN?")
    names = {"__name__": "readme"}
    exec(compile(code.rpartition("asyncio.run")[0], ROOT / "README.md", "exec"), names)
    replies = asyncio.run(asked_twice(line, device, names["ask"]))
    assert replies == [b"one\r\n", b"two\r\n"]


async def asked_twice(line, device, ask):
    async with serialwrite.SerialPort(line.port) as port:
        lines = serialwrite.Buffered(port)
        send(device, b"one\r\ntwo\r\n")
        return [await ask(lines, b"?\r\n") for _ in range(2)]


def test_no_block_is_left_out():
    assert len(BLOCKS) == 2


@pytest.mark.parametrize("file", ["Makefile", ".ci/run"])
def test_the_test_command_on_the_page_is_the_one_of(file):
    texts = [(ROOT / name).read_text(encoding="utf-8") for name in ("docs/contributing.md", file)]
    on_page, in_file = (re.search(r"python (-m pytest -n \d+)\b", text)[1] for text in texts)
    assert on_page == in_file


def test_the_exports_that_the_tables_name_exist():
    tokens, streams = (
        (ROOT / f"docs/reference/{name}.md").read_text(encoding="utf-8") for name in ("tokens", "streams")
    )
    names = set(re.findall(r"`(\w+)`", tokens)) | set(re.findall(r"`(\w+Stream|SerialPort|as_stream)\b", streams))
    foreign = {"bytes_transferred", "error", "remaining", "create_task", "handler", "stackful", "StreamWriter"}
    assert not {name for name in names - foreign if not hasattr(serialwrite, name)}


def test_the_pages_it_names_exist():
    pages = re.findall(r"`(?:docs/)?((?:[\w-]+/)?[\w-]+\.md)`", README)
    assert len(pages) > 10
    assert [page for page in pages if not any((ROOT / at / page).exists() for at in ("docs", "."))] == []
