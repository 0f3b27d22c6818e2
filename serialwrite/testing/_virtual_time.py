"""VirtualTime: an executor whose clock jumps from one event to the next. No event loop, no thread, no waiting."""

from __future__ import annotations

import heapq
import math
from collections import deque
from collections.abc import Callable
from typing import Any


class VirtualTime:
    """Runs functions in order, on a clock that costs nothing; for streams, operations and timeouts in tests.

    ``clock = VirtualTime()``, ``stream = ScriptedStream(..., executor=clock)``, start operations, ``clock.run()``.
    Results come by function tokens or by ``use_future``, whose future is done when ``run`` returns.
    What awaits needs an event loop, and can't be used.

    The same calls give the same order every time. What is posted runs in order. Then the clock moves to the next timer;
    of two that are due at once, the one made first runs first.
    It belongs to one thread.
    """

    def __init__(self, start: float = 0.0) -> None:
        self._now = start
        self._ready: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._timers: list[VirtualTimer] = []
        self._made = 0

    def __repr__(self) -> str:
        return f"<VirtualTime at {self._now:g} s, {len(self._ready)} ready, {self.timers} timers>"

    @property
    def timers(self) -> int:
        """Timers that are still to come."""
        return sum(1 for timer in self._timers if timer.function is not None)

    def time(self) -> float:
        """Seconds on the virtual clock."""
        return self._now

    def post(self, function: Callable[..., object], /, *args: Any) -> None:
        """Run ``function(*args)`` later, in ``run``."""
        self._ready.append((function, args))

    def dispatch(self, function: Callable[..., object], /, *args: Any) -> None:
        """Run ``function(*args)`` now: the caller is on the only thread."""
        function(*args)

    def call_later(self, seconds: float, function: Callable[..., object], /, *args: Any) -> VirtualTimer:
        """Run ``function(*args)`` when the clock has moved on by ``seconds``."""
        self._made += 1
        timer = VirtualTimer(self._now + max(0.0, seconds), self._made, function, args)
        heapq.heappush(self._timers, timer)
        return timer

    def run(self, until: float = math.inf, *, limit: int = 100_000) -> int:
        """Run everything that is ready, and every timer up to the time ``until``; return how many functions ran.

        ``limit``: raise ``RuntimeError`` after that many, instead of running for ever.
        The clock is then at ``until``, or, where that is infinite, at the last event.
        """
        ran = 0
        while True:
            if not self._ready:
                timer = self._next_timer(until)
                if timer is None:
                    break
                self._now = timer.due
                assert timer.function is not None
                self._ready.append((timer.function, timer.args))
                timer.cancel()
            if ran >= limit:
                raise RuntimeError(
                    f"{limit:,} functions ran by {self._now:g} s, and more are to come: {self._ready[0]}"
                )
            function, args = self._ready.popleft()
            ran += 1
            function(*args)
        if until < math.inf:
            self._now = max(self._now, until)
        return ran

    def _next_timer(self, until: float) -> VirtualTimer | None:
        while self._timers and (self._timers[0].function is None or self._timers[0].due <= until):
            timer = heapq.heappop(self._timers)
            if timer.function is not None:
                return timer
        return None


class VirtualTimer:
    """A call that is to come, on a virtual clock."""

    __slots__ = ("args", "due", "function", "number")

    def __init__(self, due: float, number: int, function: Callable[..., object], args: tuple[Any, ...]) -> None:
        self.due: float = due
        self.number: int = number
        self.function: Callable[..., object] | None = function
        self.args: tuple[Any, ...] = args

    def cancel(self) -> None:
        """Don't call it. May be called again, and afterwards."""
        self.function = None
        self.args = ()

    def __lt__(self, other: VirtualTimer) -> bool:
        return (self.due, self.number) < (other.due, other.number)
