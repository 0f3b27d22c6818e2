"""Device: the system's questions about a serial device, answered here for a device that reports nothing."""

from __future__ import annotations

import errno
import os
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from typing import Any, NamedTuple

from ._no_line import no_line
from ._settings import Settings

CLOSING_WAIT_NONE = 65535  # of a closing_wait: the close does not wait


class ModemLines(NamedTuple):
    """The modem lines of a port: true where a line is asserted. ``rts`` and ``dtr`` are ours, the others the peer's."""

    cts: bool
    dsr: bool
    cd: bool
    ri: bool
    rts: bool
    dtr: bool


class LineCounters(NamedTuple):
    """What the driver has counted since the machine started (TIOCGICOUNT): characters, errors, changes of lines."""

    cts: int
    dsr: int
    ri: int
    cd: int
    rx: int
    tx: int
    frame: int
    overrun: int
    parity: int
    brk: int
    buf_overrun: int


class Device:
    """The device of a serial port. ``None`` means that it does not report it.

    Every method raises ``OSError`` for a port that is closed, hung up or unplugged.
    """

    drives_line = True  # what the queue holds has the line next to come
    tells_served = False  # the queue is what the server of a remote port has not taken
    closing_time: float = 0.0  # seconds that the close itself takes, always

    def check_peer(self) -> None:
        """OSError where the peer is gone for good, though the queue is there still."""

    def close_port(self, port: Any) -> None:
        """Close ``port``, the ``serial.Serial``."""
        port.close()

    # -- what has been accepted, and has not left yet --------------------------------------------------

    def is_pty(self) -> bool:
        """Whether this is a pseudo-terminal, which has no line behind it."""
        return False

    def keeps_own_lines(self) -> bool:
        """Whether RTS and DTR are as they were set, although the device does not report them."""
        return self.is_pty()

    def output_queue(self) -> int | None:
        """Bytes in the output queue."""
        return None

    def transmitter_empty(self) -> bool | None:
        """Whether FIFO and shift register are empty."""
        return None

    def status_lag(self) -> float:
        """Seconds by which :meth:`transmitter_empty` may be late."""
        return 0.0

    def fifo_size(self) -> int | None:
        """Bytes that the transmitter may hold beyond the queue."""
        return None

    def hold_output(self) -> None:
        """Send nothing from the queue until :meth:`let_output`."""

    def let_output(self) -> None:
        """Undo :meth:`hold_output`."""

    def flush_output(self) -> None:
        """Drop the queue. Some devices do nothing."""

    # -- the line ---------------------------------------------------------------------------------------

    def modem_lines(self) -> ModemLines | None:
        """The modem lines; None where there are none."""
        return None

    def await_line_change(self, lines: Iterable[str]) -> None:
        """Block until one of ``lines`` ("cts", "dsr", "cd", "ri") has changed.

        Raises:
            InterruptedError: a signal came first.
            OSError: the driver does not report changes (ENOTTY and the like), or the port is gone.
        """
        raise _no_such_thing()

    def counters(self) -> LineCounters | None:
        """What was counted on the line."""
        return None

    def set_break(self, on: bool) -> None:
        """Hold the line in the break state, or release it.

        Raises:
            io.UnsupportedOperation: the device has no line.
        """
        raise no_line("this port", "break")

    def settings(self) -> Settings | None:
        """The settings in force, which may not be what was asked for."""
        return None

    def output_speed(self) -> int | None:
        """Bits per second in force, which may not be what was asked for."""
        return None

    # -- who may open it, and how it closes ---------------------------------------------------------------

    def set_exclusive(self, on: bool) -> None:
        """Refuse every further open, as far as the system can."""

    def closing_wait(self) -> int | None:
        """Hundredths of a second that the close may wait for the queue; 0: for ever, 65535: not at all."""
        return None

    def set_closing_wait(self, value: int) -> None:
        """Set what :meth:`closing_wait` returns."""

    def hang_up_on_close(self, on: bool) -> bool:
        """Whether the last close drops DTR from now on; returns whether it did so before."""
        raise _no_such_thing()

    @contextmanager
    def opened_anew(self, path: str) -> Generator[Device]:
        """The device at ``path``, opened for as long as the block lasts, once this one has been closed."""
        raise _no_such_thing()
        yield self


def _no_such_thing() -> OSError:
    return OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
