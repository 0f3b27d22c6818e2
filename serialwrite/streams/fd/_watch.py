"""Watch: the one seam to what reports that a descriptor is ready."""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from typing import Protocol

from ._epoll_watch import EpollWatch
from ._loop_watch import LoopWatch


class Watch(Protocol):
    """Waits for one direction of a descriptor on one event loop. It is used on that loop's thread alone.

    Attributes:
        armed: whether it may report. What it reports is a hint: the descriptor has to be tried.
    """

    armed: bool

    def arm(self, number: Callable[[], int], ready: Callable[[bool], object], /, *, stays: bool = False) -> None:
        """Call ``ready(hung_up)`` on the loop once the descriptor may be ready.

        It is called in the context of this call. ``armed`` says afterwards whether it may be called again.

        Args:
            number: gives the descriptor.
            ready: is passed whether the peer has gone.
            stays: whether it may be called again and again, until the watch is disarmed.

        Raises:
            PermissionError: the descriptor can't be watched, because it is ready always.
            OSError: as ``number`` or the system raised it.
        """
        ...

    def rest(self, ready: Callable[[bool], object], /) -> None:
        """As :meth:`arm`, of what was armed before, until its peer has gone, where the system can report that alone."""
        ...

    def disarm(self) -> None:
        """``ready`` is not called any more, and no descriptor is kept, when this returns."""
        ...


def watch_for(loop: asyncio.AbstractEventLoop, *, writing: bool) -> Watch:
    """A watch on ``loop``."""
    return (EpollWatch if hasattr(select, "epoll") else LoopWatch)(loop, writing=writing)
