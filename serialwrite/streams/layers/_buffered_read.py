"""BufferedRead: a read of a Buffered. It takes the bytes that are already there before it sets anything else up."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, Self

from ..._composed import TransferOperation
from ..._conditions import TRANSFER_ALL
from ..._deadlines import UNLIMITED, Deadline, Limits
from ..._executors import Executor
from ..._handler import Args, Handler
from ..._operation import CompletionToken, Operation, default_token, deferred, initiate
from ..._sync import blocking_limits, run_blocking
from ..._until import LONGEST_MATCH, Delimiter
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

    def __init__(self, buffered: Any, wanted: Delimiter | int, limits: Limits) -> None:
        self._buffered = buffered
        self._wanted = wanted
        if limits is not UNLIMITED:
            self.limits = limits

    def __repr__(self) -> str:
        if self._rest is not None:
            return repr(self._rest)
        state = "not launched" if self._taken is None else "ended"
        return f"<{self.name} on {self._buffered!r}, {state}: {self.bytes_transferred:,} bytes received>"

    def __await__(self) -> Generator[Any, Any, bytes]:
        if self._launched or self._wrappers:
            return (yield from super().__await__())
        taken: bytes | None = self._buffered._take_now(self._wanted)
        if taken is not None:
            self._taken, self._launched = taken, True
            return taken
        if self._surplus.turn_due:
            return (yield from super().__await__())
        self._launched = True
        general = self._general()
        args = general.attempt()
        line: bytes = (yield from general.await_launched()) if args is None else general.result(args)
        return line

    @property
    def _surplus(self) -> Surplus:
        surplus: Surplus = self._buffered._surplus
        return surplus

    def _turn(self) -> Generator[None, None, None] | None:
        return self._surplus.take_turn() if self._surplus.turn_due and not self._launched else None

    def _try(self) -> Args | None:
        if self._launched:
            return None
        self._taken = self._buffered._take_now(self._wanted)
        if self._taken is None:
            return None
        self._launched = True
        return None, self._taken

    def _begin(self, handler: Handler) -> None:
        self._general().launch(handler)

    def run(self, timeout: float | None, idle_timeout: float | None) -> bytes:
        """Block until it has ended; return the bytes."""
        self.adopt()
        self.limits = blocking_limits(self._buffered, REFILLING, timeout, idle_timeout)
        taken: bytes = run_blocking(self._general())
        return taken

    def done_at_once(self, data: bytes) -> None:
        """Take in that it was tried, awaited, and that ``data`` was there."""
        self._taken, self._launched = data, True

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
        executor: Executor = self._buffered.get_executor()
        return executor

    @property
    def default_token(self) -> CompletionToken[Any, Any]:
        token: CompletionToken[Any, Any] = self._buffered.default_token
        return token

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


class SizedRead(BufferedRead):
    """A read of so many bytes."""

    name = "async_read_exactly"


def started(read: BufferedRead, stream: Any, token: object) -> Any:
    """What ``token`` makes of ``read``, on a Buffered over ``stream``."""
    if token is default_token and getattr(stream, "default_token", deferred) is deferred:
        return read
    return read if token is deferred else initiate(read, token)
