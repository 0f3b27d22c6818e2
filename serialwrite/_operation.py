"""The shapes that everything else is written against: handlers, operations, completion tokens.

An *initiating function* makes an :class:`Operation`: work that is ready to start and has not started.
A :class:`CompletionToken` starts it, now or later, with a :class:`Handler` of its own making,
and gives the caller whatever stands for the result.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import threading
import warnings
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import FunctionType, TracebackType
from typing import Any, Generic, Self, TypeAlias, TypeVar, cast, overload

from ._cancellation import UNCONNECTED, CancellationSignal, CancellationSlot, CancellationType
from ._errors import OperationAborted, TransferError, timed_out
from ._executors import EventLoopExecutor, Executor, PostingExecutor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)

Completion: TypeAlias = tuple[TransferError | None, int]
"""What as_tuple gives: the error or None, and the bytes transferred."""
WriteHandler: TypeAlias = Callable[[TransferError | None, int], object]
Initiation: TypeAlias = "Callable[[Handler], object]"


class Handler:
    """What an operation calls, once, with its result; never inside the function that initiated it.

    Attributes:
        cancellation_slot: where the operation leaves word of how to stop it (connected or not).
        executor: where the handler wants to run; an operation completes it there.
        immediate_executor: where it wants to run when the operation completed at once.
    """

    __slots__ = ("_function", "_immediate_executor", "cancellation_slot", "discard", "executor")

    def __init__(
        self,
        function: Callable[..., object],
        executor: Executor,
        cancellation_slot: CancellationSlot = UNCONNECTED,
        immediate_executor: Executor | None = None,
    ) -> None:
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
    ) -> Handler:
        """A handler with another function, associated with what this one is, or with what is given."""
        return Handler(
            function,
            executor or self.executor,
            cancellation_slot or self.cancellation_slot,
            immediate_executor or self._immediate_executor,
        )

    def __call__(self, *args: Any) -> None:
        function, self._function = self._function, _completed_twice
        function(*args)


class _Noting(Handler):
    """A handler that passes on all that it is called with; a second call is for the one behind it to refuse."""

    __slots__ = ()

    def __call__(self, *args: Any) -> None:
        self._function(*args)


def _completed_twice(*args: object) -> None:
    raise RuntimeError(f"a completion handler was called a second time, with {args!r}")


class Operation(Coroutine[Any, Any, T_co]):
    """Work that is ready to start. Await it, hand it to ``asyncio.create_task``, or call it with a token.

    It launches once. ``bytes_transferred`` and ``remaining`` are true at every moment,
    and stay so after every ending, ``CancelledError`` included.

    Cancellation: cancelling the task that awaits it asks the operation to stop, waits until it has,
    and lets ``CancelledError`` go on.
    """

    name: str = "operation"
    expiring: bool = False  # true while a timer of cancel_after emits: what stops because of it timed out
    _timed = False  # whether there is such a timer
    _count = 0
    _launched = False
    _adopted = False
    _default_taken = False
    _launcher: int | None = None
    _generator: Generator[Any, Any, T_co] | None = None
    error_first: bool = True  # whether the first result is an error, for awaiting forms to raise

    def __init__(
        self,
        initiation: Initiation,
        executor: Executor,
        name: str = "operation",
    ) -> None:
        self._initiation = initiation
        self._executor = executor
        self.name = name

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

    def _claim_launch(self) -> None:
        if self._launched:
            raise RuntimeError(f"this {self.name} was launched before; an operation launches once")
        self._launched = True

    def _start(self, handler: Handler) -> None:
        inline = self._launcher == threading.get_ident()
        try:
            self._begin(handler)
        except Exception as error:
            if inline or self.root is not self:
                raise
            handler(error, 0)

    def _begin(self, handler: Handler) -> None:
        if self._timed:
            handler = self._noting_expiry(handler)
        noting = _Noting(partial(self._note_count, handler), handler.executor, handler.cancellation_slot)
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

        def wrap(outer: Handler) -> Handler:
            return outer.replaced(lambda *args: outer(*change(args)))

        operation = self.rewritten(wrap, at_once=change)
        if error_first is not None:
            operation.error_first = error_first
        return operation

    @overload
    def __call__(self: Operation[int], token: CompletionToken[R, object], /) -> R: ...
    @overload
    def __call__(self: Operation[Completion], token: CompletionToken[object, R], /) -> R: ...
    @overload
    def __call__(self: Operation[int], token: WriteHandler, /) -> None: ...
    def __call__(self, token: object, /) -> object:
        return resolve(token).initiate(cast("Operation[int]", self))

    # -- awaiting ----------------------------------------------------------------------------------

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
        return cast("T_co", self.result(args))

    def _launched_and_awaited(self) -> Generator[Any, Any, tuple[Any, ...]]:
        loop = asyncio.get_running_loop()
        here = EventLoopExecutor(loop)
        signal = CancellationSignal()
        waiter: asyncio.Future[None] | None = None
        completed: list[tuple[Any, ...]] = []

        def complete(*args: Any) -> None:
            completed.append(args)
            if loop.is_closed():
                return  # nobody is left to be told
            here.dispatch(wake)

        def wake() -> None:
            if waiter is not None and not waiter.done():
                waiter.set_result(None)

        self.launch(Handler(complete, self.executor, signal.slot))
        cancelled: asyncio.CancelledError | None = None
        while not completed:
            waiter = loop.create_future()
            try:
                yield from waiter
            except asyncio.CancelledError as error:
                # Ask it to stop, and stay until it has: nothing may go out once this has returned.
                cancelled = error
                self.executor.dispatch(signal.emit)
            except BaseException:  # the coroutine is being closed: nobody will wait
                with contextlib.suppress(RuntimeError):  # its loop may be closed, too
                    self.executor.dispatch(signal.emit)
                raise
        if cancelled is not None:
            raise cancelled
        return completed[0]

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

    def _abandon(self) -> None:
        """It will never be launched, if it was not before."""
        self._launched = self._adopted = True

    def __del__(self) -> None:
        if not (self._launched or self._adopted):
            warnings.warn(
                f"{self.name} was never launched: await it, or give it a completion token",
                RuntimeWarning,
                stacklevel=2,
                source=self,
            )


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

    def attempt(self) -> tuple[Any, ...] | None:
        if self._at_once is None or self._launched:
            return None
        args = self._source.attempt()
        if args is None:
            return None
        self._launched = True
        return self._at_once(args)

    def _abandon(self) -> None:
        if not self._launched:
            self._source._abandon()
        super()._abandon()

    def _begin(self, handler: Handler) -> None:
        source = self._source
        source._claim_launch()
        source._launcher = self._launcher
        wrapped = self._wrap(handler)
        try:
            source._start(wrapped)
        except BaseException:
            if wrapped.discard is not None:
                wrapped.discard()
            raise


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

    @classmethod
    def here(cls) -> Self:
        """The token that the class itself stands for, where it is passed in place of one."""
        return cls()


class Deferred(CompletionToken[Operation[int], Operation[Completion]]):
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
    if callable(token):
        return Callback(token)
    raise TypeError(
        f"token: {token!r} is no completion token; "
        "pass deferred, use_awaitable, use_future, detached or a function handler(error, bytes_transferred)"
    )


def initiate(operation: Operation[Any], token: object) -> Any:
    """Give ``operation`` to ``token``; refused, it does not count as forgotten."""
    try:
        if type(token) is FunctionType and not token.__dict__:  # the commonest token, associated with nothing
            return operation.launch(Handler(token, operation.executor))
        return resolve(token).initiate(operation)
    except BaseException:
        operation._adopted = True
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
    operation: Operation[int] = Operation(initiation, executor, name)
    return initiate(operation, token)
