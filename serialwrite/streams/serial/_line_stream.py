"""LineStream: the modem lines of a serial port, and what its driver has counted on them."""

from __future__ import annotations

import io
from typing import Any

from ..._errors import StreamClosed, transfer_error
from ..._executors import EventLoopExecutor
from ..fd._stream import PollableStream
from ._settings import Settings
from ._tty import UNSUPPORTED, LineCounters, ModemLines, Tty


class LineStream(PollableStream):
    """A stream over ``port``, a ``serial.Serial`` that is open."""

    def __init__(self, port: Any, executor: EventLoopExecutor | None = None) -> None:
        super().__init__(executor)
        self.serial = port
        self._tty = Tty(lambda: fileno_of(port))

    @property
    def modem_lines(self) -> ModemLines | None:
        """The modem lines now; None where the port has none: a pty, ``socket://``.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        try:
            return self._tty.modem_lines()
        except OSError as error:
            raise transfer_error(error) from error

    @property
    def in_force(self) -> Settings | None:
        """The settings that the driver has really set, read from it now; None where there is no line to set.

        A pty has no line: it keeps 8 data bits without parity, whatever it was asked for.
        On ``rfc2217://`` these are the settings that the server has granted; on ``socket://`` and ``loop://`` None.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        self._check_open()
        try:
            return self._tty.settings()
        except OSError as error:
            raise transfer_error(error) from error

    @property
    def line_counters(self) -> LineCounters | None:
        """The driver's counts of characters, errors and changes of the modem lines; None where it has none."""
        try:
            return self._tty.counters()
        except OSError as error:
            raise transfer_error(error) from error

    @property
    def rts(self) -> bool:
        """Request To Send, as we have set it. Assign to change it; ``io.UnsupportedOperation`` without a line."""
        return bool(self.serial.rts)

    @rts.setter
    def rts(self, on: bool) -> None:
        self._set_line("rts", on)

    @property
    def dtr(self) -> bool:
        """Data Terminal Ready, as we have set it. Assign to change it; ``io.UnsupportedOperation`` without a line."""
        return bool(self.serial.dtr)

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._set_line("dtr", on)

    def _set_line(self, name: str, on: bool) -> None:
        self._check_open()
        before = getattr(self.serial, name)
        try:
            setattr(self.serial, name, on)
        except OSError as error:
            setattr(self.serial, f"_{name}_state", before)  # pyserial believes in what it has not set
            if isinstance(error, io.UnsupportedOperation) or error.errno in UNSUPPORTED:
                raise io.UnsupportedOperation(f"{name}: {self!r} has no modem lines") from error
            raise transfer_error(error) from error

    def _check_open(self) -> None:
        if not self.is_open():
            raise StreamClosed(reason=f"{self!r} is closed")


def fileno_of(port: Any) -> int:
    """The descriptor of ``port``, a ``serial.Serial``; StreamClosed when it is closed."""
    fd: int | None = port.fd
    if fd is None:
        raise StreamClosed(reason=f"port {port.port} is closed; open() it first")
    return fd
