"""QuickWrite: the first try of a small write. One system call and a count; whatever else is needed is made later.

It holds no rule: what the stream does not take at once is handed to a :class:`TransferOperation`, with what was written
so far. ``_quick.pyx`` does the same, compiled, for a write that is awaited, and hands to QuickWrite whatever else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, Protocol, Self

from ._build import Port
from ._composed import TransferOperation
from ._conditions import TRANSFER_ALL
from ._cursors import SingleBuffer
from ._deadlines import Deadline, Limits
from ._direction import NOWHERE, WRITING, Direction, take_turn
from ._errors import TransferError
from ._executors import Executor
from ._handler import Args, Handler
from ._operation import CompletionToken, Operation
from ._transfer import Transfer

DONE = object()  # instead of the general operation, if none was needed
# What each operation that completes at once costs of the budget of its direction, beside its bytes.
OPERATION_COST_BYTES = 1 << 12


class QuickDirection(Direction, Protocol):
    """A direction that takes plain ``bytes``, and can be tried before it is claimed while ``idle_thread`` says so."""

    budget: int  # of bytes, before the event loop has to turn

    def running_loop(self) -> asyncio.AbstractEventLoop | None:
        """The stream's event loop, if that is the running one."""
        ...

    def write_one(self, data: bytes, /) -> int:
        """As ``try_now((data,))``."""
        return self.try_now((memoryview(data),))


class QuickStream(Port):
    """A stream whose direction for writing is a QuickDirection."""

    default_token: CompletionToken[Any, Any]

    def get_executor(self) -> Executor:
        """Where its handlers run."""
        raise NotImplementedError


class QuickWrite(Operation[int]):
    """A write of one ``bytes`` object, all of it: tried once, before anything else is made for it.

    What the stream does not take at once is left to a :class:`TransferOperation`, with what was written so far.
    """

    name = "async_write"

    def __init__(self, stream: QuickStream, data: bytes, limits: Limits) -> None:
        self._stream = stream
        self._data = data
        self._limits = limits
        self._rest: Any = None  # the operation that the rest is left to; DONE without a rest

    def __repr__(self) -> str:
        if self._rest not in {None, DONE}:
            return repr(self._rest)
        size, state = len(self._data), "ended" if self._launched else "not launched"
        count = size if self._launched else 0
        return f"<{self.name} on {self._stream!r}, {state}: {count:,} of {size:,} bytes {WRITING.verb}>"

    def __await__(self) -> Generator[Any, Any, int]:
        direction = self._stream._write_direction
        if direction.idle_thread == get_ident() and self._rest is None and self._may_complete_at_once():
            n: int = 0
            failure: Exception | None = None
            try:
                n = direction.write_one(self._data)
            except Exception as error:
                failure = error
            if n == len(self._data) and failure is None:
                self._rest, self._launched = DONE, True
                direction.budget -= n + OPERATION_COST_BYTES
                if direction.budget <= 0:
                    direction.idle_thread = NOWHERE
                if self._wrappers:
                    n = self.result(self._adapted((None, n)))
                return n
            rest = self._rest = tried(self._stream, self._data, self._limits, failure, n)
            failure = None  # its traceback would keep this frame
            if not self._wrappers:
                self._launched = True
                n = yield from rest.await_rest()
                return n
        return (yield from super().__await__())

    def done_at_once(self, _: int) -> None:
        """The stream has taken everything, at the first try."""
        self._rest, self._launched = DONE, True

    def abandon(self) -> None:
        if self._rest is None:
            self._general()  # so that an await does not try it
        super().abandon()

    def _turn(self) -> Generator[None, None, None] | None:
        direction = self._stream._write_direction
        return take_turn(direction, self) if direction.turn_due and not self._launched else None

    def _try(self) -> Args | None:
        direction = self._stream._write_direction
        if direction.idle_thread == get_ident() and not self._launched:
            if self._taken(direction):
                direction.spend(len(self._data))
                self._launched = True
                return None, len(self._data)
            args = self._general().attempt()
            self._launched = args is not None
            return args
        return None

    def launch(self, handler: Handler) -> None:
        if handler.immediate_bound or not self._launched_at_once(handler):
            super().launch(handler)

    def launch_function(self, function: Callable[..., object]) -> None:
        if not self._launched_at_once(function):
            super().launch_function(function)

    def _launched_at_once(self, handler: Callable[..., object]) -> bool:
        """Try once, and have the event loop call ``handler``. False where that can't be, or did not take everything."""
        direction = self._stream._write_direction
        loop = direction.running_loop() if direction.idle_thread == get_ident() else None
        if loop is None or self._launched or self._wrappers:
            return False
        direction.claim(self)
        try:
            taken = self._taken(direction)
        except BaseException:  # the handler of a signal has raised it
            direction.release()
            raise
        if not taken:
            direction.release()
            return False
        self._launched = True
        loop.call_soon(self._deliver, direction, handler)
        return True

    def _begin(self, handler: Handler) -> None:
        self._general().launch(handler)

    def _taken(self, direction: QuickDirection) -> bool:
        """Try once, unless that was done before. True when the stream took everything."""
        if self._rest is not None:
            return False
        try:
            n = direction.write_one(self._data)
        except Exception as error:
            self._rest = tried(self._stream, self._data, self._limits, error, 0)
            return False
        if n == len(self._data):
            self._rest = DONE
            return True
        self._rest = tried(self._stream, self._data, self._limits, None, n)
        return False

    def _deliver(self, direction: QuickDirection, handler: Callable[..., object]) -> None:
        direction.release()
        handler(None, len(self._data))

    def _general(self) -> TransferOperation:
        """The operation that the rest is left to."""
        if self._rest is None:
            self._rest = untried(self._stream, self._data, self._limits)
        return self._rest  # type: ignore[no-any-return]

    def limited(self, *added: Deadline) -> Self:
        self._general().limited(*added)
        return self

    @property
    def executor(self) -> Executor:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride] # asked for late
        return self._stream.get_executor()

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        return self._stream.default_token

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        if self._rest is None:
            return 0
        return len(self._data) if self._rest is DONE else self._rest.bytes_transferred

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's buffers, as new views of them."""
        if self._rest is None:
            return (memoryview(self._data),) if self._data else ()
        return () if self._rest is DONE else self._rest.remaining

    # As the user of a direction: its write is over, and its handler about to be called.

    def end_with(self, error: TransferError) -> None:
        """Nothing is left to end."""

    def detach(self) -> None:
        """Nothing is left to forget."""


def untried(stream: QuickStream, data: bytes, limits: Limits) -> TransferOperation:
    """The operation that a write of ``data`` is left to."""
    transfer = Transfer(SingleBuffer(data, data), TRANSFER_ALL)
    operation = TransferOperation(stream, WRITING, transfer, QuickWrite.name, limits)
    operation.adopt()
    return operation


def tried(stream: QuickStream, data: bytes, limits: Limits, error: Exception | None, n: int) -> TransferOperation:
    """The operation that a write is left to which was tried: that ended with ``error``, or ``n`` bytes were taken."""
    operation = untried(stream, data, limits)
    operation.tried(error, n)
    return operation
