"""ScriptedStream: a stream in memory that follows a script of byte counts, errors and delays."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from serialwrite._errors import OperationAborted
from serialwrite._executors import EventLoopExecutor, Executor, timers_of
from serialwrite._handler import Handler
from serialwrite._initiate import async_initiate
from serialwrite._operation import deferred
from serialwrite._timers import checked_seconds


@dataclass(frozen=True)
class Step:
    """What one write_some does.

    Args:
        take: the most bytes that it takes; None for all that it is given.
        error: what it ends with, besides the bytes that it took.
        after: seconds until it does so; infinite to wait until it is cancelled or ``let_go``.
    """

    take: int | None = None
    error: BaseException | None = None
    after: float = 0.0

    def __post_init__(self) -> None:
        if self.take is not None and (not isinstance(self.take, int) or self.take < 0):  # pyright: ignore[reportUnnecessaryIsInstance] # users' scripts
            raise ValueError(f"take={self.take!r}: pass a number of bytes, or None for all")
        if self.error is not None and not isinstance(self.error, BaseException):  # pyright: ignore[reportUnnecessaryIsInstance] # users' scripts
            raise TypeError(f"error={self.error!r}: pass an exception, for example OSError(errno.EIO, ...)")
        checked_seconds(self.after, "after")


BLOCKED = Step(after=math.inf)
"""Takes nothing until it is cancelled or let go; it then takes all."""

ScriptStep: TypeAlias = "Step | int | BaseException"


class ScriptedStream:
    """A stream that takes what its script says, when and how it says; afterwards, everything at once.

    ``ScriptedStream(3, Step(5, after=0.5), OSError(errno.EIO, "unplugged"))``

    Args:
        script: one step for each write_some: a ``Step``; or a number, the most bytes that it takes; or an exception.
        executor: where it lives, ``VirtualTime`` for one; None for the loop of its first operation.

    Attributes:
        written: the bytes taken: what a peer would have received.
        asked: how many bytes each write_some was given.
        watching: whether a write_some is waiting now.

    Cancellation: total, while a step waits: it has taken nothing then.
    """

    def __init__(self, *script: ScriptStep, executor: Executor | None = None) -> None:
        self._executor: Executor = executor or EventLoopExecutor()
        self._script = deque(step_of(step) for step in script)
        self._pending: Callable[[], None] | None = None  # what ends the step that waits, as the script says
        self.written: bytearray = bytearray()
        self.asked: list[int] = []

    @property
    def script(self) -> tuple[Step, ...]:
        """The steps that are still to come."""
        return tuple(self._script)

    @property
    def watching(self) -> bool:
        return self._pending is not None

    def get_executor(self) -> Executor:
        return self._executor

    def let_go(self) -> None:
        """Let the step that waits do now what it would do later."""
        if self._pending is None:
            raise RuntimeError("no write_some is waiting")
        self._pending()

    def async_write_some(self, buffers: Sequence[memoryview], token: Any = deferred, /) -> Any:
        """Do the next step on ``buffers``."""

        def initiation(handler: Handler) -> None:
            step = self._next()
            if step.after > 0:
                self._wait(step, buffers, handler)
            else:
                n = self.take(step, buffers)
                self._executor.post(handler, step.error, n)

        return async_initiate(initiation, token, self._executor, name="async_write_some")

    def take(self, step: Step, buffers: Sequence[memoryview]) -> int:
        """Do ``step`` on ``buffers``; return how many bytes were taken."""
        data = b"".join(buffers)
        self.asked.append(len(data))
        taken = data if step.take is None and step.error is None else data[: step.take or 0]
        self.written += taken
        return len(taken)

    def _wait(self, step: Step, buffers: Sequence[memoryview], handler: Handler) -> None:
        """Do ``step`` when it is due, unless it is cancelled first."""

        def fire() -> None:
            end()
            handler(step.error, self.take(step, buffers))

        def cancel(type: object) -> None:
            end()
            self._executor.post(handler, OperationAborted(), 0)

        def end() -> None:
            handler.cancellation_slot.clear()
            if timer is not None:
                timer.cancel()
            if self._pending is fire:
                self._pending = None

        timer = timers_of(self._executor)(step.after, fire) if step.after < math.inf else None
        handler.cancellation_slot.assign(cancel)
        self._pending = fire

    def _next(self) -> Step:
        return self._script.popleft() if self._script else Step()


class ScriptedNowaitStream(ScriptedStream):
    """A scripted stream with the optional fast path, to which a step that takes its time says EAGAIN."""

    def write_some_nowait(self, buffers: Sequence[memoryview]) -> int:
        """Do the next step at once; BlockingIOError where that is not how it goes."""
        if self._script and self._script[0].after > 0:
            raise BlockingIOError
        step = self._next()
        n = self.take(step, buffers)
        if step.error is not None:
            if not step.take:
                raise step.error
            # A try gives a count or an error: the bytes now, the error at the next.
            self._script.appendleft(Step(error=step.error))
        return n


def step_of(step: ScriptStep) -> Step:
    """A step as it may be written: an int, an exception, a Step."""
    if isinstance(step, Step):
        return step
    if isinstance(step, BaseException):
        return Step(error=step)
    if isinstance(step, int) and not isinstance(step, bool) and step >= 0:  # pyright: ignore[reportUnnecessaryIsInstance] # users' scripts
        return Step(step)
    raise TypeError(f"script: {step!r} is not a step; pass a number of bytes, an exception or a Step")
