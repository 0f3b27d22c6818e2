"""Operations: work that is ready to start, until a completion token starts it; and what adapters make of them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, TypeVar, overload

from .._cancellation import CancellationSignal, CancellationType
from .._errors import OperationAborted, timed_out
from .._executors import Executor
from ._awaiting import Awaitable
from ._handler import Completion, Handler, Initiation, Noting, WriteHandler
from ._token import CompletionToken, deferred, resolve

R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)


def initiate(operation: Operation[Any], token: object) -> Any:
    """Give ``operation`` to ``token``; refused, it does not count as forgotten."""
    try:
        # The commonest token: a function of the caller's, associated with nothing.
        if type(token) is FunctionType and not token.__dict__ and token.__module__ != "serialwrite":
            return operation.launch(Handler(token, operation.executor))
        return resolve(token).initiate(operation)
    except BaseException:
        operation._adopted = True
        raise


class Operation(Awaitable[T_co]):
    """Work that is ready to start. Await it, hand it to ``asyncio.create_task``, or call it with a token.

    It launches once. ``bytes_transferred`` and ``remaining`` are true at every moment,
    and stay so after every ending, ``CancelledError`` included.

    Cancellation: cancelling the task that awaits it asks the operation to stop, waits until it has,
    and lets ``CancelledError`` go on.
    """

    expiring: bool = False  # true while a timer of cancel_after emits: what stops because of it timed out
    _timed = False  # whether there is such a timer
    _count = 0
    _default_taken = False
    _launcher: int | None = None
    _nothing: Any = 0  # the result of an operation that was refused
    _begun = False  # from here on its handler's slot has a listener, until it ends

    def __init__(
        self,
        initiation: Initiation,
        executor: Executor,
        name: str = "operation",
    ) -> None:
        self._initiation = initiation
        self._executor = executor
        self.name = name

    def __repr__(self) -> str:
        state = "launched" if self._launched else "not launched"
        return f"<{self.name}, {state}: {self.bytes_transferred:,} bytes transferred>"

    @property
    def __name__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] # asyncio shows it of a task
        return self.name

    @property
    def executor(self) -> Executor:
        """Where the operation runs: its stream's executor."""
        return self._executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        """The token that an initiating function uses when it is given none."""
        return deferred

    @property
    def root(self) -> Operation[Any]:
        """The operation that adapters rewrote to make this one; itself, where none did."""
        return self

    # -- progress ----------------------------------------------------------------------------------

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self._count

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers."""
        return ()

    @property
    def data(self) -> bytes | None:
        """What a read of a size has got so far; None for any other operation."""
        return None

    # -- launching ---------------------------------------------------------------------------------

    def launch(self, handler: Handler) -> None:
        """Start with ``handler``: inside this call when on the executor, else posted to it.

        What can be refused at once (a busy stream, a second launch) is raised here;
        posted to another thread, it goes to the handler.
        """
        self._claim_launch()
        self._launcher = threading.get_ident()
        try:
            self.executor.dispatch(self._start, handler)
        finally:
            self._launcher = None

    def _start(self, handler: Handler) -> None:
        inline = self._launcher == threading.get_ident()
        self._begun = True
        try:
            self._begin(handler)
        except Exception as error:
            if inline:
                raise
            handler(error, self._nothing)

    def _begin(self, handler: Handler) -> None:
        if self._timed:
            handler = self._noting_expiry(handler)
        noting = Noting(partial(self._note_count, handler), handler.executor, handler.cancellation_slot)
        noting._immediate_executor = handler._immediate_executor
        self._initiation(noting)

    def _note_count(self, handler: Handler, *args: Any) -> None:
        if len(args) > 1 and isinstance(args[1], int):
            self._count = args[1]
        handler(*args)

    def _noting_expiry(self, outer: Handler) -> Handler:
        """``outer``, given TransferTimeout in place of an OperationAborted that a timer of ours asked for."""
        signal = CancellationSignal()
        expired = False

        def relay(type: CancellationType) -> None:
            nonlocal expired
            expired = expired or self.expiring
            signal.emit(type)

        def complete(error: Any, *results: Any) -> None:
            outer.cancellation_slot.clear()
            if expired and type(error) is OperationAborted:
                error = timed_out(error)
            outer(error, *results)

        outer.cancellation_slot.assign(relay)
        return outer.replaced(complete, cancellation_slot=signal.slot)

    def attempt(self) -> tuple[Any, ...] | None:
        """Complete inside this call, if that can be done without waiting.

        Returns:
            What the handler would be called with, the operation being over; None when it has to be launched.
        """
        return None

    def rewritten(
        self,
        wrap: Callable[[Handler], Handler],
        *,
        at_once: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None = None,
    ) -> Operation[Any]:
        """This operation as an adapter sees it: started with ``wrap(handler)`` in place of ``handler``.

        Args:
            wrap: makes the handler that this operation is started with.
            at_once: what becomes of the handler's arguments where the operation completes without having been
                started; None where that can't be (the adapter says where handlers run, for example).
        """
        return Rewritten(self, wrap, at_once)

    def changed(
        self, change: Callable[[tuple[Any, ...]], tuple[Any, ...]], *, error_first: bool | None = None
    ) -> Operation[Any]:
        """This operation with the arguments of its handler passed through ``change``."""
        operation = Rewritten(self, partial(_changed, change), change)
        if error_first is not None:
            operation.error_first = error_first
        return operation

    @overload
    def __call__(self: Operation[int], token: CompletionToken[R, object], /) -> R: ...
    @overload
    def __call__(self: Operation[bytes], token: CompletionToken[Any, Any], /) -> Any: ...
    @overload
    def __call__(self: Operation[Completion], token: CompletionToken[object, R], /) -> R: ...
    @overload
    def __call__(self: Operation[int], token: WriteHandler, /) -> None: ...
    def __call__(self, token: object, /) -> object:
        return initiate(self, token)


def _changed(change: Callable[[tuple[Any, ...]], tuple[Any, ...]], outer: Handler) -> Handler:
    return outer.replaced(lambda *args: outer(*change(args)))


class Rewritten(Operation[Any]):
    """An operation as an adapter made it out of another: its ``source``."""

    def __init__(
        self,
        source: Operation[Any],
        wrap: Callable[[Handler], Handler],
        at_once: Callable[[tuple[Any, ...]], tuple[Any, ...]] | None,
    ) -> None:
        self._source = source
        self._wrap = wrap
        self._at_once = at_once
        self.error_first = source.error_first
        source._adopted = True

    @property
    def name(self) -> str:  # type: ignore[override] # the source's
        return self._source.name

    @property
    def executor(self) -> Executor:
        return self._source.executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        return self._source.default_token

    @property
    def root(self) -> Operation[Any]:
        return self._source.root

    @property
    def bytes_transferred(self) -> int:
        return self._source.bytes_transferred

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        return self._source.remaining

    @property
    def data(self) -> bytes | None:
        return self._source.data

    def attempt(self) -> tuple[Any, ...] | None:
        if self._at_once is None or self._launched:
            return None
        args = self._source.attempt()
        if args is None:
            return None
        self._launched = True
        del self._wrap
        return self._at_once(args)

    def _abandon(self) -> None:
        if not self._launched:
            self._source._abandon()
        super()._abandon()

    def launch(self, handler: Handler) -> None:
        """Start the source. What it is started with is made here and now, whichever thread this is.

        So a slot that is bound to it has a listener as soon as this has returned.
        """
        self._claim_launch()
        wrapped = self._wrap(handler)
        del self._wrap  # and with it what an adapter holds for the handler
        try:
            self._source.launch(wrapped)
        except BaseException:
            if wrapped.discard is not None:
                wrapped.discard()
            raise
