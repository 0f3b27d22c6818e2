"""Operation, which is work ready to start, and CompletionToken, which starts it and delivers its result.

An *initiating function* makes an :class:`Operation`. A :class:`CompletionToken` starts it, now or later, with a handler
of its own making, and returns to the caller what represents the result.

The file is long. The two name each other in their types, so neither can stand in a module below the other.
An operation that is called with a token resolves it, so what a token may be stands here too.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import warnings
from abc import abstractmethod
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from types import FunctionType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, Self, TypeAlias, TypeVar, cast, overload

from ._absent import OF_RESULTS, lacks, not_awaited
from ._cancellation import UNCONNECTED, CancellationSignal
from ._conditions import TransferAll, TransferAtLeast, TransferExactly
from ._deadlines import Deadline
from ._executors import Executor
from ._handler import Args, AwaitHandler, Completion, Handler, WriteHandler

R = TypeVar("R")
T_co = TypeVar("T_co", covariant=True)
R_co = TypeVar("R_co", covariant=True)
P_co = TypeVar("P_co", covariant=True)


# What an adapter does to an operation's handler; and to a result that comes without one, None where that can't be.
Wrapper: TypeAlias = tuple[Callable[[Handler], Handler], Callable[[Args], Args] | None]


@lacks(OF_RESULTS, not_awaited)
class Operation(Coroutine[Any, Any, T_co]):
    """Work that is ready to start. Await it, hand it to ``asyncio.create_task``, or call it with a token.

    It launches once. ``bytes_transferred`` and ``remaining`` are true at every moment,
    and stay so after every ending, ``CancelledError`` included.

    Cancellation: cancelling the task that awaits it asks the operation to stop, waits until it has,
    and lets ``CancelledError`` go on.
    """

    # The state that all operations have. An operation that completes at once stores hardly any of it.
    error_first: bool = True  # whether the first result is an error, to be raised
    _launched = False
    _adopted = False  # a token has taken charge of launching it
    _default_taken = False
    _launcher: int | None = None
    has_begun: bool = False  # from here on its handler's slot has a listener, until it ends
    _nothing: Any = 0  # the result of an operation that was refused
    _wrappers: tuple[Wrapper, ...] = ()  # the outermost adapter first
    _deadlines: tuple[Deadline, ...] = ()
    _expired: Deadline | None = None  # that ended it
    _generator: Generator[Any, Any, T_co] | None = None

    def __repr__(self) -> str:
        state = "launched" if self._launched else "not launched"
        return f"<{self.name}, {state}: {self.bytes_transferred:,} bytes transferred>"

    @property
    def __name__(self) -> str:  # pyright: ignore[reportIncompatibleVariableOverride] # asyncio shows it of a task
        return self.name

    # -- what each kind of operation defines ---------------------------------------------------------

    name: str = "operation"  # in messages
    executor: Executor  # where the operation runs: its stream's

    @property
    @abstractmethod
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers, as new views of them."""
        return ()

    @property
    def data(self) -> bytes | None:
        """What a read of a size has got so far; None for any other operation."""
        return None

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        """The token that an initiating function uses when it is given none."""
        return deferred

    @abstractmethod
    def _begin(self, handler: Handler) -> None:
        """Start, on the executor."""

    def undelivered(self) -> None:
        """Its caller was cancelled, and does not get the result, if there is one. May be called again."""
        return

    def _try(self) -> Args | None:
        """Complete inside this call, where that needs no waiting: what the handler would be called with."""
        return None

    # -- who takes charge of it ----------------------------------------------------------------------

    def adopt(self) -> None:
        """A token has taken charge of launching it: it is not forgotten."""
        self._adopted = True

    def take_default_token(self) -> CompletionToken[Any, Any]:
        """The default token; asked again by one that is short for one over the default, ``as_tuple()``, deferred."""
        taken, self._default_taken = self._default_taken, True
        return deferred if taken else self.default_token

    def abandon(self) -> None:
        """It will not be launched, unless it was before."""
        self._launched = True

    # -- launching -----------------------------------------------------------------------------------

    def launch(self, handler: Handler) -> None:
        """Start with ``handler``: inside this call when on the executor, else posted to it.

        What can be refused at once (a busy stream, a second launch) is raised here;
        posted to another thread, it goes to the handler.
        """
        if self._launched:
            raise launched_before(self)
        self._launched = True
        made: list[Handler] = []
        try:
            # On whichever thread this is: a slot that is bound to it has a listener once this has returned.
            wrappers, self._wrappers = self._wrappers, ()  # and with them what an adapter holds for the handler
            for wrap, _ in reversed(wrappers):
                handler = wrap(handler)
                made.append(handler)
            self._launcher = threading.get_ident()
            try:
                self.executor.dispatch(self._start, handler)
            finally:
                self._launcher = None
        except BaseException:
            for each in made:
                if each.discard is not None:
                    each.discard()
            raise

    def launch_function(self, function: Callable[..., object]) -> None:
        """Start with ``function``, which is associated with nothing, as handler."""
        self.launch(Handler(function, self.executor))

    def attempt(self) -> Args | None:
        """Launch it and complete inside this call, where that needs no waiting.

        Returns:
            What the handler would be called with; None where the operation has to be launched.
        """
        args = self._try() if self._may_complete_at_once() else None
        return args if args is None else self._adapted(args)

    def _may_complete_at_once(self) -> bool:
        """Whether no adapter needs a handler."""
        return not self._wrappers or all(at_once is not None for _, at_once in self._wrappers)

    def _adapted(self, args: Args) -> Args:
        """What the adapters make of the result of an operation that has completed inside a call."""
        wrappers, self._wrappers = self._wrappers, ()
        for _, at_once in wrappers:
            args = at_once(args) if at_once is not None else args
        return args

    def _start(self, handler: Handler) -> None:
        inline = self._launcher == threading.get_ident()
        self.has_begun = True
        try:
            self._begin(handler)
        except Exception as error:
            if inline:
                raise
            handler(error, self._nothing)  # the initiating call has returned: it can't raise

    # -- adapters ------------------------------------------------------------------------------------

    def with_handler(
        self, wrap: Callable[[Handler], Handler], *, at_once: Callable[[Args], Args] | None = None
    ) -> Operation[Any]:
        """This operation as an adapter sees it: started with ``wrap(handler)`` instead of ``handler``.

        Args:
            wrap: makes the handler that this operation is started with.
            at_once: what becomes of the handler's arguments if the operation completes without having been started.
                None if it has to be started: the adapter says where handlers run, for example.
        """
        self._wrappers = (*self._wrappers, (wrap, at_once))
        return self

    def map_result(self, change: Callable[[Args], Args], *, error_first: bool | None = None) -> Operation[Any]:
        """This operation with the arguments of its handler passed through ``change``."""
        if error_first is not None:
            self.error_first = error_first
        self._wrappers = (*self._wrappers, (partial(_mapped, change), change))
        return self

    @property
    def deadlines(self) -> tuple[Deadline, ...]:
        """What ends this operation by its time."""
        return self._deadlines

    def limited(self, *added: Deadline) -> Self:
        """This operation, cancelled when one of the deadlines ``added`` is due; it then ends with TransferTimeout."""
        self._deadlines += added
        return self

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

    # -- awaited -------------------------------------------------------------------------------------

    def first_error(self, args: Args) -> Any:
        """The error that comes first among the arguments of a handler, or None."""
        return args[0] if self.error_first else None

    def result(self, args: Args) -> Any:
        """The arguments of a handler as one value; an error that comes first is raised."""
        if self.first_error(args) is not None:
            try:
                raise args[0]
            finally:
                del args  # the traceback keeps this frame
        args = args[1:] if self.error_first else args
        return args[0] if len(args) == 1 else (args or None)

    def _turn(self) -> Generator[None, None, None] | None:
        """Lets the event loop turn, where that is due before the operation starts (rule 9)."""
        return None

    def __await__(self) -> Generator[Any, Any, T_co]:
        turn = self._turn()
        if turn is not None:
            yield from turn
        args = self.attempt()
        if args is None:
            return (yield from self.await_launched())
        try:
            result: T_co = self.result(args)
        finally:
            del args  # see result()
        return result

    def await_launched(self) -> Generator[Any, Any, T_co]:
        """Launch it, and wait for its result."""
        signal = CancellationSignal()
        awaiting = AwaitHandler(asyncio.get_running_loop(), self.executor, signal.slot, signal.emit)
        self.launch(awaiting)
        try:
            args = yield from awaiting.wait()
        except BaseException:
            self.undelivered()
            raise
        try:
            result: T_co = self.result(args)
        finally:
            del args  # see result()
        return result

    def _running(self) -> Generator[Any, Any, T_co]:
        if self._generator is None:
            self._generator = self.__await__()
        elif inspect.getgeneratorstate(self._generator) == inspect.GEN_CLOSED:
            raise launched_before(self)  # by a second task: it would see an empty success
        return self._generator

    def send(self, value: Any, /) -> Any:
        return self._running().send(value)

    def throw(self, typ: Any, val: BaseException | object = None, tb: TracebackType | None = None, /) -> Any:
        if self._generator is None:  # a task that was cancelled before its first step
            self.abandon()
        return self._running().throw(typ) if val is None and tb is None else self._running().throw(typ, val, tb)

    def close(self) -> None:
        self.abandon()  # closed on purpose: no warning
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


