"""A live peer that stops reading gets all that was accepted. That a dead link ends a port is in test_open_rfc2217."""

import asyncio
import contextlib
import socket
import struct
import time

import pytest
from rfc2217_server import rfc2217_server

import serialwrite as sw
from serialwrite.streams.remote import _link

DATA = b"x" * 400_000  # more than a peer's system has room for, and less than this one's
STOPPED_S = 1.5


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    """The peer stands still for longer than a dead link may."""
    monkeypatch.setattr(_link, "UNANSWERED_MS", 600)
    monkeypatch.setattr(_link, "LOOK", 0.05)


@contextlib.contextmanager
def port_and_peer(kind):
    with contextlib.ExitStack() as resources:
        if kind == "socket://":
            server = resources.enter_context(socket.create_server(("127.0.0.1", 0)))
            port = sw.SerialPort("socket://{}:{}".format(*server.getsockname()))
            peer = resources.enter_context(server.accept()[0])
        else:
            server = resources.enter_context(rfc2217_server())
            port = sw.SerialPort(server.url, in_flight=None)
            peer = resources.enter_context(server.serve_no_more())
        resources.callback(port.close, "abort")  # this server answers nothing that a drain asks
        peer.settimeout(30)
        yield port, peer


def received(peer):
    """How much of DATA comes; a connection that was cut gives less."""
    count = 0
    with contextlib.suppress(ConnectionResetError):
        while count < len(DATA) and (piece := peer.recv(1 << 16)):
            count += piece.count(b"x")  # commands are between, but no x in them
    return count


KINDS = pytest.mark.parametrize("kind", ["socket://", "rfc2217://"])


@KINDS
async def test_a_peer_that_reads_late_gets_what_was_accepted(kind):
    with port_and_peer(kind) as (port, peer):
        assert await sw.async_write(port, DATA, timeout=30) == len(DATA)
        await asyncio.sleep(STOPPED_S)
        assert await asyncio.to_thread(received, peer) == len(DATA)


@KINDS
def test_a_peer_that_reads_late_gets_it_without_a_loop(kind):
    with port_and_peer(kind) as (port, peer):
        assert sw.write(port, DATA, timeout=30) == len(DATA)
        time.sleep(STOPPED_S)
        assert received(peer) == len(DATA)


@KINDS
async def test_the_limit_is_back_once_the_peer_has_read(kind):
    with port_and_peer(kind) as (port, peer):
        assert await sw.async_write(port, DATA, timeout=30) == len(DATA)
        await asyncio.sleep(STOPPED_S)
        assert port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
        assert await asyncio.to_thread(received, peer) == len(DATA)
        async with asyncio.timeout(30):
            while port.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) != 600:
                await asyncio.sleep(0.01)


@KINDS
async def test_a_connection_that_is_over_is_looked_at_no_more(kind, monkeypatch):
    with port_and_peer(kind) as (port, peer):
        assert await sw.async_write(port, DATA, timeout=30) == len(DATA)
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()  # a reset: what was not sent stays so
        await asyncio.sleep(3 * _link.LOOK)
        loop, timers = asyncio.get_running_loop(), []
        call_later = loop.call_later
        monkeypatch.setattr(
            loop, "call_later", lambda seconds, *args: timers.append(args) or call_later(seconds, *args)
        )
        await asyncio.sleep(5 * _link.LOOK)
        assert [args for args in timers if "Link" in repr(args)] == []
