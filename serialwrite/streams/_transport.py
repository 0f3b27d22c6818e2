"""TransportStream: beside a live asyncio or pyserial-asyncio transport, whose reader keeps working."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from .._executors import EventLoopExecutor
from .._posix import lacking
from ._descriptor import write_descriptor
from ._pollable import POLLING, PollableStream


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

    def __repr__(self) -> str:
        return f"<TransportStream {self.transport!r}>"

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        transport = self.transport
        if self._closed or transport.is_closing():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        if transport.get_write_buffer_size():
            raise BlockingIOError(errno.EAGAIN, "the transport still holds what was written before")
        return write_descriptor(self._fileno(), buffers)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        raise TypeError("what this transport receives goes to its own protocol: read from its StreamReader")

    def _fileno(self) -> int:
        fd = self._descriptor()
        if fd is None or fd < 0:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return fd

    def wait_fd(self) -> int:
        if self.transport.is_closing():
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return self._fileno()

    def is_open(self) -> bool:
        return not self.transport.is_closing()

    def _close(self) -> None:
        """The transport is its owner's."""


def has_descriptor(transport: Any) -> bool:
    """Whether ``transport`` has a descriptor of its own that bytes may be written to, with no TLS before it."""
    if lacking(*POLLING) or transport.get_extra_info("ssl_object") is not None:
        return False
    return any(transport.get_extra_info(name) is not None for name in ("serial", "socket", "pipe"))


def _fileno_of(transport: asyncio.WriteTransport) -> Callable[[], int | None]:
    if not has_descriptor(transport):
        raise TypeError(f"transport: {transport!r} has no descriptor to write to; use as_stream() for it")
    port = transport.get_extra_info("serial")
    if port is not None:
        if not hasattr(port, "fd"):
            raise TypeError(f"transport: its serial port {port!r} has no file descriptor")
        return lambda: port.fd
    file = transport.get_extra_info("socket") or transport.get_extra_info("pipe")
    if getattr(file, "type", socket.SOCK_STREAM) != socket.SOCK_STREAM:
        raise TypeError("transport: a datagram transport is no stream")
    return file.fileno  # type: ignore[no-any-return] # a socket's or a pipe's
