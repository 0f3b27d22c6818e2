"""Driver: what a SerialPort has for the kind of port that it is. All that differs between kinds stands behind it."""

from __future__ import annotations

import socket as sockets
from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

from .._coroutine import Result
from .._proof import ProofLevels
from ..fd._stream import PollableStream
from ._device import Device


class Traffic(Protocol):
    """Counts the bytes of a remote port, since it was opened."""

    @property
    def accepted(self) -> int: ...
    @property
    def served(self) -> int: ...


@runtime_checkable
class Driver(Protocol):
    """How one open port is tried, waited for, asked and closed. A :class:`SerialPort` is made with one, and has it.

    ====================================  ========================================================================
    ``serial``                            pyserial's object, open; None where the port stands on none
    ``line``                              what has the settings and lines, by pyserial's names: that object, or
                                          a ``serial.SerialBase`` that stands in for it
    ``socket``                            the socket that it stands on; None where it stands on none
    ``traffic``                           what counts the bytes ``accepted`` and ``served``; None where nothing does
    ``device``                            what is asked of the kernel, or of pyserial in its place
    ``pollable``                          whether the system says when it is ready: it has a file descriptor
    ``check(mine=...)``                   refuse a port that can't be used; if we opened it, keep others out
    ``directions(stream)``                how a step is tried and waited for: for writing, for reading
    ``write_some_nowait(buffers)``        one try; BlockingIOError when it is full. ``write_one(data)``: of ``bytes``
    ``read_some_nowait(buffers)``         one try; BlockingIOError when there is nothing
    ``wait_fd()``                         the descriptor to wait for; OSError where there is none
    ``proofs()``                          what proves each level that a byte can reach
    ``note(queued, accepted)``            how far things are, while a write or a drain waits
    ``stall_reason(accepted, quiet)``     what holds a port that takes nothing, and was not seen to move for ``quiet``
                                          seconds; None where nothing does, or unknown
    ``hold_break(stream, seconds)``       a coroutine: hold the line in the break state. It has been drained
    ``close(directions, flush=...)``      close it, end what waits with them, and give the bytes not sent, or None
    ``close_inherited()``                 in a forked child: close its descriptors, and ask for nothing
    ====================================  ========================================================================

    It keeps no reference to the stream: one that was forgotten is closed.
    """

    serial: Any
    line: Any
    pollable: bool

    @property
    def socket(self) -> sockets.socket | None: ...
    @property
    def traffic(self) -> Traffic | None: ...
    @property
    def device(self) -> Device: ...
    def check(self, *, mine: bool) -> None: ...
    def directions(self, stream: PollableStream, /) -> tuple[Any, Any]: ...
    def write_some_nowait(self, buffers: Sequence[Any], /) -> int: ...
    def write_one(self, data: bytes, /) -> int: ...
    def read_some_nowait(self, buffers: Sequence[Any], /) -> int: ...
    def wait_fd(self) -> int: ...
    def proofs(self) -> ProofLevels: ...
    def note(self, queued: int | None, accepted: int | None, /) -> None: ...
    def stall_reason(self, accepted: int | None, quiet: float, /) -> str | None: ...
    async def hold_break(self, stream: PollableStream, seconds: float, /) -> Result: ...
    def close(self, directions: Sequence[Any], /, *, flush: bool) -> int | None: ...
    def close_inherited(self) -> None: ...
