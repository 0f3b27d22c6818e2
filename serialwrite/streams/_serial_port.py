"""SerialPort: a serial port, opened here or a ``serial.Serial`` that is open already."""

from __future__ import annotations

import array
import errno
import fcntl
import os
import termios
from collections.abc import Sequence
from typing import Any

import serial

from .._errors import StreamClosed
from .._executors import EventLoopExecutor
from ._descriptor import read_descriptor, write_descriptor
from ._pollable import PollableStream

# Major numbers of Unix98 pty slaves (Documentation/admin-guide/devices.txt): their TIOCOUTQ is always 0.
_PTY_MAJORS = range(136, 144)


class SerialPort(PollableStream):
    """A serial port.

    Args:
        port: a device path, a pyserial URL, or an open ``serial.Serial``.
        baudrate: bits per second; any other setting of pyserial's by its own name (``bytesize``, ``parity``,
            ``stopbits``, ``rtscts``, ``xonxoff``, ...). Not with an open ``serial.Serial``, which has its settings.
        executor: where the operations run; None for the event loop of the first operation.

    A port that is opened here is locked against a second open (``exclusive=False`` turns that off).
    Writing goes to the port's descriptor, never through ``Serial.write``, which spins on a full port.

    Raises:
        serial.SerialException: the port does not exist, is in use, or may not be opened; the message says which.
        ValueError: a setting that the port can't have, or an open ``serial.Serial`` together with settings.

    Follows Asio's ``basic_serial_port``.
    """

    def __init__(
        self,
        port: str | os.PathLike[str] | serial.SerialBase,
        baudrate: int | None = None,
        *,
        executor: EventLoopExecutor | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(executor)
        if isinstance(port, (str, os.PathLike)):
            settings.setdefault("exclusive", True)
            self.serial: Any = _opened(os.fspath(port), 9600 if baudrate is None else baudrate, settings)
        else:
            if baudrate is not None or settings:
                given = ", ".join(["baudrate"] * (baudrate is not None) + list(settings))
                raise ValueError(f"{given}: set on the open serial.Serial itself, which has its settings already")
            self.serial = port
        if not hasattr(self.serial, "fd"):
            raise TypeError(f"port: {type(self.serial).__name__} has no file descriptor to write to")
        self.wait_fd()

    def __repr__(self) -> str:
        return f"<SerialPort {self.serial.port!r} at {self.serial.baudrate}>"

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are still in the driver's output queue (TIOCOUTQ); None where the driver can't tell."""
        try:
            fd = self.wait_fd()
            if os.major(os.fstat(fd).st_rdev) in _PTY_MAJORS:
                return None
            count = array.array("i", [0])
            fcntl.ioctl(fd, termios.TIOCOUTQ, count)
        except OSError:
            return None
        return count[0]

    def held_by(self) -> str | None:
        """What holds a port that takes nothing: ``"CTS low"`` or ``"peer not reading"``."""
        try:
            if self.serial.rtscts and not self.serial.cts:
                return "CTS low"
        except (OSError, termios.error):  # no modem lines, or no port any more
            pass
        return "peer not reading"

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return write_descriptor(self.serial.fd or self.wait_fd(), buffers)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return read_descriptor(self.wait_fd(), buffers)

    def wait_fd(self) -> int:
        fd: int | None = self.serial.fd
        if fd is None:
            raise StreamClosed(reason=f"port {self.serial.port} is closed; open() it first")
        return fd

    def is_open(self) -> bool:
        return bool(self.serial.is_open)

    def _close(self) -> None:
        self.serial.close()


def _opened(port: str, baudrate: int, settings: dict[str, Any]) -> Any:
    try:
        return serial.serial_for_url(port, baudrate=baudrate, **settings)
    except serial.SerialException as error:
        raise serial.SerialException(error.errno, _advice(port, error)) from error


def _advice(port: str, error: serial.SerialException) -> str:
    if error.errno == errno.ENOENT:
        return f"port {port!r} does not exist; list the ports with: python -m serial.tools.list_ports"
    if error.errno in {errno.EACCES, errno.EPERM}:
        return f"port {port!r} may not be opened by this user; on most systems: add the user to its group (dialout)"
    if error.errno in {errno.EBUSY, errno.EAGAIN} or "exclusively lock" in str(error):
        return f"port {port!r} is in use by another program, or open here already; close it there first"
    return f"port {port!r} can't be opened: {error}"
