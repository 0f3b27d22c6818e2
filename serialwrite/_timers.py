"""A timer on an event loop that is neither early nor a millisecond late: how timeouts get the time right.

Event loops round to milliseconds: asyncio's up, uvloop's either way. So the loop's own timer (cheap, and cancelled
far more often than it fires) covers all but the last stretch, and there an *alarm* of the kernel's ends the wait: a
``timerfd`` that the loop watches. Where there is none, the loop's own timer has to do, and is never believed early.

An alarm finds the processor asleep and our code out of its caches, which takes a few tenths of a millisecond. So one
rings shortly before the end and is only to wake them, and the next one, at the end, finds them awake.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import os
import sys
import time
from collections.abc import Callable
from functools import cache
from typing import Any

# Seconds before its end at which a wait goes over to an alarm: twice what event loops round by.
LAST_STRETCH = 0.002
# Seconds before its end at which a wait is woken.
WAKING = 0.0002


def checked_seconds(seconds: Any, name: str, unless: str = "", *, finite: bool = False) -> float:
    """``seconds`` as a float: the one check of every number of seconds that a caller passes.

    Args:
        seconds: 0 or more; infinity too, unless it has to be ``finite``.
        name: the argument, for the error.
        unless: what else may be passed, for the error: ", or None for no limit".

    Raises:
        TypeError: it is not a number. ValueError: it is a number that no timer can have: negative, NaN.
    """
    if type(seconds) is float and 0.0 <= seconds < math.inf:
        return seconds
    told = f"{name}={seconds!r}: pass seconds, 0 or more{unless}"
    number = checked_number(seconds, told)
    if number < 0 or (finite and number == math.inf):
        raise ValueError(told)
    return number


def checked_number(value: Any, told: str) -> float:
    """``value`` as a float; ``told`` is the message of the TypeError or ValueError where it can't be one."""
    try:
        if isinstance(value, (str, bytes, bytearray, bool)):  # of which float() would make a number
            raise TypeError
        number = float(value)
    except TypeError:
        raise TypeError(told) from None
    except (ValueError, OverflowError):  # a signalling NaN; more than a float can hold
        number = math.nan
    if math.isnan(number):
        raise ValueError(told)
    return number


def checked_timeout(seconds: Any, name: str = "timeout", none: str = "no limit") -> float | None:
    """As :func:`checked_seconds`, of a time that may be None; ``none`` is what that stands for, for the error."""
    return None if seconds is None else checked_seconds(seconds, name, f", or None for {none}")


class LoopTimer:
    """Runs ``function(*args)`` on ``loop`` once ``seconds`` have passed, never before."""

    __slots__ = ("_alarm", "_args", "_deadline", "_function", "_handle", "_loop")

    def __init__(
        self, loop: asyncio.AbstractEventLoop, seconds: float, function: Callable[..., object], args: tuple[Any, ...]
    ) -> None:
        self._loop = loop
        self._function = function
        self._args = args
        self._deadline = time.monotonic() + seconds
        self._alarm: int | None = None  # a timerfd
        early = LAST_STRETCH if alarms() else 0.0
        self._handle: asyncio.TimerHandle = loop.call_later(max(seconds - early, 0.0), self._fire)

    def _fire(self) -> None:
        self._silence()
        left = self._deadline - time.monotonic()
        if left <= 0:
            self._function(*self._args)
        elif not self._set_alarm(left - WAKING if left > 2 * WAKING else left):
            self._handle = self._loop.call_later(max(left, 0.001), self._fire)

    def _set_alarm(self, seconds: float) -> bool:
        set_alarm = alarms()
        if set_alarm is None:
            return False
        try:
            self._alarm = set_alarm(seconds)
            self._loop.add_reader(self._alarm, self._fire)
        except (OSError, NotImplementedError):  # no descriptor left, or a loop that watches none
            self._silence()
            return False
        return True

    def _silence(self) -> None:
        alarm, self._alarm = self._alarm, None
        if alarm is not None:
            with contextlib.suppress(NotImplementedError, RuntimeError):  # such a loop; a closed one
                self._loop.remove_reader(alarm)
            os.close(alarm)

    def cancel(self) -> None:
        self._handle.cancel()
        self._silence()

    def __del__(self) -> None:
        if self._alarm is not None:  # its loop was closed before the end
            os.close(self._alarm)


@cache
def alarms() -> Callable[[float], int] | None:
    """What makes a descriptor that is readable once so many seconds have passed; None where the system has none."""
    if not sys.platform.startswith("linux"):
        return None
    if sys.version_info >= (3, 13):

        def made(seconds: float) -> int:
            fd = os.timerfd_create(time.CLOCK_MONOTONIC, flags=os.TFD_CLOEXEC | os.TFD_NONBLOCK)
            os.timerfd_settime(fd, initial=seconds)
            return fd

        return made

    import ctypes  # noqa: PLC0415 # a tenth of the import time, and newer Pythons need none

    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "timerfd_create"):
        return None

    def called(result: int) -> int:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
        return result

    def made_by_libc(seconds: float) -> int:
        fd = called(libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_CLOEXEC | os.O_NONBLOCK))
        nanoseconds = max(round(seconds * 1e9), 1)  # 0 would disarm it
        once = (ctypes.c_long * 4)(0, 0, *divmod(nanoseconds, 1_000_000_000))  # struct itimerspec
        called(libc.timerfd_settime(fd, 0, once, None))
        return fd

    return made_by_libc
