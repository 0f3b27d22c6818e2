"""LineStream: a stream whose driver reports the line's settings, modem lines and error counters."""

from __future__ import annotations

import io
import socket as sockets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, ClassVar

from ..._errors import StreamClosed, transfer_error
from ..._executors import EventLoopExecutor
from ..fd._stream import PollableStream
from ._device import LineCounters, ModemLines
from ._driver import Driver
from ._settings import Settings
from ._tty import os_errors


class LineStream(PollableStream):
    """A stream with a ``driver``, whose ``serial.Serial`` is open."""

    driver: Driver
    """What this kind of port has. ``driver.device`` asks the kernel, or pyserial instead of it. ``driver.pollable`` is
    whether the port has a file descriptor; without one it is used on threads."""
    serial: Any
    """The object of pyserial's, open. Its settings can be read and set there, too; read and write through this stream.
    If it is closed there, what waits here ends with :class:`StreamClosed`."""
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
        with self._line_in_use():
            return self.driver.device.modem_lines()

    @property
    def in_force(self) -> Settings | None:
        """The settings that the driver has really set, read from it now; None where the port has no line to set.

        A pty has no line: it keeps 8 data bits without parity, whatever it was asked for.
        On ``rfc2217://`` these are the settings that the server has granted; on ``socket://`` and ``loop://`` None.

        Raises:
            TransferError: the port is closed, hung up or unplugged.
        """
        with self._line_in_use():
            return self.driver.device.settings()

    @property
    def line_counters(self) -> LineCounters | None:
        """The driver's counts of characters, errors and changes of the modem lines; None where it has none."""
        with self._line_in_use():
            return self.driver.device.counters()

    @contextmanager
    def _line_in_use(self) -> Generator[None]:
        """Around what asks or sets the line: an OSError becomes a TransferError; ``io.UnsupportedOperation`` stays."""
        try:
            self._check_open()
            with os_errors():
                yield
        except io.UnsupportedOperation:
            raise
        except OSError as error:
            told = transfer_error(error)
            told.verb = ""  # nothing was to be transferred
            raise told from told.__cause__

    def _check_open(self) -> None:
        if not self.is_open:
            raise StreamClosed(reason=f"{self!r} is closed")
