"""The rig itself, on the host: the pump's promises, and that a machine that fails says so. No device, no serialwrite."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time

import pytest

from hw_tests.rig.control import Control
from hw_tests.rig.kernel import PROJECT, UnavailableError, get_kernel
from hw_tests.rig.pump import Pump

BOUND_SECONDS = 120


def rig(*arguments, **environment):
    """Run the rig as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "hw_tests.rig", *arguments], cwd=PROJECT, env={**os.environ, **environment},
        capture_output=True, text=True, timeout=BOUND_SECONDS, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def kernel():
    """What the tests that boot a machine need."""
    try:
        return get_kernel()
    except UnavailableError as reason:
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(f"the machine can't be had: {reason}")


@pytest.fixture
async def pump():
    """A pump with one cable, whose ends are ours."""
    pump = Pump()
    pump.add_cable("a")
    for end in pump.machine_ends.values():
        end.setblocking(False)
    running = asyncio.create_task(pump.run())
    yield pump
    running.cancel()
    pump.close()
    for end in pump.machine_ends.values():
        end.close()


def write(end, data):
    """Write until the cable takes no more."""
    sent = 0
    while sent < len(data):
        try:
            sent += end.send(data[sent:])
        except BlockingIOError:
            break
    return sent


async def read(end, count):
    """Read exactly so many bytes."""
    data = b""
    async with asyncio.timeout(20):
        while len(data) < count:
            data += await asyncio.get_running_loop().sock_recv(end, count - len(data))
    return data


async def test_pump_carries_both_ways(pump):
    first, second = pump.machine_ends["a0"], pump.machine_ends["a1"]
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(first, b"there")
    await loop.sock_sendall(second, b"back")
    assert await read(second, 5) == b"there"
    assert await read(first, 4) == b"back"
    assert pump.lanes["a0"].taken == 5


async def test_pump_takes_nothing_while_stalled_and_loses_nothing(pump):
    lane, sender, receiver = pump.lanes["a0"], pump.machine_ends["a0"], pump.machine_ends["a1"]
    await asyncio.get_running_loop().sock_sendall(sender, b"before")
    assert await read(receiver, 6) == b"before"
    lane.stall(stalled=True)
    data = os.urandom(100_000)
    accepted = write(sender, data)
    assert 0 < accepted < len(data)
    await asyncio.sleep(0.05)  # so many chances to take something after all
    assert lane.taken == len(b"before")
    lane.stall(stalled=False)
    assert await read(receiver, accepted) == data[:accepted]


async def test_pump_is_no_faster_than_its_pace(pump):
    pump.lanes["a0"].pace(1000)
    started = time.monotonic()
    await asyncio.get_running_loop().sock_sendall(pump.machine_ends["a0"], bytes(300))
    await read(pump.machine_ends["a1"], 300)
    assert time.monotonic() - started >= 0.25


async def test_pump_leaves_a_slow_pace_at_once(pump):
    lane = pump.lanes["a0"]
    lane.pace(0.001)
    await asyncio.get_running_loop().sock_sendall(pump.machine_ends["a0"], b"ab")
    assert await read(pump.machine_ends["a1"], 1) == b"a"
    lane.pace(None)
    assert await read(pump.machine_ends["a1"], 1) == b"b"


@pytest.mark.parametrize(
    "asked", [b'{"op": "dance"}', b'{"op": "stall", "port": "x", "stalled": 1}', b"[]", b"not json"]
)
async def test_control_refuses_what_it_does_not_know(pump, asked):
    answer = Control(pump).answer(asked)
    assert answer is not None
    assert "error" in answer


@pytest.mark.parametrize(("in_ci", "word", "status"), [("", "SKIPPED: ", 0), ("true", "FAILED: ", 1)])
def test_without_qemu_it_skips_by_name_and_fails_in_ci(in_ci, word, status):
    ended = rig(PATH="/nonexistent", CI=in_ci)
    assert ended.returncode == status
    assert ended.stderr.startswith(word)
    assert "qemu-system-x86" in ended.stderr


def test_exit_status_output_and_results_come_through(kernel, tmp_path):
    ended = rig(
        "--results",
        tmp_path / "results",
        "--exec",
        "--",
        "sh",
        "-c",
        "echo to stdout; echo to stderr >&2; echo kept >$RIG_RESULTS/note; exit 7",
    )
    assert ended.returncode == 7, ended.stderr
    assert ended.stdout == "to stdout\nto stderr\n"
    assert (tmp_path / "results/note").read_text() == "kept\n"


def test_a_guest_that_does_not_boot_shows_its_console(kernel, tmp_path):
    ended = rig("--results", tmp_path, "--append", "rdinit=/none init=/none root=/dev/none")
    assert ended.returncode == 125
    assert "FAILED: the guest died while it booted" in ended.stderr
    assert "console.log" in ended.stderr
    assert "Kernel panic" in ended.stderr


def test_a_guest_that_is_too_slow_to_boot_is_ended(kernel, tmp_path):
    ended = rig("--results", tmp_path, "--boot-timeout", "0.5")
    assert ended.returncode == 125
    assert "the guest did not boot within 0.5 s" in ended.stderr


def test_a_guest_that_hangs_is_ended_and_shows_its_console(kernel, tmp_path):
    ended = rig(
        "--results", tmp_path, "--timeout", "2", "--exec", "--", "sh", "-c", "echo last words >/dev/console; sleep 1000"
    )
    assert ended.returncode == 125
    assert "the guest did not end within 2 s" in ended.stderr
    assert "last words" in ended.stderr
