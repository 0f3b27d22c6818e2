"""SocketStream: a connected TCP or Unix stream socket."""

from __future__ import annotations

import array
import errno
import os
import socket
import sys
from collections.abc import Sequence
from typing import Any

from ..._buffers import MAX_BUFFER_COUNT
from ..._build import write_directly
from ..._errors import EndOfFile, StreamClosed
from ..._executors import EventLoopExecutor
from ..._posix import fcntl
from ..._signal_safe import kept, ledger
from .._proof import UNKNOWN, ProofLevel, ProofLevels
from ._descriptor import FLAGS, read_descriptor, send_some, sender
from ._stream import PollableStream

SIOCOUTQ = 0x5411  # <linux/sockios.h>


class SocketStream(PollableStream):
    """Writes to a connected stream socket.

    Args:
        sock: a connected ``socket.socket`` of type SOCK_STREAM, blocking or not; its mode is left as it is.
            :meth:`close` closes it.
        executor: where the operations run; None for the event loop of the first operation.

    Raises:
        TypeError: ``sock`` is not a stream socket, or is wrapped in TLS (adapt its asyncio transport instead).

    Follows Asio's ``basic_stream_socket``.
    """

    def __init__(self, sock: socket.socket, executor: EventLoopExecutor | None = None) -> None:
        super().__init__(executor)
        if sock.type != socket.SOCK_STREAM:
            raise TypeError(f"sock: {sock.type.name} keeps message boundaries; a stream socket (SOCK_STREAM) is needed")
        if hasattr(sock, "context"):
            raise TypeError(
                "sock: TLS can't be written past; pass the StreamWriter of asyncio.open_connection(ssl=...)"
            )
        self.socket = sock
        self._tcp = sock.family in {socket.AF_INET, socket.AF_INET6}
        self._sender: socket.SocketType | None = None  # once one is needed
        self._wait_fd()
        if type(sock) is socket.socket and type(self)._write_one is SocketStream._write_one:
            write_directly(self._write_direction, sock.fileno, FLAGS, ledger)

    def __repr__(self) -> str:
        return f"<SocketStream {self.socket!r}>"

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        sock = self.socket
        return self._send_at_once(buffers) if sock.gettimeout() else send_some(sock, buffers)

    def _write_one(self, data: bytes, /) -> int:
        sock = self.socket
        return self._send_at_once((data,)) if sock.gettimeout() else sock.send(data, FLAGS)

    def _send_at_once(self, buffers: Sequence[Any]) -> int:
        """Python would wait for the socket's timeout before it sends; the descriptor itself is non-blocking."""
        fd = self._wait_fd()
        if self._sender is None:
            self._sender = sender(fd, self)
            assert self._sender is not None
        return send_some(self._sender, buffers)

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        sock = self.socket
        if sock.gettimeout():
            return read_descriptor(self._wait_fd(), buffers)
        if not any(map(len, buffers)):
            self._wait_fd()
            return 0  # the kernel would say EAGAIN while nothing is there
        n, _, _, _ = kept(sock.recvmsg_into, buffers[:MAX_BUFFER_COUNT], 0, FLAGS)
        if n == 0:
            raise EndOfFile
        return n

    @property
    def queued(self) -> int | None:
        """Bytes accepted that the peer's TCP has not acknowledged (SIOCOUTQ); None where that is unknown."""
        try:
            return unacknowledged(self.socket) if self._tcp else None
        except OSError:
            return None

    @property
    def proof_levels(self) -> ProofLevels:
        """What proves each level that a byte can reach on this socket; see :class:`ProofLevel`."""
        acknowledged = UNKNOWN if self.queued is None else "SIOCOUTQ"
        return {
            ProofLevel.ACCEPTED: "send(2)",
            ProofLevel.ACKNOWLEDGED: acknowledged,
            ProofLevel.CONFIRMED: UNKNOWN,
        }

    def _wait_fd(self) -> int:
        fd = self.socket.fileno()
        if fd < 0:
            raise StreamClosed(reason="this socket is closed; connect a new one")
        return fd

    @property
    def is_open(self) -> bool:
        return self.socket.fileno() >= 0

    def close(self) -> None:
        """Close at once. Operations that wait end with :class:`StreamClosed`, each with its count.

        The system goes on sending what it has accepted: what becomes of that is not known here.
        """
        super().close()

    def _close(self) -> None:
        self.socket.close()


def unacknowledged(connection: socket.socket) -> int | None:
    """Bytes sent on a TCP ``connection`` that its peer has not acknowledged; None where that is unknown."""
    if sys.platform != "linux" or connection.fileno() < 0 or connection.family not in {socket.AF_INET, socket.AF_INET6}:
        return None
    count = array.array("i", [0])
    fcntl.ioctl(connection.fileno(), SIOCOUTQ, count)
    return count[0]


def check_connected(connection: socket.socket) -> None:
    """ConnectionResetError if ``connection`` is over: what is not acknowledged then never will be."""
    try:
        connection.getpeername()
    except OSError as error:
        raise ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET)) from error
