"""Rigs made of sockets: a TCP connection on the loopback interface, and a pair of Unix sockets."""

from __future__ import annotations

import socket
import struct
import time
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from serialwrite.testing.rigs._rig import NO_STALL, NOT_A_TTY, End, Rig, check_end

if TYPE_CHECKING:
    from contextlib import ExitStack

CONNECT_TIMEOUT_S = 10.0  # seconds, for a connection that never leaves this machine


class SocketRig(Rig[socket.socket]):
    """A rig whose ends are two connected, non-blocking sockets; the rig closes them.

    Args:
        send_buffer: the port's SO_SNDBUF in bytes (the kernel doubles it), for a port that fills early;
            None for the system's.
    """

    quirks: frozenset[str] = frozenset({NOT_A_TTY, NO_STALL})

    def __init__(self, send_buffer: int | None = None) -> None:
        super().__init__()
        self._send_buffer = send_buffer

    @abstractmethod
    def _connect(self, resources: ExitStack) -> tuple[socket.socket, socket.socket]:
        """Return the connected pair."""

    def _open(self, resources: ExitStack) -> tuple[socket.socket, socket.socket]:
        port, peer = self._connect(resources)
        for end in (port, peer):
            end.setblocking(False)
        if self._send_buffer is not None:
            port.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer)
        return port, peer

    def open_port(self) -> socket.socket:
        return self.port

    def open_peer(self) -> socket.socket:
        return self.peer

    def _name_of(self, end: socket.socket) -> str:
        return "closed" if end.fileno() < 0 else self._address_of(end)

    def _address_of(self, end: socket.socket) -> str:
        """Where the open ``end`` is to be found."""
        return f"fd={end.fileno()}"

    def hang_up(self, end: End) -> None:
        """Close the opposite socket, with a reset where there is one (TCP: ECONNRESET, then EPIPE)."""
        other = self.peer if check_end(end) == "port" else self.port
        if other.fileno() >= 0:
            other.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            other.close()


class UnixPair(SocketRig):
    """Two connected Unix stream sockets."""

    name = "unix"
    needs: ClassVar[tuple[str, ...]] = ("socket.AF_UNIX",)

    def _connect(self, resources: ExitStack) -> tuple[socket.socket, socket.socket]:
        port, peer = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        resources.callback(port.close)
        resources.callback(peer.close)
        return port, peer


class TcpPair(SocketRig):
    """Two ends of a TCP connection over 127.0.0.1, with Nagle's delay off."""

    name = "tcp"

    def _connect(self, resources: ExitStack) -> tuple[socket.socket, socket.socket]:
        with socket.create_server(("127.0.0.1", 0), backlog=1) as server:
            server.settimeout(CONNECT_TIMEOUT_S)
            port = socket.create_connection(server.getsockname(), CONNECT_TIMEOUT_S)
            resources.callback(port.close)
            peer = _accept_from(server, port.getsockname())
            resources.callback(peer.close)
        for end in (port, peer):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return port, peer

    def _address_of(self, end: socket.socket) -> str:
        host, port = end.getsockname()
        return f"{host}:{port}"


def _accept_from(server: socket.socket, address: object) -> socket.socket:
    """Accept the connection that comes from ``address``; others on this machine may have found the port too."""
    deadline = time.monotonic() + CONNECT_TIMEOUT_S
    while time.monotonic() < deadline:
        connection, source = server.accept()
        if source == address:
            return connection
        connection.close()
    raise TimeoutError(f"no connection from {address} within {CONNECT_TIMEOUT_S} s")
