"""Closing a serial port in bounded time. By default the kernel waits up to 30 s for the output queue to drain."""

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

# Seconds, by default: how long draining may take in all (as the kernel's closing_wait).
LONGEST_DRAIN = 30.0
# Seconds that the queue may stay unchanged: beyond what the baud rate predicts, and at most.
GRACE, LONGEST_STANDSTILL = 0.5, 5.0
# Bytes that the hardware may hold beyond the queue. Drivers of USB adapters don't report them (FT232R data sheet, 4.3).
HELD = 128
# Seconds to wait for a close beyond what it always takes, although the kernel was asked not to wait.
CLOSE_TIMEOUT_S = 0.5


def check_closing(policy: ClosePolicy, timeout: float | None) -> None:
    """Raise ValueError if ``policy`` is unknown, and the errors of ``checked_timeout`` if ``timeout`` is not a time."""
    if policy not in _POLICIES:
        raise ValueError(f"policy={policy!r}: pass one of {', '.join(map(repr, _POLICIES))}")
    checked_timeout(timeout, unless=", or None for as long as the queue moves")


class ClosingDrain(Drain):
    """A drain that gives up, so that it and the close take ``timeout`` seconds at most.

    None: it goes on for as long as the queue shrinks. The baud rate can't predict the total time: flow control may
    pause the line, and some adapters ignore the rate. It only bounds how long the queue may stay unchanged: 1.5 times
    the time that the whole queue needs. USB adapters report progress one transfer at a time.
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
        """Look once; None when everything has left, or when waiting longer is useless."""
        before = self.queued
        pause = super().look()
        now = time.monotonic()
        if self.queued is not None and before is not None and self.queued < before:
            self._shrunk_at = now
        left = min(self._deadline, self._shrunk_at + self._standstill) - now
        return None if pause is None or left <= 0 else min(pause, left)


def close_now(tty: Device, port: Any, *, flush: bool) -> int | None:
    """Close ``port``, without waiting for anything that it still has to send.

    With an empty queue the kernel does not wait. Else closing_wait is disabled, and restored afterwards, because the
    setting outlives the close. If neither works (the driver ignores a flush, the user lacks CAP_SYS_ADMIN), a signal to
    the closing thread ends the wait.

    Args:
        tty: the driver's side of the port.
        port: the ``serial.Serial``.
        flush: drop the queue first. On some adapters that is a request to the device, and a dead device answers late.

    Returns:
        Bytes that were queued and are not sent, as the driver reports them; None if it does not, or has not closed. A
        driver that ignores a flush may send a few more of them until its close ends, some 10 ms later. If the port may
        not be opened again (the program has changed its user), an adapter may also send what it has taken.
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
    """Close it with its queue; return whether the close has ended.

    Afterwards it is opened once more, for two reasons. Settings outlive a close, so they are put back. And opening an
    adapter resets it, so it drops what it has taken of the queue. ftdi_sio counts that as queued until a whole transfer
    has ended.
    """
    path = port.portstr
    waits = hangs_up = None
    with suppress(OSError):
        hangs_up = tty.hang_up_on_close(False)  # keep DTR up: the two closes are to look like one
    with suppress(OSError):
        before = tty.closing_wait()
        if before is not None and before != CLOSING_WAIT_NONE:
            tty.set_closing_wait(CLOSING_WAIT_NONE)
            waits = before
    closed = call_interrupted(lambda: _close_quietly(tty, port), f"closing {path}", CLOSE_TIMEOUT_S + tty.closing_time)
    if closed and hangs_up is not None:
        with suppress(OSError), tty.opened_anew(path) as anew:
            if waits is not None:
                anew.set_closing_wait(waits)
            anew.hang_up_on_close(hangs_up)
    return closed


def _close_quietly(tty: Device, port: Any) -> None:
    with suppress(OSError):  # the owner of the serial.Serial has closed it
        tty.close_port(port)


def notify_when_closed(port: Any, notify: weakref.WeakMethod[Callable[[], object]]) -> None:
    """Have ``port``, a ``serial.Serial`` that SerialPort opened, call ``notify`` whenever it has been closed."""
    genuine: Callable[[], None] = port.close

    def close() -> None:
        try:
            genuine()
        finally:
            found = notify()
            if found is not None:
                found()

    port.close = close


def close_inherited(port: Any) -> None:
    """Close the descriptors that a forked child has of ``port``, and ask nothing of the driver or of the other machine.

    pyserial's own close would shut the connection down for the parent, too. What the close of any other kind of port
    does is unknown (cp2110, on USB), so that port is only marked as closed.
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
    finally:  # even after an error: else the kernel's wait for the queue would block the program's exit
        unsent = close_now(tty, port, flush=True)
    rest = f", and closed with {unsent:,} accepted bytes unsent" if unsent else ""
    warnings.warn(f"{name} was never closed{rest}: use it in a `with` block", ResourceWarning, stacklevel=2)
