"""Buffered: a stream that is read by lines or by size. What came after that stays for the next read."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any, Never, overload

from ..._adapting import as_stream
from ..._build import quickened_line, quickened_read
from ..._conditions import CompletionCondition
from ..._deadlines import UNLIMITED, checked_limits
from ..._direction import READING, WRITING, Way, direction_of
from ..._errors import EndOfFile
from ..._executors import running_loop
from ..._operation import Deferred, Operation, default_token
from ..._sync import UNSAID
from ..._until import LONGEST_MATCH, Delimiter, checked_delimiter, checked_size
from ._buffered_read import LINE_END, BufferedRead, LineRead, SizedRead, started
from ._layer import Layer
from ._refill import REFILLING, RefillDirection, SurplusDirection
from ._surplus import LineTransfer, SizedLineTransfer, Surplus

LIMIT_SIZE = 1 << 16  # bytes that may come without a delimiter
NOTHING: Any = None  # a line end or a size is refused with what to write instead


class Buffered(Layer):
    r"""``stream``, with a buffer of its own for what came behind a line, or behind the bytes that were asked for.

    ``lines = Buffered(port)``, then ``await lines.async_readline()``, or ``async for line in lines``.

    Args:
        stream: any stream; of one that can't be read, the first read raises TypeError. Read through the ``Buffered``
            alone: what is read past it may not be what comes next.
        limit: the most bytes that may come without a delimiter. A read that meets this limit ends with TransferError
            (ENOBUFS), whose message says how many came; they stay, and ``async_read`` gives them.

    A read that ends early (timeout, cancellation, end of file) loses nothing. What had come is its ``error.data``
    (and ``operation.data``), and stays for the next read. Writes pass through; a read and a write may be in progress at
    once. ``async for`` ends at EndOfFile; what came behind the last line end is then the last line, as of a file.

    Cancellation: terminal and partial, as ``async_read_until`` has it.

    Follows Asio's ``buffered_read_stream``.
    """

    def __init__(self, stream: Any, limit: int = LIMIT_SIZE) -> None:
        super().__init__(as_stream(stream))
        if not isinstance(limit, int) or isinstance(limit, bool):  # pyright: ignore[reportUnnecessaryIsInstance] # callers may be untyped
            raise TypeError(f"limit={limit!r}: pass a number of bytes, 1 or more")
        if limit < 1:
            raise ValueError(f"limit={limit!r}: pass a number of bytes, 1 or more")
        self._surplus = Surplus(limit)
        self._take_now = self._surplus.take_now

    # -- reading -----------------------------------------------------------------------------------

    @overload  # type: ignore[misc, override] # the delimiter alone: what comes behind it has its place here
    def async_read_until(  # pyright: ignore[reportIncompatibleMethodOverride] # the same
        self,
        delimiter: Delimiter,
        token: Deferred = ...,
        /,
        *,
        longest_match: int = ...,
        timeout: float | None = ...,
        idle_timeout: float | None = ...,
    ) -> Operation[bytes]: ...
    @overload
    def async_read_until(
        self,
        delimiter: Delimiter,
        token: Any,
        /,
        *,
        longest_match: int = ...,
        timeout: float | None = ...,
        idle_timeout: float | None = ...,
    ) -> Any: ...
    @quickened_read(BufferedRead)
    def async_read_until(
        self,
        delimiter: Delimiter,
        token: Any = default_token,
        /,
        *,
        longest_match: int = LONGEST_MATCH,
        timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> Any:
        r"""Read up to and including ``delimiter``: ``reply = await lines.async_read_until(b"\r\n", timeout=1.0)``.

        Args:
            delimiter: bytes, or a compiled bytes pattern; as for :func:`serialwrite.async_read_until`.
            token: how the result is to come; a function is called ``handler(error, data)``.
            longest_match: of a pattern, the most bytes that a match may have.
            timeout: seconds for the whole read; None for no limit.
            idle_timeout: seconds without a byte received, after which the read ends with TransferTimeout.

        Returns:
            What the token gives; awaited: the bytes up to and including the delimiter.

        Raises:
            EndOfFile: the stream ended first; TransferError (ENOBUFS): ``limit`` bytes came without the delimiter.
                Otherwise as :func:`serialwrite.async_read`. What had come is the error's ``data``, and stays.

        Cancellation: terminal and partial; what had come stays for the next read.
        """
        read = BufferedRead(self, checked_delimiter(delimiter, longest_match)[0], checked_limits(timeout, idle_timeout))
        read.longest_match = longest_match
        return started(read, self.stream, token)

    @overload
    def async_readline(
        self, token: Deferred = ..., /, *, timeout: float | None = ..., idle_timeout: float | None = ...
    ) -> Operation[bytes]: ...
    @overload
    def async_readline(
        self, token: Any, /, *, timeout: float | None = ..., idle_timeout: float | None = ...
    ) -> Any: ...
    @quickened_line(LineRead, LINE_END)
    def async_readline(
        self, token: Any = default_token, /, *, timeout: float | None = None, idle_timeout: float | None = None
    ) -> Any:
        r"""Read a line, up to and including ``b"\n"``. Otherwise as :meth:`async_read_until`."""
        if token is not default_token and isinstance(token, bytes | str | int):
            raise _no_line_of(token, "async_")
        limits = UNLIMITED if timeout is None and idle_timeout is None else checked_limits(timeout, idle_timeout)
        return started(LineRead(self, LINE_END, limits), self.stream, token)

    @overload
    def async_read_exactly(
        self, size: int, token: Deferred = ..., /, *, timeout: float | None = ..., idle_timeout: float | None = ...
    ) -> Operation[bytes]: ...
    @overload
    def async_read_exactly(
        self, size: int, token: Any, /, *, timeout: float | None = ..., idle_timeout: float | None = ...
    ) -> Any: ...
    @quickened_read(SizedRead)
    def async_read_exactly(
        self,
        size: int,
        token: Any = default_token,
        /,
        *,
        timeout: float | None = None,
        idle_timeout: float | None = None,
    ) -> Any:
        """Read ``size`` bytes, which may be more than ``limit``. Otherwise as :meth:`async_read_until`."""
        read = SizedRead(self, checked_size(size), checked_limits(timeout, idle_timeout))
        return started(read, self.stream, token)

    def read_until(  # type: ignore[misc, override] # pyright: ignore[reportIncompatibleMethodOverride] # the delimiter alone
        self,
        delimiter: Delimiter,
        /,
        *,
        longest_match: int = LONGEST_MATCH,
        timeout: float | None = UNSAID,
        idle_timeout: float | None = None,
    ) -> bytes:
        """Read up to and including ``delimiter``, and block until it is there; otherwise as :meth:`async_read_until`.

        Where ``timeout`` is not given, a serial port's own ``timeout`` counts; None means without a limit.

        Raises:
            RuntimeError: when called inside a running event loop, which it would block.
        """
        checked_delimiter(delimiter, longest_match)
        return self._blocking(BufferedRead, delimiter, timeout, idle_timeout, longest_match)

    def readline(
        self, refused: Never = NOTHING, /, *, timeout: float | None = UNSAID, idle_timeout: float | None = None
    ) -> bytes:
        r"""Read a line, up to and including ``b"\n"``, and block until it is there; see :meth:`read_until`."""
        if refused is not NOTHING:
            raise _no_line_of(refused)
        return self._blocking(LineRead, LINE_END, timeout, idle_timeout)

    def read_exactly(self, size: int, /, *, timeout: float | None = UNSAID, idle_timeout: float | None = None) -> bytes:
        """Read ``size`` bytes, and block until they are there; see :meth:`read_until`."""
        return self._blocking(SizedRead, checked_size(size), timeout, idle_timeout)

    def _blocking(
        self,
        kind: type[BufferedRead],
        wanted: Delimiter | int,
        timeout: float | None,
        idle_timeout: float | None,
        longest_match: int = LONGEST_MATCH,
    ) -> bytes:
        """Block until what is ``wanted`` is there; return it."""
        if timeout is not UNSAID or idle_timeout is not None:  # before anything is taken
            checked_limits(None if timeout is UNSAID else timeout, idle_timeout)
        taken = self._surplus.take_blocking(wanted)
        if taken is None:  # an operation would take most of the time
            read = kind(self, wanted, UNLIMITED)
            read.longest_match = longest_match
            taken = read.run(timeout, idle_timeout)
        return taken

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        line = self._take_now(LINE_END)
        if line is None:
            try:
                line = await LineRead(self, LINE_END, UNLIMITED)
            except EndOfFile:
                line = self._surplus.take_all()
                if not line:
                    raise StopAsyncIteration from None
        return line

    def __iter__(self) -> Iterator[bytes]:
        if running_loop() is not None:
            raise RuntimeError("a for loop would block the running event loop: write async for line in ... here")
        return self._lines()

    def _lines(self) -> Iterator[bytes]:
        while True:
            try:
                line = self.readline()
            except EndOfFile:
                line = self._surplus.take_all()
                if not line:
                    return
            yield line

    def reset_input_buffer(self) -> int:
        """Drop what has come and was not read: here, and in the driver of the stream below, if that can be asked to.

        Returns:
            Bytes dropped here.
        """
        dropped = len(self._surplus.take_all())
        for below in (self.stream, getattr(self.stream, "serial", None)):
            reset = getattr(below, "reset_input_buffer", None)
            if reset is not None:
                reset()
                break
        return dropped

    # -- how an operation sees it ------------------------------------------------------------------

    def _sized_transfer(self, size: int, condition: CompletionCondition) -> tuple[Way, LineTransfer]:
        """What a read of a size is here, for ``async_read``."""
        return REFILLING, SizedLineTransfer(self._surplus, size, condition)

    @property
    def _write_direction(self) -> Any:
        return direction_of(self.stream, WRITING)

    @property
    def _refill_direction(self) -> Any:
        return RefillDirection(self._surplus, direction_of(self.stream, READING), self.get_executor())

    @property
    def _read_direction(self) -> Any:
        return SurplusDirection(self._surplus, direction_of(self.stream, READING), self.get_executor())


def _no_line_of(what: object, form: str = "") -> TypeError:
    """The error for ``readline`` of another line end, or of a size."""
    return TypeError(
        f"{form}readline({what!r}): a line ends with {LINE_END!r} alone; "
        f"{form}read_until(delimiter) reads up to another end, {form}read_exactly(size) so many bytes"
    )
