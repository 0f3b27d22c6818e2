"""Closing with bytes queued is bounded, whatever the policy, and says what was not sent; so is the end of a program."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hw_tests import raw
from hw_tests.device import Device
from hw_tests.promises import BOUND_SECONDS, END, fill, more_than_fits, opened, payload
from serialwrite import TransferTimeout, async_write, write

TRANSFER = 256  # bytes of the largest transfer that ftdi_sio hands to the USB controller
POLICIES = ["drain", "discard", "abort"]


def received_after(device: Device) -> bytes:
    """What came out of the closed port in the end: opened anew, it sends a last word."""
    device.resume()
    with raw.opened(device.path, device.baudrate) as fd:
        os.write(fd, END)
        return device.peer_read_until(END)[: -len(END)]


def check(device: Device, data: bytes, accepted: int, unsent: int | None) -> None:
    """What is said to be unsent never comes out; and what does is what was written first."""
    received = received_after(device)
    assert received == data[: len(received)]
    assert len(received) <= accepted
    if unsent is not None and "outq-overcounts" not in device.quirks:
        counted_twice = TRANSFER if "outq-counts-transfers" in device.quirks else 0
        assert 0 < unsent <= accepted - len(received) + counted_twice


@pytest.mark.promise("close is bounded with data queued, and says what is unsent")
@pytest.mark.parametrize("policy", POLICIES)
def test_close(device: Device, policy):
    device.without("own-far-end")
    data = more_than_fits(device)
    port = opened(device)
    device.stall()
    accepted = fill(port, data)
    before = raw.get_closing_wait(port.serial.fd)
    started = time.monotonic()
    unsent = port.close(policy)
    assert time.monotonic() - started < BOUND_SECONDS
    assert unsent
    device.resume()  # before it is opened anew, which makes some chips forget what they hold
    fd = raw.open_port(device.path)  # not raw.opened(), which sets it
    try:
        assert raw.get_closing_wait(fd) == before
    finally:
        os.close(fd)
    check(device, data, accepted, unsent)


@pytest.mark.promise("close is bounded with data queued, and says what is unsent")
@pytest.mark.parametrize("policy", POLICIES)
async def test_async_close(device: Device, policy):
    device.without("own-far-end")
    data = more_than_fits(device)
    port = opened(device)
    device.stall()
    with pytest.raises(TransferTimeout) as ended:
        await async_write(port, data, timeout=0.5)
    turns, ticking = 0, True

    async def tick():
        nonlocal turns
        while ticking:
            turns += 1
            await asyncio.sleep(0)

    ticker = asyncio.ensure_future(tick())
    started = time.monotonic()
    unsent = await port.async_close(policy=policy)
    assert time.monotonic() - started < BOUND_SECONDS
    assert unsent
    ticking = False
    await ticker
    assert turns > 1  # the event loop went on meanwhile
    await asyncio.to_thread(check, device, data, ended.value.bytes_transferred, unsent)


@pytest.mark.promise("close is bounded for an ordinary user, too")
@pytest.mark.parametrize("policy", ["discard", "abort"])
def test_close_by_an_ordinary_user(device: Device, policy):
    """Who may not set closing_wait: where TCOFLUSH does nothing, either, a signal ends the kernel's close."""
    device.without("own-far-end")
    if os.geteuid():
        pytest.skip("run by an ordinary user already: test_close is this test")
    data = more_than_fits(device)
    port = opened(device)
    device.stall()
    accepted = fill(port, data)
    Path(device.path).chmod(0o666)  # it is to be opened by that user, too
    os.seteuid(65534)
    try:
        started = time.monotonic()
        unsent = port.close(policy)
        assert time.monotonic() - started < BOUND_SECONDS
    finally:
        os.seteuid(0)
    assert unsent
    check(device, data, accepted, unsent)


@pytest.mark.promise("close sends what still can be sent")
def test_close_drains(device: Device):
    data = payload(2000)
    port = opened(device)
    write(port, data, timeout=BOUND_SECONDS)
    assert not port.close("drain", timeout=BOUND_SECONDS)
    assert device.peer_read(len(data)) == data


@pytest.mark.promise("close goes on while the queue moves, slowly though it be")
def test_close_drains_a_queue_that_moves_slowly(device: Device):
    """The far end holds the line up again and again: that takes three times as long as the baud rate says."""
    device.pace(1920)
    data = payload(3000)
    over = threading.Event()

    def hold_up():
        while not over.is_set():
            device.stall()
            over.wait(0.4)
            device.resume()
            # By bytes, not by time, which is little on a busy machine: more than one transfer, so that the queue shrinks.
            enough = len(device.far.received) + 300
            while len(device.far.received) < enough and not over.wait(0.005):
                pass

    device.without("no-stall")
    port = opened(device)
    holding = threading.Thread(target=hold_up)
    holding.start()
    try:
        write(port, data, timeout=BOUND_SECONDS)
        assert not port.close()
    finally:
        over.set()
        holding.join()
        port.close("abort")
    assert device.peer_read(len(data)) == data


PROGRAM = """
import os, sys
import serialwrite
path, baudrate, rtscts, size, user = sys.argv[1:]
port = serialwrite.SerialPort(path, int(baudrate), rtscts=bool(int(rtscts)))
if user == "ordinary":
    os.seteuid(65534)  # who may not set closing_wait
try:
    serialwrite.write(port, bytes(int(size)), timeout=0.3)
except serialwrite.TransferTimeout:
    print("full", flush=True)
"""


@pytest.mark.promise("the end of a program is bounded with data queued")
@pytest.mark.parametrize("user", ["root", "ordinary"])
def test_the_end_of_a_program(device: Device, user):
    """A program that forgets its port: the kernel alone would wait 30 s."""
    device.without("own-far-end")
    if os.geteuid():
        pytest.skip("only root can be either")
    device.stall()
    settings = device.settings
    arguments = [device.path, settings["baudrate"], int(settings["rtscts"]), len(more_than_fits(device)), user]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", PROGRAM, *map(str, arguments)], stdout=subprocess.PIPE
    ) as program:
        assert program.stdout.readline() == b"full\n"
        started = time.monotonic()
        assert program.wait(60) == 0
        assert time.monotonic() - started < BOUND_SECONDS
