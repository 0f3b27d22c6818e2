"""What holds a port that takes nothing: as much of it as the driver can tell."""

from __future__ import annotations

import time
from typing import Any

from ._device import Device
from ._drain import seconds_per_byte

# A queue that has not moved for this long is held: seconds, and bytes, as drivers report progress in lumps.
QUIET, LUMP = 0.1, 600

CTS_LOW = "CTS low"
XOFF = "XOFF received"
NOT_READING = "peer not reading"
STOPPED = "output stopped"  # by tcflow(TCOOFF), here or in another program
EITHER = f"{XOFF} or {NOT_READING}"


class StallWatch:
    """Remembers since when nothing has moved.

    Args:
        tty: the driver's side of the port.
        port: the ``serial.Serial``, for its settings.
    """

    def __init__(self, tty: Device, port: Any) -> None:
        self._tty = tty
        self._port = port
        self._queue: int | None = None
        self._accepted: int | None = None
        self._since = time.monotonic()

    def see(self, queue: int | None, accepted: int | None) -> None:
        """Take note of how far things are: what differs from the last time has moved.

        Args:
            queue: bytes in the driver's queue.
            accepted: bytes of the write under way that were accepted, as a queue may be full, drain, and be full
                again between two looks; None where there is no such write yet.
        """
        if queue != self._queue or (accepted is not None and self._accepted not in {None, accepted}):
            self._since = time.monotonic()
        self._queue, self._accepted = queue, accepted

    def _quiet(self) -> bool:
        return time.monotonic() - self._since >= max(QUIET, LUMP * seconds_per_byte(self._port))

    def held_by(self, accepted: int | None) -> str | None:
        """What holds the port; None where nothing does, or nobody can tell.

        A UART without flow control is never held: what it has not sent yet, it is sending.

        Args:
            accepted: as for :meth:`see`.

        Raises:
            OSError: the port is closed, hung up or unplugged.
        """
        if self._port.rtscts:
            lines = self._tty.modem_lines()
            if lines is not None and not lines.cts:
                return CTS_LOW
        queue = self._tty.output_queue()
        if queue is None:  # a pty: nothing lies between us and the peer but its own buffer
            return EITHER if self._port.xonxoff else NOT_READING
        self.see(queue, accepted)
        if not queue or not self._quiet():
            return None
        if self._tty.transmitter_empty():  # with bytes to send: something has told it to stop
            return XOFF if self._port.xonxoff else STOPPED
        # An adapter that heeds XOFF by itself is not idle then.
        return EITHER if self._port.xonxoff else NOT_READING
