"""Completion tokens: who decides what the caller of an initiating function gets back."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, cast, overload

from .._cancellation import UNCONNECTED
from .._executors import Executor
from ._handler import Completion, Handler

if TYPE_CHECKING:
    from ._operation import Operation

R_co = TypeVar("R_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)


class CompletionToken(Generic[R_co, P_co]):
    """Decides what the caller of an initiating function gets back. Subclass it to make a token of your own.

    ``R_co`` is what the call returns when the operation's result is a count of bytes, ``P_co`` when it is the pair
    ``(error, count)``: Python has no type for "awaitable of whatever", so a token names both.
    """

    @overload
    def initiate(self, operation: Operation[int], /) -> R_co: ...
    @overload
    def initiate(self, operation: Operation[Completion], /) -> P_co: ...
    def initiate(self, operation: Operation[Any], /) -> Any:
        """Take charge of ``operation``: launch it, or keep it, and return what stands for its result."""
        raise NotImplementedError(f"{type(self).__name__} must define initiate(operation)")

    if not TYPE_CHECKING:  # a checker would take tokens for handlers

        def __call__(self, *_: object, **__: object) -> None:
            raise TypeError(f"{self!r} is a completion token already; pass it without ()")

    @classmethod
    def here(cls) -> Self:
        """The token that the class itself stands for, where it is passed in place of one."""
        return cls()


class Deferred(CompletionToken["Operation[int]", "Operation[Completion]"]):
    """The token that starts nothing: the call returns the operation. Follows Asio's ``deferred``."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        return operation

    def __repr__(self) -> str:
        return "deferred"


class DefaultToken(Deferred):
    """Stands for a token that was not given: the stream's ``default_token``, or ``deferred`` where it has none."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        root = operation.root
        if root._default_taken:  # the default is itself short for one over deferred: as_tuple(), cancel_after(1.0)
            return operation
        root._default_taken = True
        return resolve(operation.default_token).initiate(operation)


deferred: Deferred = Deferred()
default_token: DefaultToken = DefaultToken()


class Callback(CompletionToken[None, None]):
    """A function as a token: it is called with the result, on the operation's executor."""

    def __init__(self, function: Callable[..., object]) -> None:
        self._function = function

    def initiate(self, operation: Operation[Any], /) -> None:
        function = self._function
        executor: Executor | None = getattr(function, "executor", None)
        if isinstance(function, Handler):
            operation.launch(function)
        else:
            operation.launch(
                Handler(
                    function if executor is None else partial(executor.dispatch, function),
                    executor or operation.executor,
                    getattr(function, "cancellation_slot", UNCONNECTED),
                    getattr(function, "immediate_executor", None),
                )
            )


def _is_token_class(token: object) -> bool:
    return isinstance(token, type) and issubclass(token, CompletionToken)


def resolve(token: object) -> CompletionToken[Any, Any]:
    """``token`` as a completion token; a plain function stands for the token that calls it."""
    if isinstance(token, CompletionToken):
        return cast("Any", token)  # type: ignore[no-any-return] # what it makes of a result is between it and its user
    if _is_token_class(token):
        here: CompletionToken[Any, Any] = cast("Any", token).here()
        return here
    if isinstance(token, FunctionType) and token.__module__ == "serialwrite":
        raise TypeError(
            f"token: got the function {token.__name__} itself; pass what it returns: {token.__name__}(...), "
            "or a handler of your own"
        )
    if callable(token):
        return Callback(token)
    hint = ", not what calling it gave" if token is None else ""
    raise TypeError(
        f"token: {token!r} is not a completion token; pass deferred, use_awaitable, use_future, detached "
        f"or a function handler(error, bytes_transferred){hint}"
    )
