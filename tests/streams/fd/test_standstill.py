"""What is said of a write that ends full: "peer not reading" only where nothing was seen to move."""

import asyncio
import os
import socket
import threading
from contextlib import contextmanager, suppress

import pytest
from waiting import until, waits_to_write

import serialwrite as sw
from serialwrite.streams.fd import _standstill
from serialwrite.testing import PtyPair


@contextmanager
def reading(receive):
    """A peer that reads up to 3 MB a second, so that room is made many times in half a second.

    TCP makes room by its segment, 64 kB on the loopback. At 200 kB a second a busy machine took longer for one.
    """
    stop = threading.Event()

    def read():
        while not stop.wait(0.005):
            with suppress(BlockingIOError):
                receive(1 << 14)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def a_line(kind):
    """A stream to write to, and what its peer receives with."""
    if kind == "pty":
        with PtyPair() as rig, rig.open_peer() as peer, sw.SerialPort(rig.port) as port:
            yield port, lambda size: os.read(peer.fileno(), size)
    elif kind == "pipe":
        read, write = os.pipe()
        with sw.DescriptorStream(write) as stream:
            yield stream, lambda size: os.read(read, size)
        os.close(read)
    else:
        if kind == "unix":
            near, far = socket.socketpair()
        else:
            with socket.create_server(("127.0.0.1", 0)) as server:
                server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)  # else room comes in megabytes
                near = socket.create_connection(server.getsockname())
                far, _ = server.accept()
        with near, far:
            far.settimeout(5)
            yield sw.SocketStream(near), far.recv


async def write(form, stream, **limits):
    with pytest.raises(sw.TransferTimeout) as caught:
        if form == "blocking":
            await asyncio.to_thread(sw.write, stream, bytes(32 << 20), **limits)
        else:
            await sw.async_write(stream, bytes(32 << 20), **limits)
    return caught.value


KINDS = ["pty", "pipe", "unix", "tcp"]


@pytest.mark.parametrize("form", ["async", "blocking"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_peer_that_reads_is_not_blamed(kind, form):
    with a_line(kind) as (stream, receive), reading(receive):
        error = await write(form, stream, timeout=2.0)
        assert (error.stall, "not reading" in str(error)) == (None, False)


@pytest.mark.parametrize("limits", [{"timeout": 1.0}, {"idle_timeout": 1.0}], ids=str)
@pytest.mark.parametrize("form", ["async", "blocking"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_queue_that_stands_still_is_named(kind, form, limits):
    with a_line(kind) as (stream, _):
        assert (await write(form, stream, **limits)).stall == "peer not reading"


async def test_a_port_is_not_blamed_at_once():
    """A port that was not seen before."""
    with a_line("unix") as (stream, _):
        writing = sw.async_write(stream, bytes(32 << 20), sw.as_tuple(sw.use_promise))
        await until(lambda: waits_to_write(stream))
        assert stream.stall is None
        stream.close()
        await writing


async def test_12_a_waiting_write_has_no_timer_of_its_own(monkeypatch):
    """Without a limit it shares one look a second; with one it has that timer."""
    loop, timers = asyncio.get_running_loop(), []
    call_later = loop.call_later

    def noting(seconds, *args):
        timers.append(seconds)
        return call_later(seconds, *args)

    monkeypatch.setattr(loop, "call_later", noting)
    with a_line("pty") as (port, _):
        writing = sw.async_write(port, bytes(1 << 20), sw.as_tuple(sw.use_promise))
        await asyncio.sleep(0.5)
        monkeypatch.undo()
        assert [seconds for seconds in timers if seconds not in {0.5, 1.0} and seconds >= 0.02] == []
        await port.async_close(policy="discard")
        await writing


@pytest.mark.parametrize("adapted", [False, True], ids=["descriptor", "transport"])
async def test_the_queue_of_a_tty_is_told_and_not_as_unsent(adapted, monkeypatch):
    with PtyPair() as rig, rig.open_port() as file:
        if adapted:
            target, _ = await asyncio.get_running_loop().connect_write_pipe(asyncio.BaseProtocol, file)
            stream = sw.TransportStream(target)
        else:
            stream = sw.DescriptorStream(file)
        assert stream.queued is None  # a pty keeps no account
        monkeypatch.setattr(_standstill, "PTY_MAJORS", range(0))
        monkeypatch.setattr(_standstill, "unread", lambda fd: 7)
        with pytest.raises(sw.TransferTimeout) as caught:
            await sw.async_write(stream, bytes(1 << 20), timeout=0.05)
        assert caught.value.queued == 7
        assert stream.close() is None  # the system goes on sending it
        if adapted:
            target.abort()
            await asyncio.sleep(0)
