"""TcpPort: the driver of a port behind raw TCP, ``socket://``: the bare bytes, over a SocketStream."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .._coroutine import Result
from .._proof import ProofLevels
from ..fd._pinned_direction import direction_for
from ..fd._socket import SocketStream
from ..fd._standstill import NOT_READING, Standstill
from ..fd._stream import PollableStream
from ..serial._close import close_now
from ..serial._device import Device
from ..serial._no_line import no_line
from ._connect import PortSocket
from ._directions import room_direction
from ._link import Link
from ._network_line import NetworkLine
from ._tcp_device import PROOFS, TcpDevice, open_number


class TcpPort:
    """See :class:`Driver`. Raw TCP has no line: later changes of settings, lines and breaks are refused.

    Args:
        sock: connected. It becomes the port's.
        line: the settings, as programs pass them.
    """

    serial = traffic = None
    pollable = True

    def __init__(self, sock: PortSocket, line: NetworkLine) -> None:
        self.socket = sock
        self.line: Any = line
        self.device: Device = TcpDevice(sock)
        self._link = Link(sock)
        self._stream = SocketStream(sock)
        self._standstill = Standstill()
        line.is_open = True

    def check(self, *, mine: bool) -> None:
        """There is nothing that could keep others out."""

    def directions(self, stream: PollableStream, /) -> tuple[Any, Any]:
        return room_direction(stream, self._link), direction_for(stream, writing=False)

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        n = self._stream.write_some_nowait(buffers)
        self._link.sent()
        return n

    def write_one(self, data: bytes, /) -> int:
        return self.write_some_nowait((data,))

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        n = self._stream.read_some_nowait(buffers)
        self._link.received()
        return n

    def wait_fd(self) -> int:
        return open_number(self.socket, self.line.port)

    def proofs(self) -> ProofLevels:
        return PROOFS

    def note(self, queued: int | None, accepted: int | None, /) -> None:
        self._standstill.see(queued, accepted)

    def stall_reason(self, accepted: int | None, quiet: float, /) -> str | None:
        if self.socket.fileno() < 0:
            return None
        self._link.look()
        queued = self.device.output_queue()
        still = self._standstill.see(queued, accepted)
        return NOT_READING if queued != 0 and still >= quiet else None

    async def hold_break(self, stream: PollableStream, seconds: float, /) -> Result:
        raise no_line(self.line.port, "break")

    def close(self, directions: Sequence[Any], /, *, flush: bool) -> int | None:
        return close_now(self.device, self.line, flush=flush)

    def close_inherited(self) -> None:
        self.line.is_open = False
        self.socket.port_closes = None  # what waits is the parent's
        self.socket.close()
