"""DescriptorStream: a stream over any file descriptor. No other file writes to, or sends by, a descriptor number."""

from __future__ import annotations

import errno
import os
import select
import socket
import stat
import weakref
from collections.abc import Callable, Sequence
from typing import Any

from ..._buffers import MAX_BUFFER_COUNT
from ..._errors import EndOfFile, StreamClosed
from ..._executors import EventLoopExecutor
from ..._signal_safe import kept
from ._open_file import open_file
from ._standstill import tty_queue
from ._stream import PollableStream

write_bytes = os.write  # of one plain bytes object: ``write_bytes(fd, data) or took_nothing(data)``


def write_descriptor(fd: int, buffers: Sequence[Any]) -> int:
    """One gathered write on a non-blocking descriptor: the bytes that the operating system accepted.

    Raises:
        BlockingIOError: it took nothing.
    """
    if len(buffers) == 1:
        return kept(os.write, fd, buffers[0]) or took_nothing(buffers[0])
    window = buffers[:MAX_BUFFER_COUNT]
    return kept(os.writev, fd, window) or took_nothing(*window)


# A peer that is gone is reported as an error, not a SIGPIPE, and a blocking socket must not block the loop. macOS does
# not have MSG_NOSIGNAL. Python ignores SIGPIPE there, as it does everywhere, unless a program says otherwise.
NO_SIGPIPE: int = getattr(socket, "MSG_NOSIGNAL", 0)
FLAGS: int = NO_SIGPIPE | getattr(socket, "MSG_DONTWAIT", 0)


def send_some(sock: socket.SocketType, buffers: Sequence[Any]) -> int:
    """One gathered send: the bytes that the operating system accepted.

    Raises:
        BlockingIOError: it took nothing.
    """
    if len(buffers) == 1:
        return kept(sock.send, buffers[0], FLAGS)
    return kept(sock.sendmsg, buffers[:MAX_BUFFER_COUNT], (), FLAGS)


def sender(fd: int, owner: object) -> socket.SocketType | None:
    """A function that sends to the socket ``fd``; None if ``fd`` is not a socket.

    write(2) has no flag against a SIGPIPE. The end of a socket object closes its number, which is not its own here.
    So it gets the number only once it is sure to be kept, and detached with ``owner``. What the handler of a signal
    raises in between then closes nothing.
    """
    if not stat.S_ISSOCK(os.fstat(fd).st_mode):
        return None
    made = socket.SocketType.__new__(socket.SocketType)
    weakref.finalize(owner, made.detach)
    made.__init__(socket.AF_UNIX, socket.SOCK_STREAM, 0, fd)  # type: ignore[misc] # no send asks for the family
    if made.gettimeout() is not None:  # of socket.setdefaulttimeout: Python would wait that long before it sends
        made.settimeout(0)
    return made


def took_nothing(*buffers: Any) -> int:
    """0 where there was nothing to take; else the descriptor is full, whatever it said."""
    if any(map(len, buffers)):
        raise BlockingIOError(errno.EAGAIN, "the descriptor took nothing")
    return 0


def read_descriptor(fd: int, buffers: Sequence[Any]) -> int:
    """One scattered read on a non-blocking descriptor: the bytes that were there.

    Raises:
        BlockingIOError: there are none.
        EndOfFile: none will come.
        OSError: as the operating system raised it; EIO for a terminal that was hung up.
    """
    wanted = buffers[:MAX_BUFFER_COUNT]
    n = kept(os.readv, fd, wanted)
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
    n = kept(os.readv, fd, wanted) if events else 0
    if n:
        return n
    if events and not os.isatty(fd):
        raise EndOfFile
    raise BlockingIOError(errno.EAGAIN, "nothing to read")


class DescriptorStream(PollableStream):
    """Writes to a pollable file descriptor.

    Args:
        fd: an open descriptor, or an object with ``fileno()``, which is asked whether it is open. It is made
            non-blocking for all that share the open file. The mode is restored when the last stream of this process on
            that open file is closed or forgotten. :meth:`close` closes it.
        executor: where the operations run; None for the event loop of the first operation.

    The number is checked before each read and write. If it was closed, the operation ends with :class:`StreamClosed`,
    and nothing is written to a file that has the number by then. That costs about 2 µs
    each, which an object with ``fileno()`` spares you: it is asked.

    Raises:
        StreamClosed: ``fd`` is not open.

    Follows Asio's ``posix::stream_descriptor``.
    """

    def __init__(self, fd: Any, executor: EventLoopExecutor | None = None) -> None:
        super().__init__(executor)
        self._file = None if isinstance(fd, int) else fd  # keeps the file open as long as the stream lives
        try:
            self._fd: int = fd if isinstance(fd, int) else fd.fileno()
        except ValueError as error:  # "I/O operation on closed file"
            raise StreamClosed(reason=f"fd: {fd!r} is closed; open it again") from error
        try:
            opened = self._open_file = open_file(self._fd)
        except (OSError, OverflowError) as error:  # or more than a number of a file can be
            raise StreamClosed(reason=f"fd: {self._fd} is not an open file descriptor") from error
        self._number: Callable[[], int] = opened.number if self._file is None else self._asked
        self._sender = sender(self._fd, self)
        self._finalizer = weakref.finalize(self, opened.let_go, closing=False)

    def __repr__(self) -> str:
        return f"<DescriptorStream fd={self._fd}>"

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self._fd

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        fd = self._number()
        return write_descriptor(fd, buffers) if self._sender is None else send_some(self._sender, buffers)

    def _write_one(self, data: bytes, /) -> int:
        fd = self._number()
        return write_bytes(fd, data) or took_nothing(data) if self._sender is None else self._sender.send(data, FLAGS)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        return read_descriptor(self._number(), buffers)

    def _wait_fd(self) -> int:
        return self._number()

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are in the output queue of a tty (TIOCOUTQ); None of a pty, and of all else."""
        return tty_queue(self._fd) if self.is_open else None

    def _unsent(self) -> int | None:
        return None  # the system goes on sending what it has accepted

    def _asked(self) -> int:
        """The number of a file object, which says whether it is open."""
        assert self._file is not None
        try:
            fd: int = self._file.fileno()
        except ValueError:  # "I/O operation on closed file"
            fd = -1
        if fd < 0 or self._closed:
            raise StreamClosed
        return fd

    @property
    def is_open(self) -> bool:
        return self._open_file.is_there() and not self._closed

    def _close(self) -> None:
        fd, self._fd = self._fd, -1
        self._finalizer.detach()
        if not self._open_file.let_go(closing=True):
            return  # closed by another owner: the number, if it is in use, belongs to another file
        if self._file is not None:
            self._file.close()
        else:
            os.close(fd)
