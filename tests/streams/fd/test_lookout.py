"""Rule 12: what waits wakes no timer; but what its owner may close shares one look a second on an event loop."""

import asyncio
import concurrent.futures
import contextlib
import gc
import os
import resource
import select
import socket
import time
import weakref
from pathlib import Path

import pytest
import serial

import serialwrite as sw
from serialwrite.testing import PtyPair

WAITING = 100


async def test_12_waiting_reads_share_one_timer(monkeypatch):
    loop = asyncio.get_running_loop()
    timers = []
    monkeypatch.setattr(loop, "call_later", lambda *args: timers.append(args))
    pairs = [socket.socketpair() for _ in range(WAITING)]
    reads = [asyncio.ensure_future(sw.async_read(near, bytearray(1))) for near, _ in pairs]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [seconds for seconds, *_ in timers] == [1.0]
    for _, far in pairs:
        far.send(b"x")
        far.close()
    assert await asyncio.gather(*reads) == [1] * WAITING
    for near, _ in pairs:
        near.close()


@pytest.mark.parametrize("form", [sw.async_read, sw.async_write])
async def test_12_an_owners_close_is_noticed(form):
    near, far = socket.socketpair()
    with far:
        waiting = asyncio.ensure_future(form(near, bytearray(1 << 22)))
        await asyncio.sleep(0.01)
        near.close()
        async with asyncio.timeout(20):
            with pytest.raises(sw.StreamClosed):
                await waiting


@pytest.mark.parametrize("url", [None, "loop://"], ids=["pty", "loop"])
async def test_12_a_port_opened_here_needs_no_look(url, monkeypatch):
    timers = []
    with PtyPair() as line, sw.SerialPort(url or line.port) as port:
        monkeypatch.setattr(asyncio.get_running_loop(), "call_later", lambda *args: timers.append(args))
        reading = sw.async_read(port, bytearray(1), sw.use_promise)
        await asyncio.sleep(0)
        await asyncio.to_thread(port.serial.close)
        monkeypatch.undo()
        assert timers == []
        async with asyncio.timeout(20):
            with pytest.raises(sw.StreamClosed):
                await reading


async def test_12_an_owners_close_of_a_loop_is_noticed():
    owned = serial.serial_for_url("loop://")
    with sw.SerialPort(owned) as port:
        reading = sw.async_read(port, bytearray(1), sw.use_promise)
        await asyncio.sleep(0.01)
        owned.is_open = False  # as its close does, which says so to a reader
        async with asyncio.timeout(20):
            with pytest.raises(sw.StreamClosed):
                await reading
        owned.is_open = True


async def test_12_a_port_that_was_opened_again_is_told_again():
    with PtyPair() as line, sw.SerialPort(line.port) as port:
        for _ in range(2):
            reading = sw.async_read(port, bytearray(1), sw.use_promise)
            await asyncio.sleep(0)
            port.serial.close()
            async with asyncio.timeout(0.5):
                with pytest.raises(sw.StreamClosed):
                    await reading
            port.serial.open()


def test_12_a_closed_loop_is_not_kept_alive():
    near, far = socket.socketpair()
    loop = asyncio.new_event_loop()
    stream = sw.SocketStream(near)
    with near, far:
        loop.run_until_complete(sw.async_write(stream, bytes(1 << 22), sw.as_tuple(sw.deferred), timeout=0.01))
        loop.close()
        kept = weakref.ref(loop)
        del loop, stream
        gc.collect()
        assert kept() is None


@pytest.fixture
def polls(monkeypatch):
    """The seconds of each poll(2) that may have blocked."""
    asked = []
    genuine = select.poll

    class Poll:
        def __init__(self):
            self.poller = genuine()
            self.register = self.poller.register

        def poll(self, milliseconds):
            asked.append(milliseconds / 1000)
            return self.poller.poll(milliseconds)

    monkeypatch.setattr(select, "poll", Poll)
    return asked


def descriptors():
    return [int(each.name) for each in Path("/proc/self/fd").iterdir()]


@contextlib.contextmanager
def opened():
    with PtyPair() as line, sw.SerialPort(line.port) as port:
        yield port, port.serial.close


@contextlib.contextmanager
def adopted():
    near, far = socket.socketpair()
    with near, far:
        yield sw.SocketStream(near), near.close


LONGEST = {opened: 86400.0, adopted: 1.0}


@pytest.mark.parametrize("kind", LONGEST)
@pytest.mark.parametrize("closes", ["stream", "file"])
def test_12_a_close_ends_a_blocking_read(kind, closes, polls, monkeypatch):
    longest = LONGEST[kind]
    if (kind, closes) == (adopted, "stream"):  # of which it hears: it need not look
        longest = 3600.0
        monkeypatch.setattr("serialwrite.streams.fd._blocked.LOOK_INTERVAL_S", longest)
    with kind() as (stream, close_file), concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = len(descriptors())
        reading = pool.submit(sw.read, stream, 1)
        while not polls or polls[-1] == 0:
            time.sleep(0.001)
        (stream.close if closes == "stream" else close_file)()
        with pytest.raises(sw.StreamClosed):
            reading.result(60)
        assert max(polls) == longest
        assert len(descriptors()) <= before


def test_a_blocking_read_needs_no_descriptor_of_its_own(polls):
    """Where none is left it looks whether it was closed, as it does at what its owner may close."""
    with opened() as (port, _), concurrent.futures.ThreadPoolExecutor(1) as pool:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(descriptors()), before[1]))
        filled = []
        with contextlib.suppress(OSError):
            while True:
                filled.append(os.dup(port.serial.fd))
        try:
            reading = pool.submit(sw.read, port, 1)
            while not polls or polls[-1] == 0:
                time.sleep(0.001)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, before)
            for each in filled:
                os.close(each)
        port.close()
        with pytest.raises(sw.StreamClosed):
            reading.result(60)
        assert next(filter(None, polls)) == 1.0
