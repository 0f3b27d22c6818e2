"""Closing a serial port within bounds. Left to itself, the kernel waits 30 s for a queue that nobody empties."""

from __future__ import annotations

import warnings
from contextlib import suppress
from numbers import Real
from typing import Any, Literal, TypeAlias

from ._drain import Drain, discard, seconds_per_byte
from ._interrupted import call_interrupted
from ._tty import CLOSING_WAIT_NONE, Tty

ClosePolicy: TypeAlias = Literal["drain", "discard", "abort"]
_POLICIES = ("drain", "discard", "abort")

# Seconds that draining may take at the most, where the caller does not say; and what a stalled port is given.
LONGEST_DRAIN, GRACE = 5.0, 0.5
# Seconds that the kernel's close is waited for, though it has been told not to wait.
PATIENCE = 0.5


def check_closing(policy: ClosePolicy, timeout: float | None) -> None:
    """ValueError for what is no policy, and for what is no time."""
    if policy not in _POLICIES:
        raise ValueError(f"policy={policy!r}: pass one of {', '.join(map(repr, _POLICIES))}")
    if timeout is not None and not (isinstance(timeout, Real) and timeout >= 0):  # NaN is refused, too
        raise ValueError(f"timeout={timeout!r}: pass seconds, 0 or more, or None for what the baud rate predicts")


def drain_bound(tty: Tty, port: Any, timeout: float | None) -> float:
    """Seconds to give a drain before closing, so that both together take ``timeout``.

    None: half as much again as the line needs for what is queued, and a grace.
    """
    if timeout is not None:
        return max(0.0, timeout - tty.closing_time)
    with suppress(OSError):
        return min(LONGEST_DRAIN, GRACE + 1.5 * (tty.output_queue() or 0) * seconds_per_byte(port))
    return 0.0


def drain_before_closing(tty: Tty, port: Any, timeout: float | None) -> None:
    """Block until everything has left, within what :func:`drain_bound` says."""
    with suppress(OSError):
        Drain(tty, seconds_per_byte(port)).block(drain_bound(tty, port, timeout))


def close_now(tty: Tty, port: Any, *, flush: bool) -> int | None:
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
    with suppress(OSError):
        tty.set_exclusive(False)
    if left:
        return unsent if _close_with_a_queue(tty, port) else None
    port.close()
    return unsent


def _close_with_a_queue(tty: Tty, port: Any) -> bool:
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
    closed = call_interrupted(lambda: _close_quietly(port), f"closing {path}", PATIENCE)
    if closed and hangs_up is not None:
        with suppress(OSError), tty.opened_anew(path) as anew:
            if waits is not None:
                anew.set_closing_wait(waits)
            anew.hang_up_on_close(hangs_up)
    return closed


def _close_quietly(port: Any) -> None:
    with suppress(OSError):  # closed under us, by the owner of the serial.Serial
        port.close()


def close_forgotten(tty: Tty, port: Any, name: str) -> None:
    """Close a port whose stream is gone, or whose program ends; at the end of a program no warning is seen."""
    if not port.is_open:
        return
    try:
        drain_before_closing(tty, port, None)
    finally:  # whatever went wrong there: left to the kernel, the queue would hold the program up
        unsent = close_now(tty, port, flush=True)
    rest = f", and closed with {unsent:,} accepted bytes unsent" if unsent else ""
    warnings.warn(f"{name} was never closed{rest}: use it in a `with` block", ResourceWarning, stacklevel=2)
