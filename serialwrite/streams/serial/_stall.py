"""The reason why a port is stalled, as far as the driver reports it."""

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
    """Finds why a port is stalled, from what its driver reports and from counts that did not change.

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
        """Reason for the stall, or None if there is none or it is unknown. Without flow control a UART never stalls.

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
        if queue is None:  # a pty: between it and the peer is only a buffer whose level is unknown
            if still < quiet:
                return None
            return EITHER if self._port.xonxoff else NOT_READING
        if not queue or still < max(QUIET_S, LUMP * seconds_per_byte(self._port)):
            return None
        if self._tty.transmitter_empty():  # with bytes to send: an XOFF or TCOOFF has stopped it
            return XOFF if self._port.xonxoff else STOPPED
        # An adapter that handles XOFF by itself is not idle then.
        return EITHER if self._port.xonxoff else NOT_READING
