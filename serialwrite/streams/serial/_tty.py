"""Tty: the ioctls of an open tty. Only this module calls them, so tests can replace it."""

from __future__ import annotations

import array
import errno
import os
import struct
import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager

from ..._posix import fcntl, lacking, termios
from ..fd._standstill import PTY_MAJORS
from ._device import Device, LineCounters, ModemLines
from ._interrupted import ioctl_once
from ._no_line import no_line
from ._settings import Settings, decoded

# <asm-generic/ioctls.h>; Python's termios has only some of them.
TIOCSERGETLSR = 0x5459
TIOCSER_TEMT = 0x01
TIOCGICOUNT = 0x545D
TCGETS2 = 0x802C542A
TIOCGRS485 = 0x542E
TIOCSBRK, TIOCCBRK = 0x5427, 0x5428

# struct serial_struct, <linux/serial.h>: the fields that are used here, and room for the rest.
SERIAL_STRUCT = 128
XMIT_FIFO_SIZE, CLOSING_WAIT = 20, 40  # offsets: an int, an unsigned short

# What a status packet takes over USB, in seconds.
USB_LAG = 0.01

# What a driver that has no such thing answers. Anything else (EIO, ENODEV, EBADF) is news of the port itself.
UNSUPPORTED = frozenset({errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP})

LINUX = sys.platform == "linux"


