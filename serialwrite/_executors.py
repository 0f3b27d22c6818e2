"""Executors: they run handlers on an event loop, or inline."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

from ._timers import LoopTimer

Function: TypeAlias = Callable[..., object]
# The event loop that runs on this thread, or None, where asyncio.get_running_loop() raises. asyncio gives it to
# frameworks under this name.
running_loop: Callable[[], asyncio.AbstractEventLoop | None] = asyncio._get_running_loop  # noqa: SLF001


@runtime_checkable
class Executor(Protocol):
    """Where functions run. Follows Asio's executor concept.

    ===================  =====================================================
    ``post(f, *a)``      run ``f(*a)`` later, never inside this call
    ``dispatch(f, *a)``  run it inside this call when already there, else post
    ===================  =====================================================
    """

    def post(self, function: Function, /, *args: Any) -> object: ...
    def dispatch(self, function: Function, /, *args: Any) -> object: ...


@runtime_checkable
class ExecutionContext(Protocol):
    """What has an executor: an IoThread, a stream, a ``yield_context``."""

    def get_executor(self) -> Executor: ...


def executor_of(where: object, name: str) -> Executor:
    """``where`` as an executor: it is one, or has one. ``name`` is who asks, for the error."""
    if isinstance(where, Executor):
        return where
    if isinstance(where, ExecutionContext):
        return where.get_executor()
    raise TypeError(f"{name}: got {where!r}; pass an executor, or an object with get_executor()")


@runtime_checkable
class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> object: ...


class EventLoopExecutor:
    """Runs functions on an asyncio event loop (uvloop's too), from any thread.

    Args:
        loop: the event loop. None takes the running loop at first use. In a thread without one, that is the loop that
            was running when the executor was created. After that loop stops, the next running loop is taken.
    """

    __slots__ = ("_loop", "_made_in", "_pinned", "_process", "cancel_hooks")

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        if not isinstance(loop, asyncio.AbstractEventLoop | None):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
            raise TypeError(f"EventLoopExecutor: got {loop!r}; pass an event loop, or None for the running one")
        self._loop = loop
        self._made_in = running_loop()
        self._pinned = loop is not None
        self._process = os.getpid()  # in a fork of it, its loops don't run, though they say so
        self.cancel_hooks: set[Function] | None = None  # of what runs, where it is an IoThread's: see its close

    def __repr__(self) -> str:
        return f"<EventLoopExecutor on {self._loop or 'the loop of its first use'}>"

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop; RuntimeError where there is none to take."""
        loop = self._loop
        if self._pinned:
            if self._process != os.getpid() and self._left_behind():
                raise RuntimeError(
                    "the event loop that this executor was made for runs in the process that this one was forked from: "
                    "make an IoThread here, and open the port anew with its executor"
                )
            assert loop is not None
            if loop.is_closed():
                raise RuntimeError(
                    "the event loop that this executor was made for is closed: make the stream anew, with the executor "
                    "of a loop that runs, or with EventLoopExecutor(), which takes the running one"
                )
            return loop
        if loop is None or not loop.is_running() or self._process != os.getpid():
            running = running_loop()
            if running is None:
                loop = self._loop = loop or self._made_in
                if loop is not None and not loop.is_closed():
                    return loop  # it may run again
                raise RuntimeError(
                    "no running event loop: await inside asyncio.run(...), "
                    "use the blocking write(), or give the stream IoThread().get_executor()"
                )
            loop = self._loop = running
            self._process = os.getpid()
        return loop

    def _left_behind(self) -> bool:
        """Whether the loop says that it runs, but its thread is not in this process, a fork."""
        return self._loop is not None and self._loop.is_running() and running_loop() is not self._loop

    @property
    def loop_taken(self) -> asyncio.AbstractEventLoop | None:
        """The event loop that it was given, or has taken; None before its first use."""
        return self._loop

    def running_here(self) -> bool:
        """Whether the caller is on this loop's thread, inside it."""
        return running_loop() is self.loop

    def running_elsewhere(self) -> bool:
        """Whether the loop runs, on another thread."""
        loop = self._loop
        return loop is not None and loop.is_running() and running_loop() is not loop and self._process == os.getpid()

    def bound_to_other_loop(self) -> bool:
        """Whether it has no loop yet, and would take the one it was made in, which runs on another thread."""
        made_in = self._made_in if self._loop is None else None
        return made_in is not None and made_in.is_running() and running_loop() is None and self._process == os.getpid()

    def post(self, function: Function, /, *args: Any) -> None:
        """Run ``function(*args)`` on a later turn of the loop."""
        running = running_loop()
        if running is not None and (running is self._loop or running is self.loop):
            running.call_soon(function, *args)
        else:
            self.loop.call_soon_threadsafe(function, *args)

    def dispatch(self, function: Function, /, *args: Any) -> None:
        """Run ``function(*args)`` now when called on the loop, else on a later turn of it."""
        running = running_loop()
        if running is not None and (running is self._loop or running is self.loop):
            function(*args)
        else:
            self.loop.call_soon_threadsafe(function, *args)

    def time(self) -> float:
        """Seconds on the clock that ``cancel_at`` uses: the loop's own."""
        return self.loop.time()

    def call_later(self, seconds: float, function: Function, /, *args: Any) -> Timer:
        """Run ``function(*args)`` once ``seconds`` have passed, never before."""
        running = running_loop()
        loop = running if running is not None and running is self._loop else self.loop
        return LoopTimer(loop, seconds, function, args)


def loop_executor(executor: object, name: str) -> EventLoopExecutor:
    """``executor`` for a stream that waits on an event loop; None: over the loop of its first operation.

    ``name`` is who asks, for the error.
    """
    if executor is None:
        return EventLoopExecutor()
    found = executor_of(executor, name)
    if not isinstance(found, EventLoopExecutor):
        raise TypeError(
            f"{name}: {found!r} has no event loop to wait on; pass EventLoopExecutor(), IoThread().get_executor(), "
            "or None for the loop of the first operation"
        )
    return found


class _InlineExecutor:
    """Runs everything inside the call. For ``bind_immediate_executor``, where that is what the user asked for."""

    def post(self, function: Function, /, *args: Any) -> None:
        function(*args)

    def dispatch(self, function: Function, /, *args: Any) -> None:
        function(*args)

    def __repr__(self) -> str:
        return "inline_executor"


inline_executor: _InlineExecutor = _InlineExecutor()


class PostingExecutor:
    """Another executor, whose dispatch posts too: the immediate executor of a handler that bound none."""

    __slots__ = ("_executor",)

    def __init__(self, executor: Executor) -> None:
        self._executor = executor

    def post(self, function: Function, /, *args: Any) -> None:
        self._executor.post(function, *args)

    dispatch = post


def timers_of(executor: Executor) -> Callable[..., Timer]:
    """What makes timers on ``executor``, which must have ``call_later`` as EventLoopExecutor does."""
    call_later: Callable[..., Timer] | None = getattr(executor, "call_later", None)
    if call_later is None:
        raise TypeError(f"{executor!r} has no call_later(seconds, function), which a timeout needs")
    return call_later


def clock_of(executor: Executor) -> Callable[[], float]:
    """The clock that what runs on ``executor`` is measured with, in seconds: its own, where it has one."""
    if isinstance(executor, EventLoopExecutor):
        return time.monotonic  # not loop.time(): uvloop caches it for the whole iteration
    return getattr(executor, "time", time.monotonic)


CLOSE_TIMEOUT_S = 5.0  # that a close on one thread waits, at the most, for what runs on another
