"""Link: a TCP connection that a dead link ends, and a live peer that stops reading does not."""

from __future__ import annotations

import asyncio
import socket
import struct
import weakref
from collections.abc import Callable
from contextlib import suppress

# A link is dead once nothing was heard for about 10 s: seconds of silence, seconds between probes, probes; and
# milliseconds for which what was sent may stay without an answer.
IDLE, INTERVAL, PROBES, UNANSWERED_MS = 4, 2, 3, 10_000
# Seconds between two looks at a connection on which something is still to be acknowledged.
LOOK = 1.0
# Of struct tcp_info, <linux/tcp.h>: state, segments not acknowledged, bytes not sent, bytes that the peer has room for.
_INFO = struct.Struct("B23xI116xI80xI")
_CLOSED = 7  # TCP_CLOSE, a state


class Link:
    """Sets up ``sock`` so that what is sent goes out at once, and a dead link ends the connection.

    Linux ends it by TCP_USER_TIMEOUT, also if the peer answers but has closed its window for so long, because its
    device has stopped. What it has not acknowledged is lost then. So the limit is lifted while the peer has no room. A
    link that dies meanwhile is noticed once TCP's own probes have stayed without an answer, minutes later.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._scheduled_on: Callable[[], asyncio.AbstractEventLoop | None] = _no_loop  # which is to look
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        idle = "TCP_KEEPIDLE" if hasattr(socket, "TCP_KEEPIDLE") else "TCP_KEEPALIVE"  # macOS
        for name, value in ((idle, IDLE), ("TCP_KEEPINTVL", INTERVAL), ("TCP_KEEPCNT", PROBES)):
            with suppress(AttributeError, OSError):
                sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
        self._limit(True)

    def sent(self) -> None:
        """Something was sent. Lift the limit if some of it waits for room: without a loop, no look follows."""
        unacknowledged, unsent, _ = self._state()
        self._limit(not unsent)
        self._look_later(unacknowledged or unsent)

    def look(self) -> None:
        """See whether the peer has room. Call it once a second while there is none to send; an event loop does so."""
        unacknowledged, unsent, room = self._state()
        self._limit(bool(room) if unacknowledged else not unsent)
        self._look_later(unacknowledged or unsent)

    def received(self) -> None:
        """Something may have come: acknowledge it at once. ser2net sends a last small piece only once that was done."""
        with suppress(AttributeError, OSError):  # Linux alone has it
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)

    def _state(self) -> tuple[int, int, int]:
        """Segments not acknowledged, bytes not sent, and bytes that the peer has room for."""
        try:
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO.size)
        except (AttributeError, OSError):  # not Linux, or closed
            return 0, 0, 0
        # Linux before 5.4 does not tell the last one.
        state, unacknowledged, unsent, room = _INFO.unpack(info.ljust(_INFO.size, b"\xff"))
        return (0, 0, 0) if state == _CLOSED else (unacknowledged, unsent, room)

    def _look_later(self, needed: int) -> None:
        loop = asyncio._get_running_loop()
        if needed and loop is not None and self._scheduled_on() is not loop:
            self._scheduled_on = weakref.ref(loop)
            loop.call_later(LOOK, self._look_again)

    def _look_again(self) -> None:
        self._scheduled_on = _no_loop
        self.look()

    def _limit(self, limited: bool) -> None:
        with suppress(AttributeError, OSError):  # Linux alone has it
            milliseconds = UNANSWERED_MS if limited else 0
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _no_loop() -> None:
    """A reference to no loop."""
