"""EpollWatch: waits for a descriptor in one private epoll per event loop, which the loop itself watches.

To arm an entry is one system call, and an entry reports once (EPOLLONESHOT). An event loop's own add_writer and
remove_writer are two, and 40 calls of Python. The descriptor itself is watched, not a duplicate: the epoll is not the
loop's, which may watch that number as well.
"""

from __future__ import annotations

import asyncio
import os
import select
import weakref
from collections.abc import Callable
from contextlib import suppress
from contextvars import Context, copy_context
from typing import Any

from ..._executors import running_loop

Ready = Callable[[bool], object]

# What epoll reports unasked: that the peer has gone. All these are 0 on systems without epoll.
HUNG_UP: int = getattr(select, "EPOLLHUP", 0) | getattr(select, "EPOLLERR", 0)
ONCE: int = getattr(select, "EPOLLONESHOT", 0)
WRITABLE: int = getattr(select, "EPOLLOUT", 0)
READABLE: int = getattr(select, "EPOLLIN", 0)
# Events that are fetched at a time. What is left over is fetched in the next turn of the loop.
BATCH_COUNT = 64


class EpollReactor:
    """Reports readiness to the watches of one event loop.

    It is kept by the loop alone, which lets go of it when it is closed: the epoll is closed then, too.

    The kernel knows an entry by its open file and its number. Other code may close the number while the file
    stays open elsewhere, in a forked child for example. Then the entry stays, and nothing can remove it. It reports
    once at most. If the number is another file's by then, the stream over that one tries too early, and waits again.

    Attributes:
        made_by: the process that it belongs to. A forked child has it, too, and must not touch it.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.made_by = os.getpid()
        epoll: Any = getattr(select, "epoll", None)
        self._epoll = epoll()
        self._modify = self._epoll.modify
        self._watches: dict[int, tuple[EpollWatch, ...]] = {}  # by number; those for reading and writing share an entry
        try:
            Context().run(loop.add_reader, self._epoll.fileno(), self._report)  # not in that of the first that waits
        except BaseException:
            self._epoll.close()
            raise

    def fileno(self) -> int:
        """The descriptor of the epoll."""
        return int(self._epoll.fileno())

    def add(self, fd: int, watch: EpollWatch) -> None:
        """Report to ``watch`` once ``fd`` is ready. PermissionError: that can't be watched, and is ready always."""
        others = self._watches.get(fd)
        if others is not None:
            self._set(fd, others if watch in others else (*others, watch))
            return
        events = watch.awaited if watch.stays else watch.awaited | ONCE
        try:
            self._modify(fd, events)
        except FileNotFoundError:
            self._epoll.register(fd, events)
        self._watches[fd] = (watch,)

    def discard(self, fd: int, watch: EpollWatch) -> None:
        """Report to ``watch`` no more."""
        self._restore(fd, tuple(each for each in self._watches.get(fd, ()) if each is not watch))

    def _set(self, fd: int, watches: tuple[EpollWatch, ...]) -> None:
        events = 0 if len(watches) == 1 and watches[0].stays else ONCE
        for each in watches:
            events |= each.awaited
        try:
            self._modify(fd, events)
        except FileNotFoundError:  # the number is another file's than the one they began to wait for
            self._epoll.register(fd, events)
        self._watches[fd] = watches

    def _restore(self, fd: int, watches: tuple[EpollWatch, ...]) -> None:
        with suppress(OSError):  # the number was closed: its owner's lookout sees that
            if watches:
                self._set(fd, watches)
            else:
                self._watches.pop(fd, None)
                self._epoll.unregister(fd)  # a mask of 0 would leave hang-ups to be reported

    def _report(self) -> None:
        if self.made_by != os.getpid():
            return  # a forked child that lets the loop turn once more: what is fetched here, its parent would miss
        due = self._fetch()
        del self  # an error's traceback keeps this frame, and must not keep the descriptor
        rest = iter(due)
        try:
            for watch, hung_up in rest:
                watch.report(hung_up)
        except BaseException:
            loop = running_loop()
            for watch, hung_up in rest:  # nothing will report that again
                if loop is not None:
                    loop.call_soon(watch.report, hung_up)
            raise

    def _fetch(self) -> list[tuple[EpollWatch, bool]]:
        """What there is to report. Entries that others still wait for are armed again."""
        due: list[tuple[EpollWatch, bool]] = []
        for fd, events in self._epoll.poll(0, BATCH_COUNT):
            hung_up = bool(events & HUNG_UP)
            others: tuple[EpollWatch, ...] = ()
            watches = self._watches.get(fd, ())
            if len(watches) == 1 and watches[0].stays:
                due.append((watches[0], hung_up))
                continue
            self._watches.pop(fd, None)
            for watch in watches:
                if hung_up or events & watch.awaited:
                    watch.armed = watch.stays = False
                    due.append((watch, hung_up))
                else:
                    others += (watch,)
            if others:
                self._restore(fd, others)
        return due


