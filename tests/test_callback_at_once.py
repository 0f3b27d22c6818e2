"""A callback of a write that the port takes at once, on a stream that has been used: the quick way keeps the rules."""

import asyncio
import socket

import pytest

import serialwrite as sw


async def test_rules_2_and_7_hold_from_the_call_to_the_handler():
    near, far = socket.socketpair()
    with near, far, sw.SocketStream(near) as stream:
        await sw.async_write(stream, b"x")  # from here on its loop is known, and a write is tried at once
        called = []
        sw.async_write(stream, b"abc", lambda error, n: called.append((error, n)))
        assert far.recv(10) == b"xabc"
        assert not called
        with pytest.raises(sw.StreamBusy):
            sw.async_write(stream, b"second", lambda error, n: None)
        await asyncio.sleep(0)
        assert called == [(None, 3)]
        assert await sw.async_write(stream, b"third") == 5
        assert far.recv(10) == b"third"
