"""TransportStream: beside a live asyncio or pyserial-asyncio transport, whose reader keeps working."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from ..._executors import EventLoopExecutor
from ..._posix import lacking
from ..serial._open import own_write_of
from ._descriptor import send_some, sender, write_descriptor
from ._standstill import tty_queue
from ._stream import POLLING, PollableStream


class TransportStream(PollableStream):
    """Writes to the descriptor of a transport, once the transport has written what it was given before.

    Args:
        transport: a pyserial-asyncio transport, an asyncio or uvloop socket or pipe transport, or a StreamWriter.
            It stays its owner's: it goes on reading, and :meth:`close` leaves it open.
        executor: where the operations run; None for the event loop of the first operation.

    Raises:
        TypeError: the transport has no descriptor of its own that could be written to.
    """

    def __init__(self, transport: Any, executor: EventLoopExecutor | None = None) -> None:
        super().__init__(executor)
        self.transport: asyncio.WriteTransport = getattr(transport, "transport", transport)
        self._descriptor = _fileno_of(self.transport)
        fd = self._descriptor()
        self._sender = None if fd is None or fd < 0 else sender(fd, self)

    def __repr__(self) -> str:
        return f"<TransportStream {self.transport!r}>"

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        transport = self.transport
        if self._closed or transport.is_closing():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if transport.get_write_buffer_size():
            raise BlockingIOError(errno.EAGAIN, "the transport still holds what was written before")
        fd = self._fileno()
        return write_descriptor(fd, buffers) if self._sender is None else send_some(self._sender, buffers)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        raise TypeError("what this transport receives goes to its own protocol: read from its StreamReader")

    def _fileno(self) -> int:
        fd = self._descriptor()
        if fd is None or fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return fd

    def _wait_fd(self) -> int:
        if self.transport.is_closing():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._fileno()

    @property
    def is_open(self) -> bool:
        return not self.transport.is_closing()

    def _unread(self, fd: int) -> int | None:
        return (super()._unread(fd) or 0) + self.transport.get_write_buffer_size()

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are in the output queue of a tty (TIOCOUTQ); None of a pty, and of all else."""
        try:
            return tty_queue(self._fileno())
        except OSError:
            return None

    def _unsent(self) -> int | None:
        return None  # the system goes on sending what it has accepted

    def _close(self) -> None:
        """The transport is its owner's."""


def has_descriptor(transport: Any) -> bool:
    """Whether ``transport`` has a descriptor of its own that bytes may be written to, with nothing before it.

    TLS is before it, and so is a serial port whose own ``write`` does more than write.
    """
    if lacking(*POLLING) or transport.get_extra_info("ssl_object") is not None:
        return False
    port = transport.get_extra_info("serial")
    if own_write_of(port) is not None:
        return False
    return _file_of(transport) is not None or (port is not None and _number_of(port) is not None)


def _file_of(transport: Any) -> Any:
    return transport.get_extra_info("socket") or transport.get_extra_info("pipe")


def _fileno_of(transport: asyncio.WriteTransport) -> Callable[[], int | None]:
    if not has_descriptor(transport):
        raise TypeError(f"transport: {transport!r} has no descriptor to write to; use as_stream() for it")
    file = _file_of(
        transport
    )  # first: pyserial-asyncio-fast gives its socket:// transports a port that was never opened
    if file is None:
        port = transport.get_extra_info("serial")
        return lambda: _number_of(port)
    if getattr(file, "type", socket.SOCK_STREAM) != socket.SOCK_STREAM:
        raise TypeError("transport: a datagram transport is not a stream")
    return file.fileno  # type: ignore[no-any-return] # a socket's or a pipe's


def _number_of(port: Any) -> int | None:
    """The descriptor of one of pyserial's ports, a socket's for ``socket://``; None where it has none, or is closed."""
    try:
        fd: int = port.fileno()
    except (OSError, AttributeError):  # what pyserial raises: "not open", "unsupported", "None has no fileno"
        return None
    return fd
