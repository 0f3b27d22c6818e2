"""The links: socketpairs and ptys, many at once; the writer's ends as its process is to find them."""

import os
import resource
import socket
import tty
from typing import Self


def allow_descriptors(count: int) -> None:
    """Let this process and its children have so many. Where that is not allowed, opening the last of them fails."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < count:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (count, max(count, hard)))
        except (OSError, ValueError):  # only root may raise the hard limit
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Links:
    """``count`` links of one kind.

    Attributes:
        near: descriptors of the writer's ends.
        far: descriptors of the reader's ends.
        paths: of the writer's ends, where they have one.
    """

    def __init__(self, kind: str, count: int) -> None:
        allow_descriptors(2 * count + 100)
        self.near: list[int] = []
        self.far: list[int] = []
        self.paths: list[str] = []
        for _ in range(count):
            if kind == "socketpair":
                near, far = (end.detach() for end in socket.socketpair())
            else:
                far, near = os.openpty()
                tty.setraw(near)
                self.paths.append(os.ttyname(near))
            self.near.append(near)
            self.far.append(far)

    def names(self, *, paths: bool) -> list[str]:
        """The writer's ends, for a process that opens paths, or for one that inherits descriptors."""
        return self.paths if paths and self.paths else list(map(str, self.near))

    def close_near(self) -> None:
        """Let go of the writer's ends of socketpairs: the far end is to see when the writer dies."""
        if not self.paths:
            self._close(self.near)

    def close_far(self) -> None:
        self._close(self.far)

    @staticmethod
    def _close(fds: list[int]) -> None:
        while fds:
            os.close(fds.pop())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close(self.near)
        self._close(self.far)
