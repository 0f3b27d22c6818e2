"""Rfc2217Driver: of a port that a server has, which is reached by RFC 2217: Telnet with COM-PORT-OPTION."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from .._coroutine import Result
from .._proof import ProofLevel, ProofLevels
from ..fd._pinned_direction import direction_for
from ..fd._standstill import NOT_READING, Standstill
from ..fd._stream import PollableStream
from ..serial._close import close_now
from ..serial._device import Device, ModemLines
from ..serial._drain import seconds_per_byte
from ..serial._settings import Settings
from ..serial._stall import CTS_LOW
from ._connection import Connection
from ._directions import Waker, credit_direction
from ._rfc2217_line import Rfc2217Line
from ._tcp_device import PROOFS, TcpDevice, open_number

# A server's tty says that it has room only once it is nearly empty: what it holds may be served in one lump.
LUMP = 4096
SUSPENDED = "suspended by the server"
INPUT_FULL = "what has come is not read, and the server's answers stand behind it"
# Seconds between two looks whether an answer has come, at first and at the most.
LOOK_MIN_S, LOOK_MAX_S = 0.0005, 0.02


class Rfc2217Device(TcpDevice):
    """What the server is asked, instead of a driver."""

    tells_served = True

    def __init__(self, connection: Connection, line: Rfc2217Line) -> None:
        super().__init__(connection.socket)
        self._connection = connection
        self._line = line

    def keeps_own_lines(self) -> bool:
        return True

    def output_queue(self) -> int | None:
        """Bytes accepted that the server is not known to have taken."""
        connection = self._connection
        return connection.accepted - connection.served

    def check_peer(self) -> None:
        if self._connection.lost is not None:
            raise self._connection.lost.with_traceback(None)
        super().check_peer()

    def flush_output(self) -> None:
        self._line.reset_output_buffer()

    def modem_lines(self) -> ModemLines | None:
        return self._line.modem_lines()

    def set_break(self, on: bool) -> None:
        self._line.break_condition = on

    def settings(self) -> Settings | None:
        return self._line.granted

    def output_speed(self) -> int | None:
        return self._line.granted.baudrate


class Rfc2217Driver:
    """See :class:`Driver`. Its socket is tried and waited for as a descriptor is; it needs no thread."""

    serial = None
    pollable = True

    def __init__(self, connection: Connection, line: Rfc2217Line) -> None:
        self.line: Any = line
        self.socket = connection.socket
        self.connection = self.traffic = connection
        self.device: Device = Rfc2217Device(connection, line)
        self._standstill = Standstill()
        self._waker = connection.on_news = Waker()

    def check(self, *, mine: bool) -> None:
        """It was opened here, for one user: nothing is left to check."""

    def directions(self, stream: PollableStream, /) -> tuple[Any, Any]:
        both = credit_direction(stream, self.connection, self._see), direction_for(stream, writing=False)
        self._waker.add(*both)
        return both

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        if self.socket.fileno() < 0:
            self.wait_fd()  # it says so
        return self.connection.write_some(buffers)

    def write_one(self, data: bytes, /) -> int:
        return self.write_some_nowait((data,))

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        self.wait_fd()
        return self.connection.read_some(buffers)

    def wait_fd(self) -> int:
        return open_number(self.socket, self.line.port)

    def proofs(self) -> ProofLevels:
        return PROOFS | {ProofLevel.SERVED: "SET-BAUDRATE 0"}

    def note(self, queued: int | None, accepted: int | None, /) -> None:
        self._see()

    def _see(self) -> float:
        """For how long nothing was seen to move, of all writes: the port does not know them apart."""
        connection = self.connection
        accepted = connection.accepted
        # Nothing is received here: what waits does that.
        return self._standstill.see(accepted - connection.com_port.served, accepted)

    def stall_reason(self, accepted: int | None, quiet: float, /) -> str | None:
        connection = self.connection
        if connection.lost is not None or self.socket.fileno() < 0:
            return None
        still = self._see()
        if connection.com_port.suspended:
            return SUSPENDED
        lines = self.line.modem_lines() if self.line.rtscts else None
        if lines is not None and not lines.cts:
            return CTS_LOW
        if connection.input_full:
            return INPUT_FULL
        long = connection.unserved and still >= quiet and still >= LUMP * seconds_per_byte(self.line)
        return NOT_READING if long else None

    async def hold_break(self, stream: PollableStream, seconds: float, /) -> Result:
        self.line.ask_line("break", on=True)
        try:
            await asyncio.sleep(seconds)
        finally:
            question = self.line.ask_line("break", on=False)
        pause, deadline = LOOK_MIN_S, time.monotonic() + self.line.patience
        while question.awaited and question.answer is None:
            self.connection.receive()
            self.device.check_peer()
            if time.monotonic() > deadline:
                raise TimeoutError(f"break: the server {self.connection.name} has not answered that")
            await asyncio.sleep(pause)
            pause = min(2 * pause, LOOK_MAX_S)
        return None, 0

    def close(self, directions: Sequence[Any], /, *, flush: bool) -> int | None:
        # Nothing is purged: that would drop what was served from amid what is still on its way. A reset drops that.
        return close_now(self.device, self.line, flush=False)

    def close_inherited(self) -> None:
        self.line.is_open = False
        self.socket.port_closes = None  # what waits is the parent's
        self.socket.close()
