"""A timer on an event loop that is never early; and the one check of a number of seconds.

Event loops round to milliseconds: asyncio's up, uvloop's either way. So the loop's own timer is looked at again when it
fires. Where Python has the kernel's own timers (``os.timerfd_create``, 3.13, Linux), the last stretch is left to one.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import time
from collections.abc import Callable
from math import inf
from typing import Any

# Seconds before its end at which a wait goes over to a timer of the kernel: twice what event loops round by.
TIMERFD_STRETCH_S = 0.002
HAS_TIMERFD = sys.version_info >= (3, 13) and hasattr(os, "timerfd_create")


def checked_seconds(seconds: Any, name: str, unless: str = "", *, finite: bool = False) -> float:
    """``seconds`` as a float: the one check of every number of seconds that a caller passes.

    Args:
        seconds: 0 or more; infinity too, unless it has to be ``finite``.
        name: the argument, for the error.
        unless: what else may be passed, for the error: ", or None for no limit".

    Raises:
        TypeError: it is not a number. ValueError: it is a number that no timer can have: negative, NaN.
    """
    if type(seconds) is float and 0.0 <= seconds < inf:
        return seconds
    message = f"{name}={seconds!r}: pass seconds, 0 or more{unless}"
    number = checked_number(seconds, message)
    if number < 0 or (finite and number == inf):
        raise ValueError(message)
    return number


def checked_number(value: Any, message: str) -> float:
    """``value`` as a float; ``message`` is the message of the TypeError or ValueError if it can't be one."""
    try:
        if isinstance(value, (str, bytes, bytearray, bool)):  # of which float() would make a number
            raise TypeError
        number = float(value)
    except TypeError:
        raise TypeError(message) from None
    except (ValueError, OverflowError):  # a signalling NaN; more than a float can hold
        number = math.nan
    if math.isnan(number):
        raise ValueError(message)
    return number


NO_LIMIT = ", or None for no limit"


def checked_timeout(seconds: Any, name: str = "timeout", unless: str = NO_LIMIT) -> float | None:
    """As :func:`checked_seconds`, of a time that may be None."""
    return None if seconds is None else checked_seconds(seconds, name, unless)


class LoopTimer:
    """Runs ``function(*args)`` on ``loop`` once ``seconds`` have passed, never before."""

    __slots__ = ("_args", "_deadline", "_fd", "_function", "_handle", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, function: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self._loop = loop
        self._function = function
        self._args = args
        self._deadline = time.monotonic() + seconds
        self._fd: int | None = None  # a timer of the kernel's
        early = TIMERFD_STRETCH_S if HAS_TIMERFD else 0.0
        self._handle: asyncio.TimerHandle | None = loop.call_later(max(seconds - early, 0.0), self._fire)

    def _fire(self) -> None:
        self._handle = None  # it has a reference to this method
        if self._fd is not None:
            self._close_fd()
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._function(*self._args)
        elif not (HAS_TIMERFD and self._watch(left)):
            self._handle = self._loop.call_later(left, self._fire)

    def _watch(self, seconds: float) -> bool:
        """Have the kernel end the wait; False if it can't, or if the loop can't be reached."""
        if sys.platform != "linux" or sys.version_info < (3, 13):
            return False
        try:
            fd = self._fd = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_CLOEXEC | os.TFD_NONBLOCK)
            os.timerfd_settime(fd, initial=seconds)
            self._loop.add_reader(fd, self._fire)
        except (OSError, NotImplementedError):  # no descriptor left, or a loop that watches none
            self._close_fd()
            return False
        return True

    def _close_fd(self) -> None:
        fd, self._fd = self._fd, None
        if fd is not None:
            with contextlib.suppress(NotImplementedError, RuntimeError):  # such a loop; a closed one
                self._loop.remove_reader(fd)
            os.close(fd)

    def cancel(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
        if self._fd is not None:
            self._close_fd()

    if HAS_TIMERFD:

        def __del__(self) -> None:
            if self._fd is not None:  # its loop was closed before the end
                os.close(self._fd)
