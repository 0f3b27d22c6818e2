"""LoopWatch: waits for a descriptor with the event loop's own watcher, where the system has no epoll."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable


class LoopWatch:
    """See :class:`Watch`. It keeps a duplicate of the descriptor open from the first arm to the disarm.

    The duplicate is watched, not the descriptor itself, for three reasons. Both asyncio and uvloop refuse the number
    that a transport uses. A second watcher on a number silently replaces the first. And when a watched number is
    closed, uvloop aborts the process.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, writing: bool) -> None:
        self._loop = loop
        self._add, self._remove = (
            (loop.add_writer, loop.remove_writer) if writing else (loop.add_reader, loop.remove_reader)
        )
        self._made_by = os.getpid()
        self._fd: int | None = None  # the duplicate
        self.armed = False

    def arm(self, number: Callable[[], int], ready: Callable[[bool], object], *, stays: bool = False) -> None:
        if self.armed:  # it reports until it is disarmed
            return
        fd = self._fd = os.dup(number()) if self._fd is None else self._fd
        try:
            self._add(fd, self._report, ready)
        except BaseException:
            self.disarm()
            raise
        self.armed = True

    def rest(self, ready: Callable[[bool], object]) -> None:
        if self.armed:
            self.armed = False
            shared = self._made_by != os.getpid()  # with the process that this one was forked from
            if self._fd is not None and not shared and not self._loop.is_closed():
                self._remove(self._fd)

    def disarm(self) -> None:
        self.rest(lambda _: None)
        fd, self._fd = self._fd, None
        if fd is not None:
            os.close(fd)

    def _report(self, ready: Callable[[bool], object]) -> None:
        if self._fd is not None and self._made_by == os.getpid():
            ready(hung_up(self._fd))


def hung_up(fd: int) -> bool:
    """Whether the peer of ``fd`` has gone."""
    poller = select.poll()
    poller.register(fd, 0)  # hang-ups and errors are reported unasked
    return bool(poller.poll(0))
