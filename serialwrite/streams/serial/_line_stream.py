"""LineStream: the modem lines of a serial port, and what its driver has counted on them."""

from __future__ import annotations

import io
import socket as sockets
from typing import Any, ClassVar

from ..._errors import StreamClosed, transfer_error
from ..._executors import EventLoopExecutor
from ..fd._stream import PollableStream
from ._device import LineCounters, ModemLines
from ._driver import Driver
from ._settings import Settings
from ._tty import UNSUPPORTED


class LineStream(PollableStream):
    """A stream with a ``driver``, whose ``serial.Serial`` is open."""

    driver: Driver
    """What this kind of port has: ``driver.device`` is what the kernel, or pyserial in its place, is asked;
    ``driver.pollable`` is whether the port has a file descriptor, else it is used on threads."""
    serial: Any
    """The object of pyserial's, open. Its settings can be read and set there, too; read and write through this stream.
    Closed there, it ends what waits here with :class:`StreamClosed`."""
    _needs: ClassVar[tuple[str, ...]] = ()  # that is the driver's business

    def __init__(self, driver: Driver, executor: EventLoopExecutor | None = None) -> None:
        self.driver = driver
        self.serial = driver.serial
        self._line: Any = driver.line
        super().__init__(executor)

    @property
    def socket(self) -> sockets.socket | None:
        """The socket of a port on another machine, for its options: read and write through the port. Else None."""
        return self.driver.socket

    def _directions(self) -> tuple[Any, Any]:
        return self.driver.directions(self)

    @property
    def modem_lines(self) -> ModemLines | None:
        """The modem lines now; None where the port has none: a pty, ``socket://``.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        try:
            return self.driver.device.modem_lines()
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
            return self.driver.device.settings()
        except OSError as error:
            raise transfer_error(error) from error

    @property
    def line_counters(self) -> LineCounters | None:
        """The driver's counts of characters, errors and changes of the modem lines; None where it has none."""
        try:
            return self.driver.device.counters()
        except OSError as error:
            raise transfer_error(error) from error

    @property
    def rts(self) -> bool:
        """Request To Send, which is ours. Assign to change it. A pty has none, and keeps what it was given at opening.

        Raises:
            io.UnsupportedOperation: the port has no modem lines: ``socket://``; a pty, where it is assigned.
            TransferError: the port is closed, hung up or unplugged.
        """
        return self._own_line("rts")

    @rts.setter
    def rts(self, on: bool) -> None:
        self._set_line("rts", on)

    @property
    def dtr(self) -> bool:
        """Data Terminal Ready, which is ours. Otherwise as :attr:`rts`."""
        return self._own_line("dtr")

    @dtr.setter
    def dtr(self, on: bool) -> None:
        self._set_line("dtr", on)

    def _own_line(self, name: str) -> bool:
        self._check_open()
        lines = self.modem_lines
        if lines is None and not self.driver.device.keeps_own_lines():  # pyserial would tell what nothing has taken
            raise self._no_lines(name)
        return bool(getattr(lines or self._line, name))

    def _no_lines(self, name: str) -> io.UnsupportedOperation:
        return io.UnsupportedOperation(f"{name}: {self!r} has no modem lines")

    def _set_line(self, name: str, on: bool) -> None:
        self._check_open()
        before = getattr(self._line, name)
        try:
            setattr(self._line, name, on)
        except OSError as error:
            setattr(self._line, f"_{name}_state", before)  # pyserial believes in what it has not set
            if isinstance(error, io.UnsupportedOperation) or error.errno in UNSUPPORTED:
                raise self._no_lines(name) from error
            told = transfer_error(error)
            told.verb = ""  # nothing was to be transferred
            raise told from error

    def _check_open(self) -> None:
        if not self.is_open:
            raise StreamClosed(reason=f"{self!r} is closed")
