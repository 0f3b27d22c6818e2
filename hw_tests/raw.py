"""A serial port by os, fcntl and termios alone: what the quirk tests prove their claims with, no serialwrite, no pyserial."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
import select
import struct
import termios
from collections.abc import Generator

# Linux: asm-generic/ioctls.h, linux/serial.h, linux/tty_flags.h
TIOCGSERIAL, TIOCSSERIAL = 0x541E, 0x541F
TIOCGRS485, TIOCSRS485 = 0x542E, 0x542F
TIOCSERGETLSR, TIOCSER_TEMT = 0x5459, 1
CLOSING_WAIT = 40  # offset of an unsigned short in struct serial_struct
CLOSING_WAIT_NONE = 65535
CC_RAW = [b"\0"] * 32
CC_RAW[termios.VMIN] = b"\1"
CC_RAW[termios.VSTART], CC_RAW[termios.VSTOP] = b"\x11", b"\x13"


def open_port(path: str, baudrate: int = 115200, *, rtscts: bool = False, xonxoff: bool = False) -> int:
    """Open raw, non-blocking, 8N1. The caller closes it."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        set_up(fd, baudrate, rtscts=rtscts, xonxoff=xonxoff)
    except BaseException:
        os.close(fd)  # an fd left open would give the device another name after its next replug
        raise
    return fd


def set_up(fd: int, baudrate: int = 115200, *, rtscts: bool = False, xonxoff: bool = False) -> None:
    """Put an open port into raw mode, 8N1."""
    speed = getattr(termios, f"B{baudrate}")
    control = termios.CS8 | termios.CREAD | termios.CLOCAL | (termios.CRTSCTS if rtscts else 0)
    input_flags = termios.IXON if xonxoff else 0
    termios.tcsetattr(fd, termios.TCSANOW, [input_flags, 0, control, 0, speed, speed, list(CC_RAW)])


@contextlib.contextmanager
def opened(path: str, baudrate: int = 115200, *, rtscts: bool = False, xonxoff: bool = False) -> Generator[int]:
    """A port whose close() doesn't wait for what is queued. The kernel keeps that setting: Device.reset() undoes it."""
    fd = open_port(path, baudrate, rtscts=rtscts, xonxoff=xonxoff)
    try:
        with contextlib.suppress(PermissionError):  # root's privilege; without it a stuck port takes 30 s to close
            set_closing_wait(fd, CLOSING_WAIT_NONE)
        yield fd
    finally:
        os.close(fd)


def int_ioctl(fd: int, request: int) -> int | None:
    """The int that an ioctl gives; None where the driver doesn't have it."""
    answer = array.array("i", [0])
    try:
        fcntl.ioctl(fd, request, answer, True)
    except OSError as error:
        if error.errno in (errno.ENOTTY, errno.EINVAL, errno.EOPNOTSUPP):
            return None
        raise
    return answer[0]


def queued(fd: int) -> int:
    """TIOCOUTQ: bytes that the driver says are still in its queue."""
    return int_ioctl(fd, termios.TIOCOUTQ) or 0


def shift_register_empty(fd: int) -> bool | None:
    """TIOCSERGETLSR: whether the last bit has left; None where the driver can't tell."""
    lsr = int_ioctl(fd, TIOCSERGETLSR)
    return None if lsr is None else bool(lsr & TIOCSER_TEMT)


def modem_line(fd: int, line: int) -> bool | None:
    """The state of ``termios.TIOCM_…``; None where the driver has no modem lines."""
    lines = int_ioctl(fd, termios.TIOCMGET)
    return None if lines is None else bool(lines & line)


def set_modem_line(fd: int, line: int, high: bool) -> None:
    """Raise or drop an output line."""
    fcntl.ioctl(fd, termios.TIOCMBIS if high else termios.TIOCMBIC, struct.pack("i", line))


def get_closing_wait(fd: int) -> int:
    """How long close() waits for queued bytes, in 1/100 s; 65535: not at all; 0: for ever."""
    (hundredths,) = struct.unpack_from("H", _serial_struct(fd), CLOSING_WAIT)
    return int(hundredths)


def set_closing_wait(fd: int, hundredths: int) -> None:
    """Set what get_closing_wait() gives. The kernel keeps it with the port, beyond close()."""
    settings = _serial_struct(fd)
    struct.pack_into("H", settings, CLOSING_WAIT, hundredths)
    fcntl.ioctl(fd, TIOCSSERIAL, settings)


def _serial_struct(fd: int) -> bytearray:
    settings = bytearray(128)
    fcntl.ioctl(fd, TIOCGSERIAL, settings, True)
    return settings


def baudrate(fd: int) -> int:
    """The speed that the driver says it has set, as its B-constant's name."""
    speed: int = termios.tcgetattr(fd)[5]
    return next(
        (
            int(name[1:])
            for name in dir(termios)
            if name[:1] == "B" and name[1:].isdigit() and getattr(termios, name) == speed
        ),
        0,
    )


def fill(fd: int, chunk: bytes, limit: int = 1 << 20) -> int:
    """Write until the port takes no more; the bytes it took."""
    taken = quiet = 0
    # Several short waits, not a long one: on a busy host a long one can be over before the guest has run at all.
    while quiet < 8:
        try:
            taken += os.write(fd, chunk)
            quiet = 0
        except BlockingIOError:
            quiet += not select.select([], [fd], [], 0.025)[1]
        if taken > limit:
            raise AssertionError(f"the port took {taken} bytes: it isn't stalled")
    return taken