class Tty(Device):
    """The device as its kernel driver knows it.

    Args:
        fileno: gives the descriptor; raises OSError when the port is closed.
    """

    def __init__(self, fileno: Callable[[], int]) -> None:
        self.fileno = fileno

    # -- what has been accepted, and has not left yet --------------------------------------------------

    def is_pty(self) -> bool:
        """Whether this is a pseudo-terminal, which has no line behind it."""
        return os.major(os.fstat(self.fileno()).st_rdev) in PTY_MAJORS  # not cached: the number may have been reused

    def output_queue(self) -> int | None:
        """Bytes in the driver's output queue (TIOCOUTQ). Some drivers leave their hardware's FIFO out of it."""
        return None if self.is_pty() else self._get_int(termios.TIOCOUTQ)

    def transmitter_empty(self) -> bool | None:
        """Whether FIFO and shift register are empty (TIOCSERGETLSR)."""
        state = self._get_int(TIOCSERGETLSR) if LINUX else None
        return None if state is None else bool(state & TIOCSER_TEMT)

    def status_lag(self) -> float:
        """Seconds by which :meth:`transmitter_empty` may be late.

        ftdi_sio answers from the last status packet, which the chip sends when its latency timer runs out.
        """
        device = os.fstat(self.fileno()).st_rdev
        path = f"/sys/dev/char/{os.major(device)}:{os.minor(device)}/device/latency_timer"
        # Plain open() with bytes: during interpreter shutdown, or after setuid, modules may no longer be importable.
        try:
            with open(path, "rb") as file:  # noqa: PTH123 # pathlib may be gone
                milliseconds = int(file.read())
        except (OSError, ValueError):
            return 0.0
        return 2 * milliseconds / 1000 + USB_LAG

    def fifo_size(self) -> int | None:
        """Bytes that the transmitter may hold beyond the queue, as the driver states it (TIOCGSERIAL)."""
        settings = self._serial_struct()
        return None if settings is None else int(struct.unpack_from("i", settings, XMIT_FIFO_SIZE)[0])

    def hold_output(self) -> None:
        """Send nothing from the queue until :meth:`let_output` (TCOOFF)."""
        with os_errors():
            termios.tcflow(self.fileno(), termios.TCOOFF)

    def let_output(self) -> None:
        """Undo :meth:`hold_output`."""
        with os_errors():
            termios.tcflow(self.fileno(), termios.TCOON)

    def flush_output(self) -> None:
        """Drop the queue (TCOFLUSH). Some drivers do nothing."""
        with os_errors():
            termios.tcflush(self.fileno(), termios.TCOFLUSH)

    # -- the line ---------------------------------------------------------------------------------------

    def modem_lines(self) -> ModemLines | None:
        """The modem lines (TIOCMGET)."""
        bits = self._get_int(termios.TIOCMGET)
        if bits is None:
            return None
        names = (termios.TIOCM_CTS, termios.TIOCM_DSR, termios.TIOCM_CD, termios.TIOCM_RI)
        return ModemLines(*(bool(bits & bit) for bit in (*names, termios.TIOCM_RTS, termios.TIOCM_DTR)))

    def await_line_change(self, lines: Iterable[str]) -> None:
        """Block until one of ``lines`` has changed (TIOCMIWAIT). Only a signal ends it before."""
        if not LINUX:
            super().await_line_change(lines)
        mask = sum(getattr(termios, f"TIOCM_{line.upper()}") for line in lines)
        ioctl_once(self.fileno(), termios.TIOCMIWAIT, mask)

    def counters(self) -> LineCounters | None:
        """The driver's counters (TIOCGICOUNT)."""
        values = array.array("i", bytes(80))
        return LineCounters(*values[:11]) if LINUX and self._ioctl(TIOCGICOUNT, values) else None

    def set_break(self, on: bool) -> None:
        """Hold the line in the break state, or release it. The kernel drains the queue before it sets a break.

        Raises:
            io.UnsupportedOperation: it is a pty, where the kernel says yes and does nothing.
        """
        if self.is_pty():
            raise no_line("a pty", "break")
        if LINUX:
            fcntl.ioctl(self.fileno(), TIOCSBRK if on else TIOCCBRK)
        else:
            fcntl.ioctl(self.fileno(), 0x2000747B if on else 0x2000747A)  # the BSDs, macOS

    def settings(self) -> Settings | None:
        """What the driver has set (tcgetattr, TCGETS2), which may not be what was asked for."""
        try:
            with os_errors():
                attributes = termios.tcgetattr(self.fileno())
        except OSError as error:
            if error.errno in UNSUPPORTED:
                return None
            raise
        return decoded(attributes, self.output_speed())

    def rs485_flags(self) -> int | None:
        """The flags of the driver's RS-485 mode (TIOCGRS485, struct serial_rs485)."""
        values = array.array("I", bytes(32))
        return values[0] if LINUX and self._ioctl(TIOCGRS485, values) else None

    def output_speed(self) -> int | None:
        """Bits per second as the driver has set them, which may not be what was asked for."""
        settings = bytearray(64)
        if not LINUX or not self._ioctl(TCGETS2, settings):
            return None
        return int(struct.unpack_from("I", settings, 40)[0])  # struct termios2: c_ospeed

    # -- who may open it, and how it closes ---------------------------------------------------------------

    def set_exclusive(self, on: bool) -> None:
        """Refuse every further open by processes without CAP_SYS_ADMIN (TIOCEXCL); nothing on a pty, which keeps it."""
        if self.is_pty():
            return
        fcntl.ioctl(self.fileno(), termios.TIOCEXCL if on else termios.TIOCNXCL)

    def closing_wait(self) -> int | None:
        """Hundredths of a second that the kernel's close may wait for the queue; 0: for ever, 65535: not at all."""
        settings = self._serial_struct()
        return None if settings is None else int(struct.unpack_from("H", settings, CLOSING_WAIT)[0])

    def set_closing_wait(self, value: int) -> None:
        """Set what :meth:`closing_wait` returns. It outlives the descriptor. Needs CAP_SYS_ADMIN on most drivers."""
        settings = self._serial_struct()
        if settings is None:
            raise OSError(errno.ENOTTY, os.strerror(errno.ENOTTY))
        struct.pack_into("H", settings, CLOSING_WAIT, value)
        fcntl.ioctl(self.fileno(), termios.TIOCSSERIAL, settings)

    def hang_up_on_close(self, on: bool) -> bool:
        """Whether the last close drops DTR (HUPCL) from now on; returns whether it did so before."""
        with os_errors():
            settings = termios.tcgetattr(self.fileno())
            before = bool(settings[2] & termios.HUPCL)
            settings[2] = settings[2] | termios.HUPCL if on else settings[2] & ~termios.HUPCL
            termios.tcsetattr(self.fileno(), termios.TCSANOW, settings)
        return before

    @contextmanager
    def opened_anew(self, path: str) -> Generator[Tty]:
        """The tty at ``path``, opened for as long as the block lasts, once this one has been closed."""
        fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            yield Tty(lambda: fd)
        finally:
            os.close(fd)

    # -- ioctls -------------------------------------------------------------------------------------------

    def _get_int(self, request: int) -> int | None:
        value = array.array("i", [0])
        return value[0] if self._ioctl(request, value) else None

    def _serial_struct(self) -> bytearray | None:
        settings = bytearray(SERIAL_STRUCT)
        return settings if LINUX and self._ioctl(termios.TIOCGSERIAL, settings) else None

    def _ioctl(self, request: int, buffer: array.array[int] | bytearray) -> bool:
        """Fill ``buffer``; False where the driver has no such thing."""
        try:
            fcntl.ioctl(self.fileno(), request, buffer)
        except OSError as error:
            if error.errno in UNSUPPORTED:
                return False
            raise
        return True


@contextmanager
def os_errors() -> Generator[None]:
    """Convert termios.error, which is not an OSError, and what pyserial makes of one."""
    kinds: tuple[type[Exception], ...] = () if lacking("termios.error") else (termios.error,)
    try:
        yield
    except kinds as error:
        raise OSError(*error.args) from error
    except OSError as error:
        if error.errno is None and isinstance(error.__context__, kinds):
            raise OSError(*error.__context__.args) from error
        raise