def launched_before(operation: Operation[Any]) -> RuntimeError:
    return RuntimeError(f"this {operation.name} was launched before; an operation launches once")


def _mapped(change: Callable[[Args], Args], outer: Handler) -> Handler:
    return outer.replaced(lambda *args: outer(*change(args)))


# -- completion tokens -------------------------------------------------------------------------------


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
        """Take charge of ``operation``: launch it, or keep it, and return what represents its result."""
        raise NotImplementedError(f"{type(self).__name__} must define initiate(operation)")

    if not TYPE_CHECKING:  # a checker would take tokens for handlers

        def __call__(self, *_: object, **__: object) -> None:
            raise TypeError(f"{self!r} is a completion token already; pass it without ()")

    @classmethod
    def here(cls) -> Self:
        """The token that is used when the class itself is passed instead of one."""
        return cls()


class Deferred(CompletionToken["Operation[int]", "Operation[Completion]"]):
    """The token that starts nothing: the call returns the operation. Follows Asio's ``deferred``."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        return operation

    def __repr__(self) -> str:
        return "deferred"


class DefaultToken(Deferred):
    """The default of a token that was not given: the stream's ``default_token``, or ``deferred`` where it has none."""

    def initiate(self, operation: Operation[Any], /) -> Any:
        token = operation.take_default_token()
        return operation if token is deferred else resolve(token).initiate(operation)


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
    """``token`` as a completion token; a plain function becomes the token that calls it."""
    if isinstance(token, CompletionToken):
        return token  # pyright: ignore[reportUnknownVariableType] # what it makes of a result is between it and its user
    if _is_token_class(token):
        here: CompletionToken[Any, Any] = cast("Any", token).here()
        return here
    function = getattr(token, "__wrapped__", token)  # a compiled function replaces a Python function
    if isinstance(function, FunctionType) and function.__module__.partition(".")[0] == "serialwrite":
        raise TypeError(
            f"token: got the function {function.__name__} itself; pass what it returns: {function.__name__}(...), "
            "or a handler of your own"
        )
    if isinstance(token, TransferAll | TransferAtLeast | TransferExactly):
        raise TypeError("token: got a completion condition; pass it as completion_condition=")
    if callable(token):
        return Callback(token)
    hint = ", not what calling it gave" if token is None else ""
    raise TypeError(
        f"token: {token!r} is not a completion token; pass deferred, use_awaitable, use_future, detached "
        f"or a function handler(error, bytes_transferred){hint}"
    )


def initiate(operation: Operation[Any], token: object) -> Any:
    """Give ``operation`` to ``token``; refused, it does not count as forgotten."""
    try:
        # The commonest token: a function of the caller's, associated with nothing.
        if type(token) is FunctionType and not token.__dict__ and token.__module__ != "serialwrite":
            return operation.launch_function(token)
        return resolve(token).initiate(operation)
    except BaseException:
        operation.adopt()
        raise
