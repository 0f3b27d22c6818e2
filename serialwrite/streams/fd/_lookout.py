"""Lookout: checks once a second, per event loop, that what waits there is still open. Watchers don't report a close."""

from __future__ import annotations

import asyncio
import weakref
from contextvars import Context
from typing import Protocol

# Seconds between two looks.
LOOK_INTERVAL_S = 1.0


class Waiting(Protocol):
    """What may wait."""

    @property
    def waiting(self) -> bool: ...

    def look(self) -> None:
        """See whether what it waits for is still open."""


class Lookout:
    """Looks at all that waits on one event loop, which it does not keep alive, nor them."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._all: weakref.WeakSet[Waiting] = weakref.WeakSet()
        self._armed = False  # the timer is the loop's alone: a handle knows its loop
        self.round = 0  # what was added in this one is kept until its end at the least

    def add(self, one: Waiting) -> None:
        """Look at ``one`` for as long as it waits."""
        self._all.add(one)
        self._arm()

    def _arm(self) -> None:
        loop = self._loop()
        if loop is not None and not self._armed:
            self._armed = True
            Context().run(loop.call_later, LOOK_INTERVAL_S, self._look)  # not in that of the first that waits

    def _look(self) -> None:
        self._armed = False
        self.round += 1
        for one in tuple(self._all):
            if one.waiting:
                one.look()
            else:
                self._all.discard(one)
        if self._all:
            self._arm()


_lookouts: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Lookout] = weakref.WeakKeyDictionary()


def lookout_of(loop: asyncio.AbstractEventLoop) -> Lookout:
    """The one of ``loop``."""
    found = _lookouts.get(loop)
    if found is None:
        found = _lookouts[loop] = Lookout(loop)
    return found
