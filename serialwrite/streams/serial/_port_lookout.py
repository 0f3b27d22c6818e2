"""async_wait_for_port: waits until a port is present. All waits on one event loop share one poll."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Callable
from functools import cache
from typing import Any, overload

from ..._errors import OperationAborted, TransferError
from ..._executors import EventLoopExecutor
from ..._operation import Operation, default_token as unspecified, initiate
from .._coroutine import Result, Spawned
from ._ports import PortInfo, PortMatch, listed

# Seconds between two looks: what the list costs (1 to 3 ms) is then 1 % of a processor.
LOOK_S = 0.2


class _Wait:
    """One wait: for what, and whether a look was taken for it."""

    def __init__(self, match: PortMatch, loop: asyncio.AbstractEventLoop) -> None:
        self.match = match
        self.found: asyncio.Future[PortInfo] = loop.create_future()
        self.looked = False

    def look(self, listing: Callable[[], list[Any]]) -> None:
        if not self.found.done():
            self.looked = True
            port = self.match.find(listing)
            if port is not None:
                self.found.set_result(port)


class PortLookout:
    """Looks for all that wait on one event loop, and only while something waits.

    Only a timer of the loop keeps it between two looks, so that it does not keep the loop alive.
    """

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()
        self._armed = False

    async def find(self, match: PortMatch) -> PortInfo:
        """The first port that matches, once there is one. If it is cancelled before any look, it looks once."""
        loop = asyncio.get_running_loop()
        wait = _Wait(match, loop)
        self._waits.add(wait)
        if not self._armed:
            self._armed = True
            loop.call_soon(self._turn, loop)  # with all that begin to wait in this turn
        try:
            return await wait.found
        except asyncio.CancelledError:
            port = None if wait.looked else match.find(_listed_or_nothing)
            if port is None:
                raise
            return port
        finally:
            self._waits.discard(wait)

    def _turn(self, loop: asyncio.AbstractEventLoop) -> None:
        self._armed = bool(self._waits)
        if self._armed:
            listing = cache(_listed_or_nothing)  # one list for all
            for wait in tuple(self._waits):
                wait.look(listing)
            loop.call_later(LOOK_S, self._turn, loop)  # even if all were found: the next wait begins with that turn


def _listed_or_nothing() -> list[Any]:
    try:
        return listed()
    except (OSError, TypeError):  # devices are changing right now: the next poll finds out
        return []


_lookouts: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, weakref.ref[PortLookout]] = weakref.WeakKeyDictionary()


def port_lookout() -> PortLookout:
    """The one of the running event loop."""
    loop = asyncio.get_running_loop()
    known = _lookouts.get(loop)
    lookout = None if known is None else known()
    if lookout is None:
        lookout = PortLookout()
        _lookouts[loop] = weakref.ref(lookout)
    return lookout


@overload
def async_wait_for_port(match: str | os.PathLike[str], /, *, timeout: float | None = ...) -> Operation[PortInfo]: ...
@overload
def async_wait_for_port(match: str | os.PathLike[str], token: Any, /, *, timeout: float | None = ...) -> Any: ...
def async_wait_for_port(
    match: str | os.PathLike[str], token: Any = unspecified, /, *, timeout: float | None = None
) -> Any:
    """Wait until a serial port is plugged in, or is there already.

    ``port = sw.SerialPort(await sw.async_wait_for_port("0403:6001", timeout=30), 115200)``

    Args:
        match: a path (``"/dev/ttyUSB0"``, a link in ``/dev/serial/by-id``); a pattern of paths (``"/dev/ttyUSB*"``);
            ``"VID:PID"`` in hexadecimal (``"0403:6001"``); a USB serial number; or pyserial's ``"hwgrep://REGEX"``. The
            last is searched in name, description and hardware ID, with ``&n=2`` for the second that is found.
        token: any completion token; ``handler(error, port)``.
        timeout: seconds; None for no limit; 0 for one look.

    Returns:
        What the token gives; awaited: the first port that matches, a :class:`PortInfo`.
        Its ``device`` is the path that ``match`` was, or has matched as a pattern.

    Raises:
        TypeError, ValueError: at once, if ``match`` can't be used.
        TransferTimeout: no port that matches was there in time. It is a ``TimeoutError``.
        OperationAborted: cancelled.

    All that wait on one event loop share a look five times a second; without any, nothing looks. No thread is used.
    A port that was just plugged in may not be ready yet: udev may set its permissions a moment later.

    Cancellation: terminal, partial and total.
    """
    wanted = PortMatch(match)

    async def work(_: Spawned) -> Result:
        try:
            return None, await port_lookout().find(wanted)
        except asyncio.CancelledError:
            return OperationAborted(), None

    def describe(error: TransferError) -> None:
        error.verb = ""
        error.awaited = f"a port that matches {wanted}"

    operation = Spawned(EventLoopExecutor(), work, "async_wait_for_port", timeout=timeout, sure=True, describe=describe)
    return initiate(operation, token)
