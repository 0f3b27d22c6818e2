"""Handlers: what an operation calls with its result, and the one that wakes the task which awaits it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Generator
from typing import Any, TypeAlias

from ._cancellation import UNCONNECTED, CancellationSlot
from ._errors import TransferError
from ._executors import Executor, PostingExecutor, running_loop

Completion: TypeAlias = tuple[TransferError | None, int]
"""What as_tuple gives: the error or None, and the bytes transferred."""
WriteHandler: TypeAlias = Callable[[TransferError | None, int], object]
Args: TypeAlias = tuple[Any, ...]
"""What a handler is called with."""
Initiation: TypeAlias = "Callable[[Handler], object]"


class Handler:
    """What an operation calls, once, with its result; never inside the function that initiated it.

    Attributes:
        cancellation_slot: where the operation leaves word of how to stop it (connected or not).
        executor: where the handler wants to run; an operation completes it there.
        immediate_executor: where it wants to run when the operation completed at once.
    """

    __slots__ = ("_function", "_immediate_executor", "cancellation_slot", "discard", "executor", "once")

    def __init__(
        self,
        function: Callable[..., object],
        executor: Executor,
        cancellation_slot: CancellationSlot = UNCONNECTED,
        immediate_executor: Executor | None = None,
        *,
        once: bool = True,
    ) -> None:
        self.once: bool = once  # whether a second call is refused here, not by the function
        self._function = function
        self.executor: Executor = executor
        self.cancellation_slot: CancellationSlot = cancellation_slot
        self._immediate_executor = immediate_executor
        self.discard: Callable[[], object] | None = None  # lets go of what it holds, where it will not be called

    @property
    def immediate_executor(self) -> Executor:
        return self._immediate_executor or PostingExecutor(self.executor)

    @property
    def immediate_bound(self) -> bool:
        """Whether an immediate executor was asked for."""
        return self._immediate_executor is not None

    def replaced(
        self,
        function: Callable[..., object],
        *,
        executor: Executor | None = None,
        cancellation_slot: CancellationSlot | None = None,
        immediate_executor: Executor | None = None,
        once: bool = True,
    ) -> Handler:
        """A handler with another function, associated with what this one is, or with what is given."""
        return Handler(
            function,
            executor or self.executor,
            cancellation_slot or self.cancellation_slot,
            immediate_executor or self._immediate_executor,
            once=once,
        )

    def __call__(self, *args: Any) -> None:
        function = self._function
        if self.once:
            self._function = completed_twice
        function(*args)


class AwaitHandler(Handler):
    """The handler of an operation that is awaited: it keeps the result, and wakes the task that waits for it.

    Args:
        loop: of that task.
        executor: the operation's.
        cancellation_slot: the one that the operation listens on.
        ask_to_stop: asks the operation to stop, for the task; called on ``executor``.
    """

    __slots__ = ("_ask_to_stop", "_loop", "_waiter", "args")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        executor: Executor,
        cancellation_slot: CancellationSlot,
        ask_to_stop: Callable[[], object],
    ) -> None:
        super().__init__(completed_twice, executor, cancellation_slot)
        self._ask_to_stop = ask_to_stop
        self._loop = loop
        self._waiter: asyncio.Future[None] | None = None
        self.args: Args | None = None

    def __call__(self, *args: Any) -> None:
        if self.args is not None:
            completed_twice(*args)
        self.args = args
        loop = self._loop
        if running_loop() is loop:
            self._wake()
        elif not loop.is_closed():  # a closed loop has no task left to wake
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def wait(self) -> Generator[Any, Any, Args]:
        """Wait for the result. If the task is cancelled, ask the operation to stop, and wait until it has."""
        cancelled: asyncio.CancelledError | None = None
        while self.args is None:
            self._waiter = self._loop.create_future()
            try:
                yield from self._waiter
            except asyncio.CancelledError as error:
                cancelled = error  # it goes on once the operation has ended: nothing goes out after that
                self.executor.dispatch(self._ask_to_stop)
            except BaseException:  # the coroutine is being closed, and will not be resumed
                with contextlib.suppress(RuntimeError):  # its loop may be closed, too
                    self.executor.dispatch(self._ask_to_stop)
                raise
        args, self.args = self.args, ()  # the traceback of an error keeps this handler
        if cancelled is not None:
            try:
                raise cancelled
            finally:
                del cancelled, args  # the traceback keeps this frame
        return args


def completed_twice(*args: object) -> None:
    raise RuntimeError(f"a completion handler was called a second time, with {args!r}")
