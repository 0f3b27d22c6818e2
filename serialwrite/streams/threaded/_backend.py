"""Backend: adapter for pyserial ports without a file descriptor, using only the methods that all of them share.

They are used on worker threads. Waiting ends within a moment of ``stop`` being set and :meth:`Backend.interrupt`.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import Any, ClassVar

from .._proof import UNKNOWN, ProofLevel, ProofLevels
from ..serial._device import Device, ModemLines
from ..serial._drain import seconds_per_byte

# Seconds: how long a wait may take to notice that its port was closed; and how often a port without a read event is
# polled.
LOOK_INTERVAL_S = 0.01
# A chunk takes about this long on the line, in seconds: that is how long a cancellation waits.
CHUNK_S = 0.05


class Backend(Device):
    """Any port of pyserial's, by what all of them have. Also its device, as far as pyserial knows that.

    Args:
        port: the object that pyserial made, open.
    """

    drives_line = False
    has_lines = True
    proof_levels: ClassVar[ProofLevels] = {
        ProofLevel.ACCEPTED: "Serial.write",
        ProofLevel.DRAINED: UNKNOWN,
        ProofLevel.TRANSMITTED: UNKNOWN,
        ProofLevel.CONFIRMED: UNKNOWN,
    }

    def __init__(self, port: Any) -> None:
        self.port = port
        self.chunk = int(min(max(CHUNK_S / seconds_per_byte(port), 16), 1024))  # bytes to write at a time

    def writable(self) -> bool:
        """Whether a chunk can be written now without blocking for long."""
        return True

    def wait_writable(self, stop: threading.Event) -> None:
        """Wait until a chunk can be written without blocking for long, or ``stop``."""

    def write(self, data: bytes) -> int:
        """Write ``data``, a chunk, and return the bytes that were taken."""
        n: int | None = self.port.write(data)
        return len(data) if n is None else n

    def wait_readable(self, stop: threading.Event) -> None:
        """Wait until there is something to read, or ``stop``."""
        while self.port.is_open and not self.port.in_waiting and not stop.wait(LOOK_INTERVAL_S):
            pass

    def read(self, size: int) -> bytes:
        """Read what is there, ``size`` bytes at the most. No bytes: the other end is gone."""
        data: bytes = self.port.read(min(size, self.port.in_waiting))
        return data

    def interrupt(self) -> None:
        """Have those who wait look at their ``stop``."""

    def cancel(self) -> None:
        """End a write or a read that is stuck, where the port has a way to; it is being closed."""
        for name in ("cancel_write", "cancel_read"):
            with suppress(Exception):
                getattr(self.port, name)()

    def closed(self) -> None:
        """The port is closed, and every wait has ended."""

    # -- what pyserial reports about the line ----------------------------------------------------------------

    def modem_lines(self) -> ModemLines | None:
        port = self.port
        if not self.has_lines:
            return None
        return ModemLines(port.cts, port.dsr, port.cd, port.ri, port.rts, port.dtr)

    def set_break(self, on: bool) -> None:
        self.port.break_condition = on
