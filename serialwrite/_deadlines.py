"""Deadlines: every timeout of an operation is one of these."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeAlias

from ._cancellation import CancellationType
from ._executors import Executor, Timer, timers_of
from ._timers import NO_LIMIT, checked_seconds

# How long, at the most, before a limit at which a write looks at its stream, for what will be said of a stall.
LONGEST_EARLY_S = 1.0


class Deadline:
    """Ends an operation once some seconds have passed since its start.

    Args:
        seconds: how many; or a function that returns it, given the operation's executor.
        type: of the cancellation that is requested then.
    """

    idle_timeout: float | None = None  # the seconds without a byte moved, where it counts these

    def __init__(
        self, seconds: float | Callable[[Any], float], type: CancellationType = CancellationType.TERMINAL
    ) -> None:
        self.type = type
        self._seconds = seconds
        self._call_later: Callable[..., Timer]
        self._clock: Callable[[], float]
        self._due = 0.0
        self.is_zero: bool = False
        """Whether it gives no time at all."""
        self.early: float = 0.0
        """Seconds before the deadline at which the stream's progress is noted, so that a stall can be reported at the
        deadline."""
        self._timer: Timer | None = None

    def start(self, executor: Executor, clock: Callable[[], float], time: float) -> None:
        """The operation starts at ``time``, on the ``clock`` of ``executor``."""
        seconds = self._seconds
        self._call_later, self._clock = timers_of(executor), clock
        seconds = seconds(executor) if callable(seconds) else seconds
        self._due = time + seconds
        self.early = min(seconds / 2, LONGEST_EARLY_S)
        self.is_zero = seconds == 0 and self.idle_timeout is None

    def left(self) -> float:
        """Seconds until it may be due; 0 or less: it is."""
        return self._due - self._clock()

    @property
    def quiet(self) -> float:
        """Seconds that a stream has to have stood still for when it is due: some of those since that look."""
        return self.early / 2

    def moved(self) -> None:
        """A byte was transferred."""

    def arm(self, due: Callable[[Deadline], object], look: Callable[[], object] | None = None) -> None:
        """Call ``due(deadline)`` on the executor when it is due, until :meth:`disarm`; and ``look()`` once before."""
        left = self._due - self._clock()
        if look is not None and left > self.early:
            self._timer = self._call_later(left - self.early, self._look, due, look)
        else:
            self._timer = self._call_later(max(left, 0.0), self._end, due, look)

    def _look(self, due: Callable[[Deadline], object], look: Callable[[], object]) -> None:
        look()
        if self._timer is not None:  # else the operation has ended in there
            self._timer = self._call_later(max(self.left(), 0.0), self._end, due, look)

    def _end(self, due: Callable[[Deadline], object], look: Callable[[], object] | None) -> None:
        if self.left() > 0:
            self.arm(due, look)
        else:
            self._timer = None
            due(self)

    def disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class IdleDeadline(Deadline):
    """Ends an operation once so many seconds have passed without a byte moved.

    Args:
        seconds: how many.
        queued: bytes that may move while none is transferred: those in the driver's queue. None where that is unknown.
            It is asked at the start, and when the deadline may be due.
    """

    def __init__(self, seconds: float, queued: Callable[[], int | None]) -> None:
        super().__init__(seconds)
        self.idle_timeout = seconds
        self._idle = seconds
        self._queued = queued
        self._queue: int | None = None  # bytes, when it was last looked at
        self._moved: float | None = None  # when a byte was last transferred, since then

    def start(self, executor: Executor, clock: Callable[[], float], time: float) -> None:
        super().start(executor, clock, time)
        self._queue = self._queued_now()

    def moved(self) -> None:
        self._moved = self._clock()

    def left(self) -> float:
        left = super().left()
        if left > 0:
            return left
        before, self._queue = self._queue, self._queued_now()
        moved, self._moved = self._moved, None
        if self._queue is not None and (moved is not None or self._queue != before):
            moved = self._clock()  # the queue may have shrunk until now
        if moved is not None:
            self._due = moved + self._idle
        return super().left()

    def _queued_now(self) -> int | None:
        with suppress(OSError, ValueError):  # a port that is gone can't be asked
            return self._queued()
        return None


# What ``timeout=`` and ``idle_timeout=`` were given: seconds, or None.
Limits: TypeAlias = "tuple[float | None, float | None]"
UNLIMITED: Limits = (None, None)


# A program passes the same number again and again. This is the last one, and its limits.
_last_checked: tuple[object, Limits] = None, UNLIMITED


def checked_limits(timeout: float | None, idle_timeout: float | None = None) -> Limits:
    """The two as limits; refused as by ``checked_timeout``."""
    global _last_checked  # noqa: PLW0603 # what was right is not asked again
    if idle_timeout is not None:
        timeout = None if timeout is None else checked_seconds(timeout, "timeout", NO_LIMIT)
        return timeout, checked_seconds(idle_timeout, "idle_timeout", NO_LIMIT)
    if timeout is None:
        return UNLIMITED
    given, limits = _last_checked  # another thread may replace it
    if timeout is given:
        return limits
    limits = checked_seconds(timeout, "timeout", NO_LIMIT), None
    if type(timeout) in {float, int}:  # another kind of number may change
        _last_checked = timeout, limits
    return limits


def deadlines(limits: Limits, written: Any = None) -> tuple[Deadline, ...]:
    """The deadlines of one operation; ``written`` is the stream of a write."""
    timeout, idle_timeout = limits
    made: tuple[Deadline, ...] = ()
    if timeout is not None:
        made += (Deadline(timeout),)
    if idle_timeout is not None:
        made += (IdleDeadline(idle_timeout, lambda: getattr(written, "queued", None)),)
    return made
