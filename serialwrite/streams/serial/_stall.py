"""What holds a port that takes nothing: as much of it as the driver can tell."""

from __future__ import annotations

from typing import Any

from ..fd._standstill import NOT_READING, Standstill
from ._device import Device
from ._drain import seconds_per_byte

# A queue that has not moved for this long is held: seconds, and bytes, as drivers report progress in lumps.
QUIET_S, LUMP = 0.1, 600

CTS_LOW = "CTS low"
XOFF = "XOFF received"
STOPPED = "output stopped"  # by tcflow(TCOOFF), here or in another program
EITHER = f"{XOFF} or {NOT_READING}"


class StallWatch:
    """Says what holds a port, by what its driver tells and by what was seen not to move.

    Args:
        tty: the driver's side of the port.
        port: the ``serial.Serial``, for its settings.
    """

    def __init__(self, tty: Device, port: Any) -> None:
        self._tty = tty
        self._port = port
        self._standstill = Standstill()

    def see(self, queue: int | None, accepted: int | None) -> float:
        """As :meth:`Standstill.see`."""
        return self._standstill.see(queue, accepted)

    def held_by(self, accepted: int | None, quiet: float) -> str | None:
        """What holds the port; None where nothing does, or nobody can tell.

        A UART without flow control is never held: what it has not sent yet, it is sending.

        Args:
            accepted: as for :meth:`see`.
            quiet: seconds that a pty has to have stood still for.

        Raises:
            OSError: the port is closed, hung up or unplugged.
        """
        if self._port.rtscts:
            lines = self._tty.modem_lines()
            if lines is not None and not lines.cts:
                return CTS_LOW
        queue = self._tty.output_queue()
        still = self.see(queue, accepted)
        if queue is None:  # a pty: nothing lies between us and the peer but a buffer that tells nothing
            if still < quiet:
                return None
            return EITHER if self._port.xonxoff else NOT_READING
        if not queue or still < max(QUIET_S, LUMP * seconds_per_byte(self._port)):
            return None
        if self._tty.transmitter_empty():  # with bytes to send: something has told it to stop
            return XOFF if self._port.xonxoff else STOPPED
        # An adapter that heeds XOFF by itself is not idle then.
        return EITHER if self._port.xonxoff else NOT_READING
