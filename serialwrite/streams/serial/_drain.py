"""Drain and discard. Drain polls the driver. It avoids tcdrain, which blocks, and on some drivers returns too early."""

from __future__ import annotations

import asyncio
import io
import time
from collections.abc import Callable
from typing import Any, Literal, TypeAlias

from .._proof import ProofLevel
from ._device import Device

DrainLevel: TypeAlias = Literal["queue", "shift-register", "served", ProofLevel.SERVED]

# Seconds between two polls of the driver: what the baud rate predicts, within these bounds. The longest is also how
# late a hang-up is noticed.
LOOK_MIN_S, LOOK_MAX_S = 0.001, 0.05
# The longest where a server is asked: it answers after a round trip, whatever the baud rate.
LONGEST_ANSWER_LOOK = 0.02
# Seconds before an empty queue is checked a second time. When a cdc_acm device is unplugged, its queue reads empty up
# to 256 ms before the hang-up is reported.
SECOND_LOOK = 0.1
# Bytes that a transmitter's FIFO may hold, if its driver does not report its size.
FIFO = 16


def seconds_per_byte(port: Any) -> float:
    """How long one byte is on the wire, by the settings of ``port``, a ``serial.Serial``."""
    bits = 1 + port.bytesize + (port.parity != "N") + port.stopbits
    return float(bits / max(port.baudrate, 1))


def check_level(tty: Device, level: DrainLevel | None) -> None:
    """Raise an error if ``level`` is unknown, or if the driver does not report it."""
    if level not in {None, "queue", "shift-register", ProofLevel.SERVED}:
        raise ValueError(
            f"level={level!r}: pass 'queue', 'shift-register', 'served', or None for the strongest there is"
        )
    if level == ProofLevel.SERVED:
        if not tty.tells_served:
            raise io.UnsupportedOperation(
                f"level={level!r}: nothing proves what a server took; pass None for the strongest there is"
            )
    elif level is not None and (
        tty.output_queue() is None
        or not tty.drives_line
        or (level == "shift-register" and tty.transmitter_empty() is None)
    ):
        raise io.UnsupportedOperation(
            f"level={level!r}: the driver of this port does not report it; pass None for the strongest there is"
        )


class Drain:
    """Looks at the driver until everything that was accepted has left.

    Attributes:
        total: bytes that were queued at first; None where the driver does not report it.
        queued: bytes that are still queued.
    """

    def __init__(self, tty: Device, byte_time: float, level: DrainLevel | None = None) -> None:
        self._tty = tty
        self._byte_time = byte_time
        self.total = self.queued = tty.output_queue()
        # Whether to wait for the shift register, and until when its status may be stale.
        self._last: bool = level != "queue" and tty.transmitter_empty() is not None
        self._lag = tty.status_lag() if self._last else 0.0
        self._stale_until = time.monotonic() + self._lag
        self._answer_look = LOOK_MIN_S / 2

    @property
    def drained(self) -> int:
        """Bytes of those queued at first that have left."""
        return 0 if self.total is None or self.queued is None else max(0, self.total - self.queued)

    def look(self) -> float | None:
        """Look once.

        Returns:
            Seconds until another look is worth while; None when everything has left.

        Raises:
            OSError: the port is closed, hung up or unplugged.
        """
        self.queued = self._tty.output_queue()
        if self.queued:
            self._tty.check_peer()
            self._stale_until = time.monotonic() + self._lag
            return self._pause(self.queued)
        if not self._last:
            return None
        if self._tty.transmitter_empty() is False:
            self._stale_until = 0.0
            return self._pause(FIFO / 4)
        left = self._stale_until - time.monotonic()
        return min(left, LOOK_MAX_S) if left > 0 else None

    def _pause(self, size: float) -> float:
        """Seconds that ``size`` bytes take, within bounds."""
        if self._tty.tells_served:
            self._answer_look = min(2 * self._answer_look, LONGEST_ANSWER_LOOK)
            return self._answer_look
        return min(max(size * self._byte_time, LOOK_MIN_S), LOOK_MAX_S)

    async def wait(self, note: Callable[[], object] = lambda: None, *, sure: bool = False) -> None:
        """Look until everything has left, and call ``note`` after each look.

        ``sure``: check an empty queue a second time, in case the device was unplugged.
        """
        while (pause := self.look()) is not None:
            note()
            await asyncio.sleep(pause)
        if sure and self.total and self._tty.drives_line and self._tty.transmitter_empty() is None:
            await asyncio.sleep(SECOND_LOOK)
            self.look()
        note()

    def block(self) -> None:
        """Look until everything has left, and block meanwhile."""
        while (pause := self.look()) is not None:
            time.sleep(pause)


def discard(tty: Device, *, hold: bool) -> int:
    """Drop the driver's queue, and return the bytes that are proved to be gone by that.

    0 if the driver ignores a flush, as those of many USB adapters do, or does not report its queue.

    Args:
        tty: the driver.
        hold: let nothing leave between the look and the flush. Resuming the output would also end an XOFF of the
            peer's. With XON/XOFF pass False; what leaves within those microseconds is counted as dropped.
    """
    if hold:
        tty.hold_output()
    try:
        before = tty.output_queue()
        tty.flush_output()
        after = tty.output_queue()
    finally:
        if hold:
            tty.let_output()
    # What is left in the queue was not dropped; and then what has left it meanwhile was just sent.
    return before if before and after == 0 else 0
