"""OpenFile: identifies the open file behind a descriptor number, and keeps the blocking mode that it had."""

from __future__ import annotations

import os
import select
import signal
from typing import Any

from ..._errors import StreamClosed
from ..._posix import fcntl, lacking

MARKS = not lacking("fcntl.F_GETSIG", "fcntl.F_SETSIG")

_by_number: dict[int, OpenFile] = {}  # those that streams of this process use


class OpenFile:
    """The open file behind ``fd`` now. It is made non-blocking, for everybody who shares it.

    The number may be closed by other code and reused for another file. If that is the same device opened again, device
    and inode are equal. So on Linux the open file itself is marked, with the number of the signal that it would send if
    it were asked to (F_SETSIG). That is 0 on a file that was just opened. The mark stays, for all who share the file.
    """

    def __init__(self, fd: int) -> None:
        self._fd = fd
        status = os.fstat(fd)
        self._device, self._inode = status.st_dev, status.st_ino
        self._made_by = os.getpid()
        self._mark = _mark(fd)
        self._was_blocking = os.get_blocking(fd)
        self._streams = 0
        os.set_blocking(fd, False)

    def is_there(self) -> bool:
        """Whether the number is still this file's."""
        fd = self._fd
        if _by_number.get(fd) is not self:
            return False
        try:
            status = os.fstat(fd)
            return (
                status.st_ino == self._inode
                and status.st_dev == self._device
                and (self._mark is None or fcntl.fcntl(fd, fcntl.F_GETSIG) == self._mark)
            )
        except OSError as error:
            if error.errno is None:
                raise  # not the system's: what the handler of a signal raised
            return False

    def number(self) -> int:
        """The number, after a check that it is still this file's and that the file does not block.

        Raises:
            StreamClosed: it does not.
        """
        fd = self._fd
        if not self.is_there():
            raise StreamClosed(
                reason=f"file descriptor {fd} was closed, and may stand for another file by now; "
                "open the file again, and make a new stream of it"
            )
        if os.get_blocking(fd):  # who shares the file has put it back
            self._was_blocking = True
            os.set_blocking(fd, False)
        return fd

    def let_go(self, *, closing: bool) -> bool:
        """A stream needs the file no more: put blocking mode back, if no other stream of this process uses it.

        Args:
            closing: the number is closed next, whatever other streams have it.

        Returns:
            Whether the number is still this file's. Else there is nothing to put back, and nothing to close.
        """
        there = self.is_there()
        self._streams = 0 if closing else self._streams - 1
        if there and self._streams <= 0:
            del _by_number[self._fd]  # before the mode is read: see below
            if self._was_blocking and self._made_by == os.getpid():
                self._put_back()
        return there

    def _put_back(self) -> None:
        for other in tuple(_by_number.values()):
            if other._made_by == self._made_by and other._shares(self):
                other._was_blocking = True
                if other in _by_number.values():  # else another thread let go of it meanwhile, and may not have seen it
                    return
        os.set_blocking(self._fd, True)

    def _shares(self, other: OpenFile) -> bool:
        alike = (self._device, self._inode, self._mark) == (other._device, other._inode, other._mark)
        return alike and self.is_there() and _one_file(self._fd, other._fd)


def open_file(fd: int) -> OpenFile:
    """The open file behind ``fd``, for one more stream.

    Raises:
        OSError: ``fd`` is not open.
    """
    known = _by_number.get(fd)
    if known is None or not known.is_there():
        known = OpenFile(fd)
        _by_number[fd] = known
    known._streams += 1
    return known


def _mark(fd: int) -> int | None:
    """Mark the open file; None on systems without marks."""
    if not MARKS:
        return None
    try:
        found: int = fcntl.fcntl(fd, fcntl.F_GETSIG)
        if found:  # set by another stream, or by a program that uses the signal: it marks the file as well
            return found
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGIO)  # the meaning of 0
    except OSError:
        return None
    return int(signal.SIGIO)


def _one_file(first: int, second: int) -> bool:
    """Whether two numbers of the same device and inode share one open file, which has one blocking mode.

    epoll knows an open file and the number that it was registered by (epoll(7)).
    """
    epoll: Any = getattr(select, "epoll", None)
    if epoll is None:
        return True
    number = os.dup(first)
    try:
        with epoll() as watch:
            watch.register(number, 0)
            os.dup2(second, number, inheritable=False)
            watch.modify(number, 0)
    except OSError:  # another file; or one on a disk, which never blocks
        return False
    finally:
        os.close(number)
    return True
