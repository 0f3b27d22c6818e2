"""Standstill: whether a full stream has stalled, by its queue and by the count of its write."""

from __future__ import annotations

import array
import stat
import sys
import time
from contextlib import suppress
from os import fstat, major

from ..._posix import fcntl, termios

NOT_READING = "peer not reading"
# Major numbers of Unix98 pty slaves (Documentation/admin-guide/devices.txt): their TIOCOUTQ is always 0.
PTY_MAJORS = range(136, 144)


class Standstill:
    """Remembers since when nothing has moved.

    A look costs a system call or two, so looks are few. A write with a limit looks when it has to wait, shortly before
    that limit, and when it ends. A user who asks for ``stall`` looks, too.

    No poll is asked: a pty that is not read says that it has room, and takes nothing.
    """

    def __init__(self) -> None:
        self._queue: int | None = None
        self._accepted: int | None = None
        self._since = time.monotonic()

    def see(self, queue: int | None, accepted: int | None) -> float:
        """Take note of how far things are: what differs from the last time has moved.

        Args:
            queue: bytes queued between the write and its peer; None where that is unknown.
            accepted: bytes of the write under way that were accepted. A queue may be full, drain, and be full
                again between two looks. None before the first write.

        Returns:
            The seconds since the look that first saw things as they are now.
        """
        now = time.monotonic()
        if queue != self._queue or (accepted is not None and self._accepted != accepted):
            self._since = now
        self._queue, self._accepted = queue, accepted
        return now - self._since


def unread(fd: int) -> int | None:
    """How much of what was written to ``fd`` is still queued, in units of the system's own; None where that is unknown.

    Always 0 on a pty. A Unix socket counts memory, which is more than the bytes.
    """
    if sys.platform != "linux":
        return None
    count = array.array("i", [0])
    try:
        fcntl.ioctl(fd, termios.TIOCOUTQ, count)  # SIOCOUTQ, of a socket, is the same number
    except OSError:
        with suppress(OSError):  # a pipe has the other one alone
            fcntl.ioctl(fd, termios.FIONREAD, count)
            return count[0]
        return None
    return count[0]


def tty_queue(fd: int) -> int | None:
    """Bytes in the output queue of the tty ``fd``; None for a pty, for any other file, and once closed."""
    try:
        status = fstat(fd)
    except OSError:
        return None
    has_line = stat.S_ISCHR(status.st_mode) and major(status.st_rdev) not in PTY_MAJORS
    return unread(fd) if has_line else None
