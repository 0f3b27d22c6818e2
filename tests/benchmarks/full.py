"""Streams that take nothing: what a write meets when its peer does not read."""

import os
import resource
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
        self._more: list[int] = []

    def take(self) -> None:
        n = self.far.recv_into(self._read)
        assert n == len(self.data), f"{n} bytes came, of {len(self.data)}"

    def descriptors(self, count: int) -> list[int]:
        """As many descriptors of it, each of which can be waited for on its own."""
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        for _ in range(count):
            self._more.append(os.dup(self.near.fileno()))
        return self._more

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.near.close()
        self.far.close()
        for fd in self._more:
            os.close(fd)