class EpollWatch:
    """See :class:`Watch`. It keeps no descriptor open."""

    __slots__ = ("_context", "_events", "_fd", "_loop", "_reactor", "_ready", "armed", "awaited", "stays")

    def __init__(self, loop: asyncio.AbstractEventLoop, *, writing: bool) -> None:
        self._loop = loop
        self._reactor: Callable[[], EpollReactor | None] = _none_yet
        self._events: int = WRITABLE if writing else READABLE
        self._fd: int = -1
        self._ready: Ready | None = None
        self._context: Context | None = None
        self.armed = False
        self.stays = False  # its entry, where no other watch shares that, reports until it is removed
        self.awaited: int = 0  # events; hang-ups are reported unasked

    def arm(self, number: Callable[[], int], ready: Ready, *, stays: bool = False) -> None:
        fd = number()
        self.stays = stays
        if self.armed and fd != self._fd:
            self.disarm()
        self._fd, self.awaited = fd, self._events
        (self._reactor() or self._taken()).add(fd, self)
        self._ready, self._context, self.armed = ready, copy_context(), True

    def rest(self, ready: Ready) -> None:
        self.awaited, self.stays = 0, False
        with suppress(OSError):  # the number was closed
            (self._reactor() or self._taken()).add(self._fd, self)
            self._ready, self._context, self.armed = ready, copy_context(), True

    def disarm(self) -> None:
        self._ready = self._context = None
        if self.armed:
            self.armed = False
            reactor = self._reactor()
            if reactor is not None and reactor.made_by == os.getpid():  # a forked child would disarm its parent's
                reactor.discard(self._fd, self)

    def _taken(self) -> EpollReactor:
        reactor = reactor_of(self._loop)
        self._reactor = weakref.ref(reactor)
        return reactor

    def report(self, hung_up: bool) -> None:
        """The entry of its number has reported."""
        ready, context = self._ready, self._context
        if not self.stays:
            if self.armed:
                return  # anew, by what was told before in the same batch: this is not its own report
            self._ready = self._context = None
        if ready is not None and context is not None:
            context.run(ready, hung_up)


def _none_yet() -> None:
    """A reference to no reactor."""


_reactors: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[EpollReactor]] = weakref.WeakKeyDictionary()


def reactor_of(loop: asyncio.AbstractEventLoop) -> EpollReactor:
    """That of ``loop`` in this process."""
    known = _reactors.get(loop, _none_yet)()
    if known is None or known.made_by != os.getpid():
        known = EpollReactor(loop)
        _reactors[loop] = weakref.ref(known)
    return known


def reactor_descriptors() -> set[int]:
    """The descriptors of all that there are: each is its event loop's, and is closed with it."""
    reactors = [known() for known in list(_reactors.values())]
    return {reactor.fileno() for reactor in reactors if reactor is not None}
