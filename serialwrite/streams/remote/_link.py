"""Link: a TCP connection whose dead link is noticed, and whose peer may stop reading for as long as it likes."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

# A link is dead once nothing was heard for about 10 s: seconds of silence, seconds between probes, probes; and
# milliseconds for which what was sent may stay without an answer.
IDLE, INTERVAL, PROBES, UNANSWERED_MS = 4, 2, 3, 10_000
# Seconds between two looks at a connection that takes nothing.
LOOK = 1.0
_UNACKED = struct.Struct("24xI")  # tcpi_unacked of struct tcp_info, <linux/tcp.h>


class Link:
    """Sets up ``sock`` so that what is sent goes out at once, and a dead link ends the connection.

    Linux ends it by TCP_USER_TIMEOUT, also if the peer answers but has closed its window for so long, because its
    device has stopped. So the limit is lifted while everything that was sent has been acknowledged, and more
    waits. A link that dies meanwhile is noticed once TCP's own probes have stayed without an answer, minutes later.

    Attributes:
        lifted: whether it is.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.lifted = False
        self._timer: asyncio.TimerHandle | None = None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"  # macOS
        for name, value in ((idle, IDLE), ("TCP_KEEPINTVL", INTERVAL), ("TCP_KEEPCNT", PROBES)):
            with suppress(AttributeError, OSError):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._limit(UNANSWERED_MS)

    def moved(self) -> None:
        """Something was sent while the limit was ``lifted``."""
        self.lifted = False
        self._limit(UNANSWERED_MS)

    def received(self) -> None:
        """Something may have come: acknowledge it at once. ser2net sends a last small piece only once that was done."""
        with suppress(AttributeError, OSError):  # Linux alone has it
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def full(self) -> None:
        """There was no room to send. It is to be called once a second then; an event loop that runs here does so."""
        if self.lifted:
            return
        try:
            (unacknowledged,) = _UNACKED.unpack_from(
                self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _UNACKED.size)
            )
        except (AttributeError, OSError):  # not Linux, or closed
            return
        if not unacknowledged:
            self.lifted = True
            self._limit(0)
        elif self._timer is None and (loop := asyncio._get_running_loop()) is not None:
            self._timer = loop.call_later(LOOK, self._look)

    def _look(self) -> None:
        self._timer = None
        self.full()

    def _limit(self, milliseconds: int) -> None:
        with suppress(AttributeError, OSError):  # Linux alone has it
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)
