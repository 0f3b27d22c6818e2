"""Closing a serial port within bounds. Left to itself, the kernel waits 30 s for a queue that nobody empties."""

from __future__ import annotations

import os
import time
import warnings
import weakref
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Literal, TypeAlias

from ..._timers import checked_timeout
from ._device import CLOSING_WAIT_NONE, Device
from ._drain import Drain, discard, seconds_per_byte
from ._interrupted import call_interrupted

ClosePolicy: TypeAlias = Literal["drain", "discard", "abort"]
_POLICIES = ("drain", "discard", "abort")

# Seconds, where the caller does not say: how long draining may take in all (the kernel's own closing_wait is as long);
# and how long the queue may stand still: beyond what the baud rate predicts, and at the most.
LONGEST_DRAIN = 30.0
GRACE, LONGEST_STANDSTILL = 0.5, 5.0
# Bytes that the hardware may hold beyond the queue, which no driver of a USB adapter tells (FT232R, data sheet, 4.3).
HELD = 128
# Seconds that a close is waited for beyond what it always takes, though the kernel has been told not to wait.
PATIENCE = 0.5


def check_closing(policy: ClosePolicy, timeout: float | None) -> None:
    """ValueError for what is not a policy; the errors of ``checked_timeout`` for what is not a time."""
    if policy not in _POLICIES:
        raise ValueError(f"policy={policy!r}: pass one of {', '.join(map(repr, _POLICIES))}")
    checked_timeout(timeout, unless=", or None for as long as the queue moves")


class ClosingDrain(Drain):
    """A drain that gives up, so that it and the close take ``timeout`` seconds at most.

    None: it goes on for as long as the queue shrinks. A baud rate predicts nothing where the peer holds the line up now
    and then, and on adapters that ignore it; but it says how long the queue may stand still: half as much again as all
    of it takes at first. On USB it stands still for a whole transfer, and then the chip has it.
    """

    def __init__(self, tty: Device, port: Any, timeout: float | None) -> None:
        byte_time = seconds_per_byte(port)
        super().__init__(tty, byte_time)
        self._shrunk_at = time.monotonic()
        self._standstill = min(LONGEST_STANDSTILL, GRACE + 1.5 * ((self.total or 0) + HELD) * byte_time)
        if timeout is not None:
            timeout = self._standstill = max(0.0, timeout - tty.closing_time)
        self._deadline = self._shrunk_at + (LONGEST_DRAIN if timeout is None else timeout)

    def look(self) -> float | None:
        """Look once; None when everything has left, and when it is no use waiting any more."""
        before = self.queued
        pause = super().look()
        now = time.monotonic()
        if self.queued is not None and before is not None and self.queued < before:
            self._shrunk_at = now
        left = min(self._deadline, self._shrunk_at + self._standstill) - now
        return None if pause is None or left <= 0 else min(pause, left)


def close_now(tty: Device, port: Any, *, flush: bool) -> int | None:
    """Close ``port``, without waiting for anything that it still has to send.

    The kernel is kept from waiting by an empty queue, else by a closing_wait of none, which is put back afterwards,
    as it would outlive us; and where neither can be had (a driver that ignores a flush, a user without
    CAP_SYS_ADMIN), by a signal to the thread that closes.

    Args:
        tty: the driver's side of the port.
        port: the ``serial.Serial``.
        flush: drop the queue first. That is a request to the device on some adapters, and a dead one takes its time.

    Returns:
        Bytes that were queued and are not sent, as far as the driver tells; None where it doesn't, or has not closed.
        A driver that ignores a flush may send a few more of them, until its close is through: some 10 ms; and where the
        port may not be opened again (the program has changed its user), an adapter what it had taken already.
    """
    unsent = None
    left = False
    with suppress(OSError):  # hung up or unplugged: nothing is known, and nothing is waited for
        unsent = tty.output_queue()
        if unsent and flush:
            unsent = discard(tty, hold=not port.xonxoff) or unsent
        # The kernel waits for the hardware's FIFO, too, which some queues leave out (ftdi_sio's).
        left = bool(tty.output_queue()) or tty.transmitter_empty() is False
    if getattr(port, "exclusive", None):  # else it is another program's
        with suppress(OSError):
            tty.set_exclusive(False)
    if left:
        return unsent if _close_with_a_queue(tty, port) else None
    tty.close_port(port)
    return unsent


def _close_with_a_queue(tty: Device, port: Any) -> bool:
    """Close it all the same; whether that has come to its end.

    It is opened once more then: what was set on it outlives a close; and adapters that are opened are reset, and drop
    what they have taken of the queue (ftdi_sio counts that as queued until a whole transfer is through).
    """
    path = port.portstr
    waits = hangs_up = None
    with suppress(OSError):
        hangs_up = tty.hang_up_on_close(False)  # on DTR it is to look like one close
    with suppress(OSError):
        before = tty.closing_wait()
        if before is not None and before != CLOSING_WAIT_NONE:
            tty.set_closing_wait(CLOSING_WAIT_NONE)
            waits = before
    closed = call_interrupted(lambda: _close_quietly(tty, port), f"closing {path}", PATIENCE + tty.closing_time)
    if closed and hangs_up is not None:
        with suppress(OSError), tty.opened_anew(path) as anew:
            if waits is not None:
                anew.set_closing_wait(waits)
            anew.hang_up_on_close(hangs_up)
    return closed


def _close_quietly(tty: Device, port: Any) -> None:
    with suppress(OSError):  # closed under us, by the owner of the serial.Serial
        tty.close_port(port)


def tell_when_closed(port: Any, tell: weakref.WeakMethod[Callable[[], object]]) -> None:
    """Have ``port``, a ``serial.Serial`` that we opened, call ``tell`` whenever it has been closed."""
    genuine: Callable[[], None] = port.close

    def close() -> None:
        try:
            genuine()
        finally:
            told = tell()
            if told is not None:
                told()

    port.close = close


def close_inherited(port: Any) -> None:
    """Close the descriptors that a forked child has of ``port``, and ask nothing of the driver or of the other machine.

    pyserial's own close shuts a connection down for the parent, too; and what a close of another kind of port does
    (cp2110, on USB) is not known: that one is only marked as closed.
    """
    if hasattr(port, "fd"):
        port.close()
        return
    connection = getattr(port, "_socket", None)
    if connection is not None:
        connection.close()
        port._socket = None
    port.is_open = False


def close_forgotten(tty: Device, port: Any, name: str, made_by: int | None = None) -> None:
    """Close a port whose stream is gone, or whose program ends; at the end of a program no warning is seen."""
    if not port.is_open:
        return
    if made_by not in {None, os.getpid()}:
        close_inherited(port)
        return
    try:
        with suppress(OSError):
            ClosingDrain(tty, port, None).block()
    finally:  # whatever went wrong there: left to the kernel, the queue would hold the program up
        unsent = close_now(tty, port, flush=True)
    rest = f", and closed with {unsent:,} accepted bytes unsent" if unsent else ""
    warnings.warn(f"{name} was never closed{rest}: use it in a `with` block", ResourceWarning, stacklevel=2)
