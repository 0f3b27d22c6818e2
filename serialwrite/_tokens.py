"""The completion tokens: what the caller of an initiating function gets back.

=================  ===================================================================
``deferred``       the operation itself: await it, or launch it later (the default)
``use_awaitable``  a coroutine
``use_future``     a started concurrent.futures.Future, for other threads to wait on
``use_promise``    a started asyncio.Future
``detached``       nothing; the result is dropped
a function         nothing; it is called with ``(error, bytes_transferred)``
=================  ===================================================================
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ._cancellation import CancellationSignal
from ._errors import OperationAborted
from ._executors import EventLoopExecutor, running_loop
from ._handler import Args, Completion, Handler
from ._operation import CompletionToken, Operation, default_token, deferred

__all__ = ["default_token", "deferred", "detached", "use_awaitable", "use_future", "use_promise"]

T = TypeVar("T")


class UseAwaitable(CompletionToken[Coroutine[Any, Any, int], Coroutine[Any, Any, Completion]]):
    """A coroutine: the operation starts when it is awaited. Follows Asio's ``use_awaitable``.

    Cancelling the task that awaits it cancels the operation; ``CancelledError`` goes on once it has stopped.
    """

    def initiate(self, operation: Operation[Any], /) -> Any:
        operation.adopt()  # Python itself warns of a coroutine that was never awaited
        return _await(operation)

    def __repr__(self) -> str:
        return "use_awaitable"


async def _await(operation: Operation[T]) -> T:
    return await operation


def _settle(future: Future[Any] | asyncio.Future[Any], operation: Operation[Any], args: Args) -> None:
    """Give ``future`` the result. An error is not raised first: its traceback would keep the future."""
    try:
        error = operation.first_error(args)
        if error is None:
            future.set_result(operation.result(args))
        else:
            future.set_exception(error)
    except Exception as wrong:  # the arguments are not those of a handler
        if future.done():
            raise
        future.set_exception(wrong)


class OperationFuture(Future[T]):
    """The future of an operation.

    ``result(timeout)`` may be called from any thread but the operation's own. ``cancel()`` asks the operation to
    stop; the future then ends with :class:`OperationAborted`, which carries the exact count.
    """

    def __init__(self, operation: Operation[Any]) -> None:
        super().__init__()
        self._operation = operation
        self._signal = CancellationSignal()
        self._hooks: Any = getattr(operation.executor, "cancel_hooks", None)
        self.set_running_or_notify_cancel()

    def launch(self) -> None:
        """Start the operation, once. What can be refused at once is raised here."""
        if self._hooks is not None:
            self._hooks.add(self._signal.emit)
        try:
            self._operation.launch(Handler(self._complete, self._operation.executor, self._signal.slot))
        except BaseException:
            self._forget_hook()
            raise

    def _complete(self, *args: Any) -> None:
        self._forget_hook()
        _settle(self, self._operation, args)

    def _forget_hook(self) -> None:
        if self._hooks is not None:
            self._hooks.discard(self._signal.emit)

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self._operation.bytes_transferred

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers."""
        return self._operation.remaining

    @property
    def data(self) -> bytes | None:
        """What a read of a size has got so far; None for any other operation."""
        return self._operation.data

    def cancel(self) -> bool:
        """Ask the operation to stop. True when it had not ended yet. May be called from any thread."""
        if self.done():
            return False
        self._operation.executor.post(self._stop)  # behind a launch that was posted before it
        return True

    def _stop(self) -> None:
        if self._operation.has_begun:
            self._signal.emit()
        elif not self.done():  # a signal's handler raised before the launch was posted, and nothing will begin
            self.set_exception(OperationAborted())


class UseFuture(CompletionToken[OperationFuture[int], OperationFuture[Completion]]):
    """Start now; give a :class:`concurrent.futures.Future`. Follows Asio's ``use_future``."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        future: OperationFuture[Any] = OperationFuture(operation)
        future.launch()
        return future

    def __repr__(self) -> str:
        return "use_future"


class OperationPromise(asyncio.Future[T]):
    """The asyncio future of an operation that has been launched.

    ``cancel()`` asks the operation to stop; the promise is cancelled once it has,
    with the exact count in ``bytes_transferred``.
    """

    def __init__(self, operation: Operation[Any], signal: CancellationSignal, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._operation = operation
        self._signal = signal
        self._cancel_message: Any = None
        self._cancel_requested = False

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self._operation.bytes_transferred

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers."""
        return self._operation.remaining

    @property
    def data(self) -> bytes | None:
        """What a read of a size has got so far; None for any other operation."""
        return self._operation.data

    def cancel(self, msg: Any = None) -> bool:
        """Ask the operation to stop. True when it had not ended yet."""
        if self.done():
            return False
        self._cancel_requested, self._cancel_message = True, msg
        self._operation.executor.dispatch(self._signal.emit)
        return True

    def _complete(self, args: tuple[Any, ...]) -> None:
        if self._cancel_requested:  # a task that waited here must see its CancelledError
            self._operation.undelivered()
            super().cancel(self._cancel_message)
            return
        _settle(self, self._operation, args)


class UsePromise(CompletionToken[OperationPromise[int], OperationPromise[Completion]]):
    """Start now; give an :class:`asyncio.Future`. Follows Asio's ``experimental::use_promise``."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        loop = running_loop()
        if loop is None:
            raise RuntimeError(
                "use_promise: no event loop runs here, and its future belongs to one; "
                "pass use_future, or use the blocking form: write(), read()"
            )
        signal = CancellationSignal()
        promise: OperationPromise[Any] = OperationPromise(operation, signal, loop)
        here = EventLoopExecutor(loop)

        def complete(*args: Any) -> None:
            here.dispatch(promise._complete, args)  # noqa: SLF001 # no other file calls it

        operation.launch(Handler(complete, operation.executor, signal.slot))
        return promise

    def __repr__(self) -> str:
        return "use_promise"


class Detached(CompletionToken[None, None]):
    """Start now and forget: the result is dropped, an error too. Follows Asio's ``detached``."""

    def initiate(self, operation: Operation[Any], /) -> None:
        operation.launch(Handler(_drop, operation.executor))

    def __repr__(self) -> str:
        return "detached"


def _drop(*args: object) -> None:
    pass


use_awaitable: UseAwaitable = UseAwaitable()
use_future: UseFuture = UseFuture()
use_promise: UsePromise = UsePromise()
detached: Detached = Detached()
