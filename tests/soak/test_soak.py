"""The soak can't rot, and it finds what it is for: a wrong count, a lost byte, what is left behind, memory that grows."""

import asyncio
import contextlib
import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from serialwrite._composed import TransferOperation
from tests.soak import kinds as soak_kinds, stops
from tests.soak.__main__ import Memory, Soak
from tests.soak.account import Account, Wrong

ROOT = Path(__file__).parents[2]


def test_a_short_one_loses_nothing():
    command = [sys.executable, "-m", "tests.soak", "--minutes", "0.1", "--streams", "24", "--periods", "2"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110, check=False)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert "nothing was lost, doubled or left behind" in ended.stdout
    assert ended.stdout.count("0 tasks") == 2


@pytest.fixture
def soak():
    """Unix sockets and ptys only, which are quick to make."""
    made = Soak(seed=5, streams=8)
    made.kinds = {name: made.kinds[name] for name in ("socket-unix", "descriptor-on-a-pty")}
    return made


COUNT_IS_WRONG = re.compile("is not what was sent|bytes came|bytes were accepted")
SOON = 5.0  # seconds that the soak waits for what was accepted, where it is known that something is wrong


@pytest.fixture
def far_end():
    """Of a line on which nothing comes."""
    near, far = socket.socketpair()
    with near, far:
        far.setblocking(False)
        yield far


def load(soak, seconds=20):
    """Load it until it breaks."""
    with pytest.raises(Wrong) as caught:
        soak.period(0, seconds)
    return str(caught.value)


def test_a_wrong_count_is_found(soak, monkeypatch):
    conclude = TransferOperation._conclude

    def wrong(self):
        self.transfer._cursor.total_consumed += self.transfer.error is not None
        conclude(self)

    monkeypatch.setattr(TransferOperation, "_conclude", wrong)
    # A line that is looked at before it is written to again waits for the byte that never comes.
    monkeypatch.setattr("tests.soak.worker.BOUND", SOON)
    said = load(soak)
    assert COUNT_IS_WRONG.search(said)
    assert said.startswith("stream '5 0 ")
    assert "\n  a write of " in said  # what had been done on it


def test_a_lost_byte_is_found(soak, monkeypatch):
    write = os.writev

    def loses(fd, buffers):
        n = write(fd, buffers)
        return n + 1 if n < sum(map(len, buffers)) else n

    monkeypatch.setattr(os, "writev", loses)
    monkeypatch.setattr("tests.soak.worker.BOUND", SOON)
    soak.kinds.pop("socket-unix")
    assert COUNT_IS_WRONG.search(load(soak))


async def test_a_byte_that_never_comes_is_found(far_end):
    account = Account(far_end, 0)
    account.accepted = 1
    with pytest.raises(Wrong, match=r"1 bytes were accepted, 0 came within 0\.3 s"):
        await account.settle(0.3)
    account.stop_reading()


async def test_the_end_of_the_soak_is_not_lost_in_a_byte_that_comes(far_end):
    account = Account(far_end, 0)
    account.accepted = 2
    waiting = asyncio.ensure_future(account.settle(10))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    account._came.set()
    await asyncio.sleep(0)  # it is to be woken, and is ended before it is
    waiting.cancel()
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()
    account.stop_reading()


async def test_the_end_of_the_soak_is_not_taken_for_the_end_of_a_write(monkeypatch):
    monkeypatch.setattr(stops, "DELAY", 0)
    never = asyncio.get_running_loop().create_future()

    class Write:
        bytes_transferred = 0

        def __await__(self):
            return never.__await__()

    stopping = asyncio.ensure_future(stops.cancel_task(Write(), random.Random(1)))
    while not never.cancelled():
        await asyncio.sleep(0)
    stopping.cancel()
    await asyncio.wait([stopping])
    assert stopping.cancelled()


@contextlib.asynccontextmanager
async def leaky(rng, leak):
    leak()
    async with soak_kinds.of_the_stream_tests("socket-unix", rng) as loaded:
        yield loaded


def test_what_is_left_behind_is_found(soak, monkeypatch):
    left = []
    monkeypatch.setattr("tests.soak.__main__.SETTLE", 0.1)
    soak.kinds = {"leaky": lambda rng: leaky(rng, lambda: left.append(os.dup(0)))}
    said = load(soak, seconds=0.2)
    for fd in left:
        os.close(fd)
    assert f"descriptor {left[0]} -> " in said


def test_a_task_that_is_left_behind_is_found(soak, monkeypatch):
    monkeypatch.setattr("tests.soak.__main__.SETTLE", 0.1)
    left = []
    soak.kinds = {"leaky": lambda rng: leaky(rng, lambda: left.append(asyncio.ensure_future(asyncio.sleep(60))))}
    assert "tasks were left behind" in load(soak, seconds=0.2)


@pytest.mark.parametrize("what", Memory._fields)
def test_memory_that_grows_on_is_found(soak, what):
    def sizes(*sizes):
        soak.memory = [Memory(100, 100)._replace(**{what: size}) for size in sizes]

    sizes(50, 80, 100, 101, 101, 102)  # it has grown, and stays so
    soak.check_memory(long=True)
    sizes(50, 80, 100, 101, 103, 104)
    with pytest.raises(Wrong, match=f"{what} grew by 3.0%"):
        soak.check_memory(long=True)


def test_a_leak_is_found_in_a_minute(soak):
    kept = []
    unix = soak.kinds["socket-unix"]

    @contextlib.asynccontextmanager
    async def hoards(rng):
        kept.append([bytearray(10) for _ in range(20_000)])
        async with unix(rng) as loaded:
            yield loaded

    soak.kinds = {"hoards": hoards}
    for number in range(3):
        soak.period(number, 0.1)
    with pytest.raises(Wrong, match="blocks grew by"):
        soak.check_memory(long=False)
