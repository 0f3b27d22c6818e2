"""async_initiate: an operation of the user's own, with every completion token."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar, overload

from ._absent import not_awaited
from ._cancellation import CancellationSignal
from ._deadlines import Deadline
from ._errors import OperationAborted, timed_out
from ._executors import Executor, clock_of
from ._handler import Handler, Initiation
from ._operation import CompletionToken, Operation, initiate

R = TypeVar("R")


class InitiatedOperation(Operation[int]):
    """An operation of the user's, made by :func:`async_initiate`."""

    def __init__(self, initiation: Initiation, executor: Executor, name: str) -> None:
        self._initiation = initiation
        self.executor = executor
        self.name = name
        self._count = 0

    @property
    def bytes_transferred(self) -> int:
        return self._count

    if not TYPE_CHECKING:  # its result may be anything

        def __getattr__(self, name: str) -> Any:
            raise not_awaited(self, name)

    def _begin(self, handler: Handler) -> None:
        outer, signal = handler, CancellationSignal()

        def expire(deadline: Deadline) -> None:
            self._expired = self._expired or deadline
            signal.emit(deadline.type)

        def complete(*args: Any) -> None:
            if len(args) > 1 and isinstance(args[1], int):
                self._count = args[1]
            if self._deadlines:
                release()
                if self._expired and args and type(args[0]) is OperationAborted:
                    args = (timed_out(args[0]), *args[1:])
            outer(*args)

        def release() -> None:
            for deadline in self._deadlines:
                deadline.disarm()
            outer.cancellation_slot.clear()

        handler = outer.replaced(complete, once=False)
        if self._deadlines:
            outer.cancellation_slot.assign(signal.emit)
            handler = outer.replaced(complete, cancellation_slot=signal.slot, once=False)
            clock = clock_of(self.executor)
            started = clock()
            for deadline in self._deadlines:
                deadline.start(self.executor, clock, started)
                deadline.arm(expire)
        try:
            self._initiation(handler)
        except BaseException:
            if self._deadlines:
                release()
            raise


@overload
def async_initiate(
    initiation: Initiation, token: CompletionToken[R, Any], executor: Executor, /, *, name: str = ...
) -> R: ...
@overload
def async_initiate(
    initiation: Initiation, token: Callable[..., object], executor: Executor, /, *, name: str = ...
) -> None: ...
def async_initiate(initiation: Initiation, token: object, executor: Executor, /, *, name: str = "operation") -> Any:
    """Give an operation of your own every completion token.

    Args:
        initiation: ``initiation(handler)`` starts the work and returns; the work calls ``handler(error, n)`` once,
            later, never inside ``initiation``. It runs on ``executor``.
        token: any completion token, or a function ``handler(error, n)``.
        executor: where the work is started; initiated from another thread, it is posted there.
        name: what warnings call the operation.

    Returns:
        What the token gives.

    Cancellation: as far as the work assigns to ``handler.cancellation_slot``.

    Follows Asio's ``async_initiate``.
    """
    return initiate(InitiatedOperation(initiation, executor, name), token)
