"""Helpers at one end of a rig, for devices and sockets: fill it, send to it, receive from it."""

from __future__ import annotations

import os
import select
import time
from typing import Protocol


class HasFileno(Protocol):
    """Anything that ``select`` takes."""

    def fileno(self) -> int: ...


def fill(end: HasFileno, chunk: bytes = bytes(4096), quiet: float = 0.2, timeout: float = 10.0) -> int:
    """Write ``chunk`` over and over until nothing is taken for ``quiet`` seconds; return the bytes accepted.

    The last write may take a part of ``chunk``: what was accepted is ``chunk`` repeated, cut off at that size.
    On a paced line, what is on its way makes room later: there, ``quiet`` must be longer than that takes.
    Raises ``TimeoutError`` if it is not full in time: the peer reads, or the bytes are dropped.
    """
    total = 0
    since = started = time.monotonic()
    while (now := time.monotonic()) - since < quiet:
        if now - started > timeout:
            raise TimeoutError(f"not full: {total:,} bytes accepted in {timeout:g} s, and it takes more")
        try:
            total += os.write(end.fileno(), chunk[total % len(chunk) :])
        except BlockingIOError:
            time.sleep(0.002)  # not poll(): sockets and ptys still take some bytes that it doesn't promise
        else:
            since = now
    return total


def send(end: HasFileno, data: bytes, timeout: float = 10.0) -> None:
    """Write all of ``data``, or raise ``TimeoutError`` that says how far it got."""
    deadline = time.monotonic() + timeout
    rest = memoryview(data)
    while rest:
        if not _wait(end, select.POLLOUT, deadline - time.monotonic()):
            raise TimeoutError(f"{len(data) - len(rest):,} of {len(data):,} bytes sent in {timeout:g} s")
        try:
            rest = rest[os.write(end.fileno(), rest) :]
        except BlockingIOError:
            time.sleep(0.001)


def receive(end: HasFileno, size: int, timeout: float = 10.0) -> bytes:
    """Read exactly ``size`` bytes.

    Raises ``TimeoutError`` or, where the line ended, ``EOFError``; both say how many came.
    """
    deadline = time.monotonic() + timeout
    data = bytearray()
    while len(data) < size:
        if not _wait(end, select.POLLIN, deadline - time.monotonic()):
            raise TimeoutError(f"{len(data):,} of {size:,} bytes received in {timeout:g} s")
        chunk = os.read(end.fileno(), size - len(data))
        if not chunk:
            raise EOFError(f"{len(data):,} of {size:,} bytes received, then end-of-file")
        data += chunk
    return bytes(data)


def receive_only(end: HasFileno, size: int, timeout: float = 10.0, quiet: float = 0.1) -> bytes:
    """Read exactly ``size`` bytes, and see that no more come for ``quiet`` seconds.

    Raises what ``receive`` does, and ``AssertionError`` where more come.
    """
    data = receive(end, size, timeout)
    more = receive_available(end, quiet)
    if more:
        raise AssertionError(f"{len(more):,} bytes more than the expected {size:,}: {more[:40]!r}")
    return data


def receive_available(end: HasFileno, quiet: float = 0.2) -> bytes:
    """Read until nothing has come for ``quiet`` seconds, or the line has ended; return what came."""
    data = bytearray()
    while _wait(end, select.POLLIN, quiet):
        try:
            chunk = os.read(end.fileno(), 65536)
        except BlockingIOError:
            continue
        except OSError:  # hung up: a reset, or a pty whose other end has gone
            break
        if not chunk:
            break
        data += chunk
    return bytes(data)


def _wait(end: HasFileno, event: int, timeout: float) -> bool:
    poll = select.poll()
    poll.register(end.fileno(), event)
    return bool(poll.poll(max(0.0, timeout) * 1000))
