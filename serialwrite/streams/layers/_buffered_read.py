"""BufferedRead: a read of a Buffered. It takes the bytes that are already there before it sets anything else up."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

from ..._composed import TransferOperation
from ..._conditions import TRANSFER_ALL
from ..._deadlines import UNLIMITED, Deadline, Limits, checked_limits
from ..._executors import Executor
from ..._handler import Args, Handler
from ..._operation import CompletionToken, Operation, default_token, deferred, initiate
from ..._sync import UNSAID, blocking_limits, run_blocking
from ..._until import LONGEST_MATCH, Delimiter
from ._layer import Layer
from ._refill import REFILLING
from ._surplus import LineTransfer, SizedLineTransfer, Surplus

LINE_END = b"\n"


class BufferedRead(Operation[bytes]):
    """A read up to ``wanted``, or of so many bytes. What has to be waited for is left to a TransferOperation."""

    name = "async_read_until"
    longest_match: int = LONGEST_MATCH
    limits: Limits = UNLIMITED
    _rest: TransferOperation | None = None  # what it is left to
    _taken: bytes | None = None  # what was taken at once

    def __init__(self, buffered: Layer, surplus: Surplus, wanted: Delimiter | int) -> None:
        self._buffered = buffered
        self._surplus = surplus
        self._wanted = wanted

    def __repr__(self) -> str:
        if self._rest is not None:
            return repr(self._rest)
        state = "not launched" if self._taken is None else "ended"
        return f"<{self.name} on {self._buffered!r}, {state}: {self.bytes_transferred:,} bytes received>"

    def __await__(self) -> Generator[Any, Any, bytes]:
        if self._launched or self._wrappers:
            return (yield from super().__await__())
        taken = self._surplus.take_now(self._wanted)
        if taken is not None:
            self._launched = True
            self._taken = taken
            return taken
        if self._surplus.turn_due:
            return (yield from super().__await__())
        self._launched = True
        general = self._general()
        args = general.attempt()
        line: bytes = (yield from general.await_launched()) if args is None else general.result(args)
        return line

    def _turn(self) -> Generator[None, None, None] | None:
        return self._surplus.take_turn() if self._surplus.turn_due and not self._launched else None

    def _try(self) -> Args | None:
        if self._launched:
            return None
        self._taken = self._surplus.take_now(self._wanted)
        if self._taken is None:
            return None
        self._launched = True
        return None, self._taken

    def _begin(self, handler: Handler) -> None:
        self._general().launch(handler)

    def started(self, token: object, timeout: float | None, idle_timeout: float | None) -> Any:
        """What ``token`` makes of it."""
        if timeout is not None or idle_timeout is not None:
            self._adopted = True  # refused, it is not forgotten
            self.limits = checked_limits(timeout, idle_timeout)
            self._adopted = False
        if token is default_token and getattr(self._buffered.stream, "default_token", deferred) is deferred:
            return self
        return self if token is deferred else initiate(self, token)

    def run(self, timeout: float | None, idle_timeout: float | None) -> bytes:
        """Block until it has ended; return the bytes."""
        self.adopt()
        checked_limits(None if timeout is UNSAID else timeout, idle_timeout)  # before anything is taken
        taken = self._surplus.take_blocking(self._wanted)
        if taken is None:
            self.limits = blocking_limits(self._buffered, REFILLING, timeout, idle_timeout)
            taken = run_blocking(self._general())
        return taken

    def _general(self) -> TransferOperation:
        if self._rest is None:
            wanted, surplus = self._wanted, self._surplus
            if isinstance(wanted, int):
                transfer: LineTransfer = SizedLineTransfer(surplus, wanted, TRANSFER_ALL)
            else:
                transfer = LineTransfer(surplus, wanted, self.longest_match)
            self._rest = TransferOperation(self._buffered, REFILLING, transfer, self.name, self.limits)
            self._rest.adopt()
        return self._rest

    def limited(self, *added: Deadline) -> Self:
        self._general().limited(*added)
        return self

    def undelivered(self) -> None:
        if self._rest is not None:
            self._rest.undelivered()

    @property
    def executor(self) -> Executor:  # type: ignore[override] # pyright: ignore[reportIncompatibleVariableOverride] # asked for late
        return self._buffered.get_executor()

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        return self._buffered.default_token

    @property
    def bytes_transferred(self) -> int:
        """Bytes that have come for it so far."""
        return len(self._taken or b"") if self._rest is None else self._rest.bytes_transferred

    @property
    def data(self) -> bytes:
        """What has come for it so far."""
        return (self._taken if self._rest is None else self._rest.data) or b""


class LineRead(BufferedRead):
    """A read of a line."""

    name = "async_readline"
    _wanted = LINE_END

    def __init__(self, buffered: Layer, surplus: Surplus) -> None:
        self._buffered = buffered
        self._surplus = surplus


class SizedRead(BufferedRead):
    """A read of so many bytes."""

    name = "async_read_exactly"
