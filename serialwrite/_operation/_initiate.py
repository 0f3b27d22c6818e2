"""async_initiate: an operation of the user's own, with every completion token."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, overload

from .._executors import Executor
from ._handler import Initiation
from ._operation import Operation, initiate
from ._token import CompletionToken

R = TypeVar("R")


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
    operation: Operation[int] = Operation(initiation, executor, name)
    return initiate(operation, token)
