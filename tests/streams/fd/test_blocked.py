"""A thread that waits without an event loop for a descriptor that says it is ready, and is not."""

import socket
import time

import serialwrite as sw
from serialwrite.streams.fd._blocked import BlockedThread


def test_pauses_grow_until_a_byte_moves(monkeypatch):
    pauses = []
    near, far = socket.socketpair()
    with near, far:
        blocked = BlockedThread(sw.SocketStream(near), writing=True)
        monkeypatch.setattr(time, "sleep", pauses.append)
        for _ in range(8):
            blocked.wait(1.0, moved=False)
        before = list(pauses)
        blocked.wait(1.0, moved=True)
        blocked.leave()
    assert len(before) > 1
    assert before == sorted(set(before))
    assert pauses == before  # the next lie was the first of a row
