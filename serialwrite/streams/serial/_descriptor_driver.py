"""DescriptorDriver: drives a port with a file descriptor, which an event loop can wait for."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import serial

from ..._errors import StreamClosed
from ..._posix import require
from .._coroutine import Result
from .._proof import UNKNOWN, ProofLevel, ProofLevels
from ..fd._descriptor import read_descriptor, took_nothing, write_bytes, write_descriptor
from ..fd._pinned_direction import direction_for
from ..fd._stream import POLLING, PollableStream
from ._close import close_inherited, close_now
from ._device import Device
from ._open import made_ours
from ._read_back import read_back
from ._stall import StallWatch
from ._tty import Tty


class DescriptorDriver:
    """See :class:`Driver`. Writing goes to the descriptor, never through ``Serial.write``, which spins on a full port.

    Args:
        port: an open ``serial.Serial``.
        device: what is asked instead of its tty.
    """

    pollable = True
    socket = traffic = None

    def __init__(self, port: Any, device: Device | None = None) -> None:
        require("SerialPort", *POLLING, instead="pass the name of a port, or a URL")
        self.serial = self.line = port
        self.device: Device = Tty(lambda: fileno_of(port)) if device is None else device
        self._stall = StallWatch(self.device, port)

    def check(self, *, mine: bool) -> None:
        self.wait_fd()
        if mine:
            made_ours(self.device, self.serial)
        elif isinstance(self.serial, serial.Serial):
            read_back(self.serial)

    def directions(self, stream: PollableStream, /) -> tuple[Any, Any]:
        return direction_for(stream, writing=True), direction_for(stream, writing=False)

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return write_descriptor(self.serial.fd or self.wait_fd(), buffers)

    def write_one(self, data: bytes, /) -> int:
        return write_bytes(self.serial.fd or self.wait_fd(), data) or took_nothing(data)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return read_descriptor(self.serial.fd or self.wait_fd(), buffers)

    def wait_fd(self) -> int:
        return fileno_of(self.serial)

    def proofs(self) -> ProofLevels:
        queue = empty = None
        with suppress(OSError):
            queue, empty = self.device.output_queue(), self.device.transmitter_empty()
        return {
            ProofLevel.ACCEPTED: "write(2)",
            ProofLevel.DRAINED: UNKNOWN if queue is None else "TIOCOUTQ",
            ProofLevel.TRANSMITTED: UNKNOWN if queue is None or empty is None else "TIOCSERGETLSR",
            ProofLevel.CONFIRMED: UNKNOWN,
        }

    def note(self, queued: int | None, accepted: int | None, /) -> None:
        self._stall.see(queued, accepted)

    def stall_reason(self, accepted: int | None, quiet: float, /) -> str | None:
        try:
            return self._stall.held_by(accepted, quiet)
        except OSError:
            return None

    async def hold_break(self, stream: PollableStream, seconds: float, /) -> Result:
        self.device.set_break(True)
        try:
            await asyncio.sleep(seconds)
        finally:
            with suppress(OSError):
                self.device.set_break(False)
        return None, 0

    def close(self, directions: Sequence[Any], /, *, flush: bool) -> int | None:
        return close_now(self.device, self.serial, flush=flush)

    def close_inherited(self) -> None:
        close_inherited(self.serial)


def fileno_of(port: Any) -> int:
    """The descriptor of ``port``, a ``serial.Serial``; StreamClosed when it is closed."""
    fd: int | None = port.fd
    if fd is None:
        raise StreamClosed(reason=f"port {port.port} is closed; open() it first")
    return fd
