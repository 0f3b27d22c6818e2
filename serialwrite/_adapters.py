"""Tokens that change another token. Each one rewrites the operation, then passes it on."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Generic, TypeVar, overload

from ._errors import TransferError
from ._executors import Executor, executor_of
from ._handler import Completion, Handler, WriteHandler
from ._operation import CompletionToken, Operation, default_token, resolve

R = TypeVar("R")
P = TypeVar("P")
R_co = TypeVar("R_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)


class Adapted(CompletionToken[R_co, P_co], Generic[R_co, P_co]):
    """A token that hands a rewritten operation to another token."""

    def __init__(self, name: str, token: object, rewrite: Callable[[Operation[Any]], Operation[Any]]) -> None:
        self._name = name
        self._token = resolve(token)
        self._rewrite = rewrite

    def initiate(self, operation: Operation[Any], /) -> Any:
        return self._token.initiate(self._rewrite(operation))

    def __repr__(self) -> str:
        return f"{self._name}({self._token!r})"


def unchanged(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return args


# -- what the handler is called with ------------------------------------------------------------------


@overload
def as_tuple(token: CompletionToken[object, P], /) -> CompletionToken[P, P]: ...
@overload
def as_tuple(token: Callable[[Completion], object], /) -> CompletionToken[None, None]: ...
@overload
def as_tuple() -> CompletionToken[Operation[Completion], Operation[Completion]]: ...
def as_tuple(token: object = default_token, /) -> CompletionToken[Any, Any]:
    """Give ``(error, bytes_transferred)`` as the one result, so that nothing is raised. Follows Asio's ``as_tuple``."""

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        return operation.map_result(_as_one, error_first=False)

    return Adapted("as_tuple", token, rewrite)


def _as_one(args: tuple[Any, ...]) -> tuple[Any, ...]:
    return (args,)


class ErrorRef:
    """Holds the error that :func:`redirect_error` takes out of the result; true when it holds one."""

    def __init__(self) -> None:
        self.value: TransferError | None = None

    def __bool__(self) -> bool:
        return self.value is not None

    def __repr__(self) -> str:
        return f"ErrorRef({self.value!r})"


@overload
def redirect_error(token: CompletionToken[R, P], ref: ErrorRef, /) -> CompletionToken[R, P]: ...
@overload
def redirect_error(token: Callable[[int], object], ref: ErrorRef, /) -> CompletionToken[None, None]: ...
def redirect_error(token: object, ref: ErrorRef, /) -> CompletionToken[Any, Any]:
    """Put the error in ``ref`` (None on success), and complete with the rest. Follows Asio's ``redirect_error``.

    A function as token is called ``handler(bytes_transferred)``. Where another adapter has already made the error
    part of the result (``as_tuple``, ``prepend``), the result passes unchanged.
    """
    if not isinstance(ref, ErrorRef):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
        raise TypeError(f"redirect_error: got {ref!r}; pass an ErrorRef()")

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        if not operation.error_first:
            return operation

        def change(args: tuple[Any, ...]) -> tuple[Any, ...]:
            ref.value = args[0]
            return args[1:]

        return operation.map_result(change, error_first=False)

    return Adapted("redirect_error", token, rewrite)


def append(token: object, /, *values: Any) -> CompletionToken[Any, Any]:
    """Add ``values`` after the results: ``handler(error, n, *values)``; awaited, ``(n, *values)``.

    Follows Asio's ``append``.
    """

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        return operation.map_result(lambda args: (*args, *values))

    return Adapted("append", token, rewrite)


def prepend(token: object, /, *values: Any) -> CompletionToken[Any, Any]:
    """Add ``values`` before the results: ``handler(*values, error, n)``. Follows Asio's ``prepend``.

    Awaited, the result is ``(*values, error, n)``: as in Asio, an error that does not come first is not raised.
    """

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        return operation.map_result(lambda args: (*values, *args), error_first=operation.error_first and not values)

    return Adapted("prepend", token, rewrite)


@overload
def consign(token: CompletionToken[R, P], /, *values: Any) -> CompletionToken[R, P]: ...
@overload
def consign(token: WriteHandler, /, *values: Any) -> CompletionToken[None, None]: ...
def consign(token: object, /, *values: Any) -> CompletionToken[Any, Any]:
    """Keep ``values`` alive until the handler has returned. Follows Asio's ``consign``."""

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        def wrap(outer: Handler) -> Handler:
            kept: tuple[Any, ...] | None = values
            # A handler that is bound to another executor would return here before it has run there.
            bound = None if outer.executor is operation.executor else outer.executor

            def call(*args: Any) -> None:
                nonlocal kept
                try:
                    outer(*args)
                finally:
                    kept = None

            return outer.replaced(call if bound is None else partial(bound.dispatch, call))

        return operation.with_handler(wrap, at_once=unchanged)

    return Adapted("consign", token, rewrite)


# -- where it runs ------------------------------------------------------------------------------------


@overload
def bind_executor(executor: Executor, token: CompletionToken[R, P], /) -> CompletionToken[R, P]: ...
@overload
def bind_executor(executor: Executor, token: WriteHandler, /) -> CompletionToken[None, None]: ...
def bind_executor(executor: Executor, token: object, /) -> CompletionToken[Any, Any]:
    """Run the handler on ``executor``. The operation itself stays on the stream's. Follows Asio's ``bind_executor``."""
    executor = executor_of(executor, "bind_executor")

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        return operation.with_handler(
            lambda outer: outer.replaced(lambda *args: executor.dispatch(outer, *args), executor=executor)
        )

    return Adapted("bind_executor", token, rewrite)


@overload
def bind_immediate_executor(executor: Executor, token: CompletionToken[R, P], /) -> CompletionToken[R, P]: ...
@overload
def bind_immediate_executor(executor: Executor, token: WriteHandler, /) -> CompletionToken[None, None]: ...
def bind_immediate_executor(executor: Executor, token: object, /) -> CompletionToken[Any, Any]:
    """Run the handler on ``executor`` when the operation completes at once.

    With ``inline_executor`` the handler then runs inside the initiating function: the one exception to
    "never inline", asked for by name. Follows Asio's ``bind_immediate_executor``.
    """
    executor = executor_of(executor, "bind_immediate_executor")

    def rewrite(operation: Operation[Any]) -> Operation[Any]:
        return operation.with_handler(lambda outer: outer.replaced(outer, immediate_executor=executor))

    return Adapted("bind_immediate_executor", token, rewrite)
