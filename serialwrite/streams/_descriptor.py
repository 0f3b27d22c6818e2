"""DescriptorStream: a pty, FIFO, pipe or tty, by its file descriptor. The only file that calls os.writev."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Sequence
from typing import Any

from .._buffers import MAX_BUFFERS
from .._errors import EndOfFile, StreamClosed
from .._executors import EventLoopExecutor
from ._pollable import PollableStream

write_bytes = os.write  # of one plain bytes object; why nothing was taken of it is for write_descriptor to tell


def write_descriptor(fd: int, buffers: Sequence[Any]) -> int:
    """One gathered write on a non-blocking descriptor: the bytes that the operating system accepted.

    Raises:
        BlockingIOError: it took nothing.
    """
    if len(buffers) == 1:
        data = buffers[0]
        n = os.write(fd, data)
        if n == 0 and len(data):
            raise BlockingIOError(errno.EAGAIN, "the descriptor took nothing")
        return n
    window = buffers[:MAX_BUFFERS]
    n = os.writev(fd, window)
    if n == 0 and any(map(len, window)):
        raise BlockingIOError(errno.EAGAIN, "the descriptor took nothing")
    return n


def read_descriptor(fd: int, buffers: Sequence[Any]) -> int:
    """One scattered read on a non-blocking descriptor: the bytes that were there.

    Raises:
        BlockingIOError: there are none.
        EndOfFile: none will come.
        OSError: as the operating system raised it; EIO for a terminal that was hung up.
    """
    wanted = buffers[:MAX_BUFFERS]
    n = os.readv(fd, wanted)
    if n or not any(map(len, wanted)):
        return n
    if not stat.S_ISCHR(os.fstat(fd).st_mode):  # not isatty(): a terminal that was hung up is none any more
        raise EndOfFile
    # With VMIN 0, as pyserial sets it, a terminal answers 0 for "nothing yet" and for "hung up" alike: ask poll.
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    events = poller.poll(0)
    if events and events[0][1] & (select.POLLHUP | select.POLLERR):
        raise OSError(errno.EIO, "hung up")
    n = os.readv(fd, wanted) if events else 0
    if n:
        return n
    if events and not os.isatty(fd):
        raise EndOfFile
    raise BlockingIOError(errno.EAGAIN, "nothing to read")


def _identity(fd: int) -> tuple[int, int] | None:
    """Which file ``fd`` stands for; None where it stands for none."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino


class DescriptorStream(PollableStream):
    """Writes to a pollable file descriptor.

    Args:
        fd: an open descriptor, or an object with ``fileno()``. It is made non-blocking, for everybody who shares it.
            :meth:`close` closes it.
        executor: where the operations run; None for the event loop of the first operation.

    Raises:
        StreamClosed: ``fd`` is not open.

    Follows Asio's ``posix::stream_descriptor``.
    """

    def __init__(self, fd: Any, executor: EventLoopExecutor | None = None) -> None:
        super().__init__(executor)
        self._file = None if isinstance(fd, int) else fd  # keeps the file open as long as the stream lives
        self._fd: int = fd if isinstance(fd, int) else fd.fileno()
        self._identity = _identity(self._fd)
        if not self.is_open():
            raise StreamClosed(reason=f"fd: {self._fd} is not an open file descriptor")
        os.set_blocking(self._fd, False)

    def __repr__(self) -> str:
        return f"<DescriptorStream fd={self._fd}>"

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self._fd

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return write_descriptor(self._fd, buffers)

    def write_one(self, data: bytes, /) -> int:
        return write_bytes(self._fd, data)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return read_descriptor(self._fd, buffers)

    def wait_fd(self) -> int:
        if self._fd < 0:
            raise StreamClosed
        return self._fd

    def is_open(self) -> bool:
        # Whoever closes a number gives it to whatever is opened next: that is not ours to write to.
        return _identity(self._fd) == self._identity is not None

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        if self._file is not None:
            self._file.close()
        else:
            os.close(fd)
