"""Streams that take nothing: what a write meets when its peer does not read."""

import socket
from typing import Self


class FullPair:
    """A full socketpair in this process; :meth:`take` reads it empty, and one write of ``data`` fills it again."""

    def __init__(self) -> None:
        self.near, self.far = socket.socketpair()
        self.near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)  # the least there is: copying is not the point
        for sock in (self.near, self.far):
            sock.setblocking(False)
        self.data = bytes(self.near.send(bytes(1 << 20)))
        self._read = bytearray(2 * len(self.data))

    def take(self) -> None:
        n = self.far.recv_into(self._read)
        assert n == len(self.data), f"{n} bytes came, of {len(self.data)}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.near.close()
        self.far.close()
