"""An operation as a coroutine: how it is awaited, and what becomes of a task that is cancelled meanwhile."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import warnings
from abc import abstractmethod
from collections.abc import Coroutine, Generator
from types import TracebackType
from typing import Any, TypeVar

from .._cancellation import CancellationSlot, CancellationType
from .._executors import Executor
from ._handler import Handler, completed_twice

T_co = TypeVar("T_co", covariant=True)


class Awaiting(Handler):
    """The handler of an operation that is awaited: it keeps the result, and wakes the task that waits for it."""

    __slots__ = ("_loop", "_waiter", "args")

    def __init__(self, executor: Executor) -> None:
        # No super().__init__: a blocked write's time is that of its Python calls.
        self.executor = executor
        self.cancellation_slot = CancellationSlot(_connected=True)
        self._immediate_executor = None
        self.discard = None
        self._loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self.args: tuple[Any, ...] | None = None

    def __call__(self, *args: Any) -> None:
        if self.args is not None:
            completed_twice(*args)
        self.args = args
        loop = self._loop
        if asyncio._get_running_loop() is loop:
            self._wake()
        elif not loop.is_closed():  # else nobody is left to be told
            loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def wait(self) -> Generator[Any, Any, tuple[Any, ...]]:
        """Wait for the result. Cancelled, ask the operation to stop, and stay until it has."""
        cancelled: asyncio.CancelledError | None = None
        while self.args is None:
            self._waiter = self._loop.create_future()
            try:
                yield from self._waiter
            except asyncio.CancelledError as error:
                cancelled = error  # nothing may go out once this has returned: it goes on when the operation has ended
                self.executor.dispatch(self._ask_to_stop)
            except BaseException:  # the coroutine is being closed: nobody will wait
                with contextlib.suppress(RuntimeError):  # its loop may be closed, too
                    self.executor.dispatch(self._ask_to_stop)
                raise
        if cancelled is not None:
            raise cancelled
        return self.args

    def _ask_to_stop(self) -> None:
        stop = self.cancellation_slot._handler
        if stop is not None:
            stop(CancellationType.TERMINAL)


class Awaitable(Coroutine[Any, Any, T_co]):
    """What makes an operation a coroutine. It is launched by the first await."""

    name: str = "operation"
    error_first: bool = True  # whether the first result is an error, to be raised
    _launched = False
    _adopted = False  # somebody has taken charge of launching it
    _generator: Generator[Any, Any, T_co] | None = None

    @property
    @abstractmethod
    def executor(self) -> Executor:
        """Where the operation runs: its stream's executor."""

    @abstractmethod
    def attempt(self) -> tuple[Any, ...] | None:
        """Complete inside this call, if that can be done without waiting."""

    @abstractmethod
    def launch(self, handler: Handler) -> None:
        """Start with ``handler``."""

    def _claim_launch(self) -> None:
        if self._launched:
            raise RuntimeError(f"this {self.name} was launched before; an operation launches once")
        self._launched = True

    def _abandon(self) -> None:
        """It will never be launched, if it was not before."""
        self._launched = self._adopted = True

    def result(self, args: tuple[Any, ...]) -> Any:
        """The arguments of a handler as one value; an error that comes first is raised."""
        if self.error_first:
            if args[0] is not None:
                raise args[0]
            args = args[1:]
        return args[0] if len(args) == 1 else (args or None)

    def __await__(self) -> Generator[Any, Any, T_co]:
        args = self.attempt()
        if args is None:
            args = yield from self._launched_and_awaited()
        result: T_co = self.result(args)
        return result

    def _launched_and_awaited(self) -> Generator[Any, Any, tuple[Any, ...]]:
        awaiting = Awaiting(self.executor)
        self.launch(awaiting)
        return awaiting.wait()

    # -- as asyncio.create_task drives it ------------------------------------------------------------

    def _running(self) -> Generator[Any, Any, T_co]:
        if self._generator is None:
            self._generator = self.__await__()
        elif inspect.getgeneratorstate(self._generator) == inspect.GEN_CLOSED:
            self._claim_launch()  # a second task: it would see an empty success
        return self._generator

    def send(self, value: Any, /) -> Any:
        return self._running().send(value)

    def throw(
        self,
        typ: Any,
        val: BaseException | object = None,
        tb: TracebackType | None = None,
        /,
    ) -> Any:
        if self._generator is None:  # a task that was cancelled before its first step
            self._abandon()
        if val is None and tb is None:
            return self._running().throw(typ)
        return self._running().throw(typ, val, tb)

    def close(self) -> None:
        self._abandon()  # closed on purpose: no warning
        if self._generator is not None:
            self._generator.close()

    def __del__(self) -> None:
        if not (self._launched or self._adopted):
            warnings.warn(
                f"{self.name} was never launched: await it, or give it a completion token",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )
