"""Tokens that cancel: when a signal is emitted, or when the time has come. Each one rewrites the operation first."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from ._adapters import Adapted, unchanged
from ._cancellation import CancellationSignal, CancellationSlot, CancellationType
from ._deadlines import Deadline
from ._handler import Completion, Handler, WriteHandler
from ._operation import CompletionToken, Operation, default_token
from ._timers import checked_number, checked_seconds

R = TypeVar("R")
P = TypeVar("P")


@overload
def bind_cancellation_slot(slot: CancellationSlot, token: CompletionToken[R, P], /) -> CompletionToken[R, P]: ...
@overload
def bind_cancellation_slot(slot: CancellationSlot, token: WriteHandler, /) -> CompletionToken[None, None]: ...
def bind_cancellation_slot(slot: CancellationSlot, token: object, /) -> CompletionToken[Any, Any]:
    """Let ``slot`` cancel the operation, beside the token's own cancellation (task cancel, future cancel).

    The signal may be emitted from any thread. Follows Asio's ``bind_cancellation_slot``.
    """
    if not isinstance(slot, CancellationSlot):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
        raise TypeError(f"bind_cancellation_slot: got {slot!r}; pass the slot of a CancellationSignal: signal.slot")

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        def wrap(outer: Handler) -> Handler:
            signal = CancellationSignal()
            executor = operation.executor

            def request(type: CancellationType) -> None:
                # Launched from another thread it may not have begun: the request follows it there.
                (executor.dispatch if operation.has_begun else executor.post)(signal.emit, type)

            slot.assign(request)
            outer.cancellation_slot.assign(signal.emit)

            def release() -> None:
                slot.clear()
                outer.cancellation_slot.clear()

            return _released_first(outer, release, signal)

        return operation.with_handler(wrap, at_once=unchanged)

    return Adapted("bind_cancellation_slot", token, rewrite)


@overload
def cancel_after(
    seconds: float, token: CompletionToken[R, P], /, cancel_type: CancellationType = ...
) -> CompletionToken[R, P]: ...
@overload
def cancel_after(
    seconds: float, token: WriteHandler, /, cancel_type: CancellationType = ...
) -> CompletionToken[None, None]: ...
@overload
def cancel_after(
    seconds: float, /, *, cancel_type: CancellationType = ...
) -> CompletionToken[Operation[int], Operation[Completion]]: ...
def cancel_after(
    seconds: float, token: object = default_token, /, cancel_type: CancellationType = CancellationType.TERMINAL
) -> CompletionToken[Any, Any]:
    """Request cancellation once ``seconds`` have passed since the operation started.

    An operation that stops because of it ends with :class:`TransferTimeout`, which carries the count.
    Follows Asio's ``cancel_after``.

    Args:
        seconds: 0 or more.
        token: any completion token.
        cancel_type: the type of cancellation that is requested.
    """
    seconds = checked_seconds(seconds, "cancel_after")
    return _timed("cancel_after", token, cancel_type, seconds, needs=("call_later",))


@overload
def cancel_at(
    loop_time: float, token: CompletionToken[R, P], /, cancel_type: CancellationType = ...
) -> CompletionToken[R, P]: ...
@overload
def cancel_at(
    loop_time: float, token: WriteHandler, /, cancel_type: CancellationType = ...
) -> CompletionToken[None, None]: ...
@overload
def cancel_at(
    loop_time: float, /, *, cancel_type: CancellationType = ...
) -> CompletionToken[Operation[int], Operation[Completion]]: ...
def cancel_at(
    loop_time: float, token: object = default_token, /, cancel_type: CancellationType = CancellationType.TERMINAL
) -> CompletionToken[Any, Any]:
    """Request cancellation when the loop's clock (``loop.time()``, seconds) reaches ``loop_time``.

    Otherwise like :func:`cancel_after`. Follows Asio's ``cancel_at``.
    """

    told = f"cancel_at={loop_time!r}: pass a time of the loop's clock, loop.time() + seconds"
    loop_time = checked_number(loop_time, told)

    def seconds(executor: Any) -> float:
        now: float = executor.time()
        return max(0.0, loop_time - now)

    return _timed("cancel_at", token, cancel_type, seconds, needs=("call_later", "time"))


def _timed(
    name: str,
    token: object,
    cancel_type: CancellationType,
    seconds: float | Callable[[Any], float],
    needs: tuple[str, ...],
) -> CompletionToken[Any, Any]:
    if not isinstance(cancel_type, CancellationType):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
        raise TypeError(f"cancel_type={cancel_type!r}: pass a CancellationType, for example CancellationType.TERMINAL")

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        executor = operation.executor
        for needed in needs:
            if not hasattr(executor, needed):
                raise TypeError(f"{name}: {executor!r} has no {needed}(); run the stream on an EventLoopExecutor")
        return operation.limited(Deadline(seconds, cancel_type))

    return Adapted(name, token, rewrite)


def _released_first(outer: Handler, release: Callable[[], None], signal: CancellationSignal) -> Handler:
    def complete(*args: Any) -> None:
        release()
        outer(*args)

    handler = outer.replaced(complete, cancellation_slot=signal.slot)
    handler.discard = release
    return handler
