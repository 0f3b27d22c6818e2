"""spawn: runs a function as a stackful coroutine."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, overload

from ._executors import EventLoopExecutor, ExecutionContext, Executor, executor_of
from ._handler import Handler
from ._initiate import async_initiate
from ._operation import CompletionToken, Deferred, Operation, deferred
from ._stackful import load_greenlet, yield_context
from ._tokens import Detached, OperationFuture, OperationPromise, UseAwaitable, UseFuture, UsePromise

T = TypeVar("T")
R = TypeVar("R")


@overload
def spawn(executor: Executor | ExecutionContext, function: Callable[[yield_context], T], /) -> Operation[T]: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], T], token: Deferred, /
) -> Operation[T]: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], T], token: UseAwaitable, /
) -> Coroutine[Any, Any, T]: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], T], token: UseFuture, /
) -> OperationFuture[T]: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], T], token: UsePromise, /
) -> OperationPromise[T]: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], object], token: Detached, /
) -> None: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], T], token: yield_context, /
) -> T: ...
@overload
def spawn(
    executor: Executor | ExecutionContext, function: Callable[[yield_context], int], token: CompletionToken[R, Any], /
) -> R: ...
@overload
def spawn(
    executor: Executor | ExecutionContext,
    function: Callable[[yield_context], object],
    token: CompletionToken[Any, Any],
    /,
) -> Any: ...
@overload
def spawn(
    executor: Executor | ExecutionContext,
    function: Callable[[yield_context], T],
    token: Callable[[Exception | None, T | None], object],
    /,
) -> None: ...
@overload
def spawn(function: Callable[[yield_context], T], /) -> Operation[T]: ...
@overload
def spawn(function: Callable[[yield_context], object], token: CompletionToken[Any, Any], /) -> Any: ...
@overload
def spawn(function: Callable[[yield_context], T], token: Callable[[Exception | None, T | None], object], /) -> None: ...
def spawn(executor: Any, function: Any = None, token: object = deferred, /) -> Any:
    """Run ``function(yield_)`` as a coroutine in which ``n = async_write(port, data, yield_)`` waits without blocking
    the event loop.

    Args:
        executor: where it runs, or an object with ``get_executor()`` (an IoThread, a stream, another ``yield_``).
            It may be left out, ``spawn(function, token)``: then that is the running event loop.
        function: given a :class:`yield_context`, which is the completion token to use inside.
            Called from the thread of ``executor``, it runs inside this call until it first waits; else it is posted.
        token: how the result is to come: ``handler(error, value)``, with what ``function`` raised or returned.

    Returns:
        What the token gives; awaited: what ``function`` returns.

    Raises:
        ImportError: greenlet is not installed.
        Exception: from the awaiting forms, what ``function`` raised.

    Cancellation:
        Terminal; more where ``yield_.reset_cancellation_state()`` says so. It cancels the operation that the coroutine
        waits for, which raises there with its count, and every one that it would wait for afterwards.

    Follows Asio's ``spawn``.
    """
    load_greenlet()
    if callable(executor) and not isinstance(executor, Executor | ExecutionContext):
        executor, function, token = EventLoopExecutor(), executor, deferred if function is None else function
    where = executor_of(executor, "spawn")
    if not callable(function):
        raise TypeError(f"spawn: got {function!r}; pass a function that takes the yield_context")

    def initiation(handler: Handler) -> None:
        yield_ = yield_context(where, handler.cancellation_slot)

        def ended(error: Exception | None, value: object) -> None:
            where.post(handler, error, value)  # a function that waited for nothing is still inside this spawn

        yield_.start(function, ended)

    return async_initiate(initiation, token, where, name="spawn")  # type: ignore[call-overload] # resolve() judges it
