"""Rule 12: what waits on an event loop shares one look a second at whether its owner has closed it."""

import asyncio
import gc
import socket
import threading
import time
import weakref

import pytest

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


def test_12_a_close_in_another_thread_ends_a_blocking_read():
    ended = []
    with PtyPair() as line:
        port = sw.SerialPort(line.port)

        def read():
            try:
                sw.read(port, 1)
            except sw.StreamClosed as error:
                ended.append(type(error))

        reader = threading.Thread(target=read)
        reader.start()
        while port._read_direction.user is None:
            time.sleep(0.001)
        port.close()
        reader.join(60)
        assert ended == [sw.StreamClosed]
