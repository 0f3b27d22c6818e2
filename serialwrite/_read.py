"""async_read and async_read_until: the mirror of ``_write``."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar, overload

from ._buffers import Buffers, DynamicBuffer
from ._conditions import MAX_TRANSFER, TRANSFER_ALL, CompletionCondition
from ._errors import TransferError
from ._operation import CompletionToken, Operation, default_token, deferred, initiate
from ._sync import run_blocking
from ._timers import checked_timeout
from ._transfer import Reading
from .streams._adapt import ReadTarget, as_stream
from .streams._pollable import PollableStream

R = TypeVar("R")
Delimiter: TypeAlias = bytes | re.Pattern[bytes]


class ReadOperation(Reading):
    """A composed read that is ready to start; see :func:`async_read`."""

    name = "async_read"


class ReadUntilOperation(Reading):
    """A read up to a delimiter, ready to start; see :func:`async_read_until`."""

    name = "async_read_until"

    def __init__(
        self,
        stream: Any,
        dynamic: DynamicBuffer,
        delimiter: Delimiter,
        timeout: float | None,
        idle_timeout: float | None,
    ) -> None:
        super().__init__(stream, dynamic, self._more, timeout, idle_timeout)
        self._data = dynamic.data
        self._delimiter = delimiter
        self._searched = 0  # bytes from the front that hold no start of the delimiter
        self._end = 0  # just behind the delimiter, once it was found

    @property
    def asks_nobody(self) -> bool:
        return True  # the condition is our own

    def _more(self, error: TransferError | None, n: int) -> int:
        """The completion condition: go on until the delimiter is in the buffer."""
        if isinstance(self._delimiter, bytes):
            found = self._data.find(self._delimiter, self._searched)
            end = found + len(self._delimiter) if found >= 0 else 0
            self._searched = max(0, len(self._data) - len(self._delimiter) + 1)
        else:
            match = self._delimiter.search(self._data)
            end = match.end() if match else 0
        self._end = end
        return 0 if error or end else MAX_TRANSFER

    def _finish(self, error: BaseException | None) -> None:
        if self._end:
            error = None
        elif error is None:
            error = TransferError(errno.ENOBUFS, "the buffer is at its max_size, and the delimiter has not come")
        super()._finish(error)

    def _result(self) -> int:
        return self._end or self.bytes_transferred


@overload
def async_read(
    stream: ReadTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
) -> Operation[int]: ...
@overload
def async_read(
    stream: ReadTarget,
    buffers: Buffers,
    token: CompletionToken[R, Any],
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
) -> R: ...
@overload
def async_read(
    stream: ReadTarget,
    buffers: Buffers,
    token: Callable[[Any, int], object],
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
) -> None: ...
def async_read(
    stream: Any,
    buffers: Any,
    token: object = default_token,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> Any:
    """Read until ``buffers`` are full, in as many read_some calls as it takes, and say exactly how far it got.

    ``n = await async_read(port, reply := bytearray(16), timeout=1.0)``

    Args:
        stream: any stream with ``async_read_some``, or what :func:`as_stream` adapts.
        buffers: one writable bytes-like or an iterable of them, of any itemsize; or a ``dynamic_buffer``, which grows:
            give a ``completion_condition`` with it, or it reads to the end of the stream.
        token: how the result is to come; by default the stream's ``default_token``, which is ``deferred``.
        completion_condition: after each step, whether to go on; by default until the buffers are full.
        timeout: seconds for the whole read; None for no limit. Short for ``cancel_after(timeout, token)``.
        idle_timeout: seconds without a byte received, after which the read ends with TransferTimeout; None: no limit.

    Returns:
        What the token gives; awaited: the bytes read.

    Raises:
        TypeError, ValueError: at once, for an argument that can't be used; nothing is read.
        StreamBusy: at once, while another read is in progress on the stream. A write may be: the directions are apart.
        EndOfFile: the stream ended first. Otherwise as :func:`async_write`. Each with ``bytes_transferred``:
            so many bytes are in ``buffers``, and none was lost.

    Cancellation: terminal and partial; what was read stays in ``buffers``.

    Follows Asio's ``async_read``.
    """
    return _initiate(_reading(stream, buffers, completion_condition, timeout, idle_timeout), token)


@overload
def async_read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer,
    delimiter: Delimiter,
    /,
    *,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
) -> Operation[int]: ...
@overload
def async_read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer,
    delimiter: Delimiter,
    token: CompletionToken[R, Any],
    /,
    *,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
) -> R: ...
@overload
def async_read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer,
    delimiter: Delimiter,
    token: Callable[[Any, int], object],
    /,
    *,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
) -> None: ...
def async_read_until(
    stream: Any,
    dynamic_buffer: Any,
    delimiter: Any,
    token: object = default_token,
    /,
    *,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> Any:
    r"""Read until ``delimiter`` is in the buffer.

    ``n = await async_read_until(port, buffer, b"\r\n", timeout=1.0); line = buffer.data[:n]; buffer.consume(n)``

    Args:
        stream: any stream with ``async_read_some``, or what :func:`as_stream` adapts.
        dynamic_buffer: grows by what is read; what came after the delimiter stays in it for the next read.
            Data that is in it already is searched first, and may be enough.
        delimiter: bytes, or a compiled bytes pattern (``re.compile(rb"OK|ERROR")``). A pattern is matched against what
            is there so far: one that could match more of what is still to come ends as soon as it matches.
        token: how the result is to come; by default the stream's ``default_token``, which is ``deferred``.
        timeout: seconds for the whole read; None for no limit.
        idle_timeout: seconds without a byte received, after which the read ends with TransferTimeout; None: no limit.

    Returns:
        What the token gives; awaited: the bytes in the buffer up to and including the delimiter.

    Raises:
        EndOfFile: the stream ended first; TransferError (ENOBUFS): the buffer is at its ``max_size``. Otherwise as
            :func:`async_read`. What was read is in the buffer.

    Cancellation: terminal and partial; what was read stays in the buffer.

    Follows Asio's ``async_read_until``.
    """
    return _initiate(_until(stream, dynamic_buffer, delimiter, timeout, idle_timeout), token)


def read(
    stream: ReadTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> int:
    """Read until ``buffers`` are full, and block until they are; otherwise as :func:`async_read`.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.

    Follows Asio's ``read``.
    """
    return run_blocking(_reading(stream, buffers, completion_condition, timeout, idle_timeout))


def read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer,
    delimiter: Delimiter,
    /,
    *,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> int:
    """Read until ``delimiter`` is in the buffer, and block until it is; otherwise as :func:`async_read_until`.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.

    Follows Asio's ``read_until``.
    """
    return run_blocking(_until(stream, dynamic_buffer, delimiter, timeout, idle_timeout))


def _reading(
    stream: Any, buffers: Any, condition: CompletionCondition, timeout: float | None, idle_timeout: float | None
) -> ReadOperation:
    return ReadOperation(_adapted(stream), buffers, condition, *_limits(timeout, idle_timeout))


def _until(
    stream: Any, dynamic: Any, delimiter: Any, timeout: float | None, idle_timeout: float | None
) -> ReadUntilOperation:
    if not isinstance(dynamic, DynamicBuffer):
        raise TypeError(f"dynamic_buffer: got {type(dynamic).__name__}; pass dynamic_buffer(a_bytearray)")
    pattern: Any = getattr(delimiter, "pattern", delimiter)
    if isinstance(pattern, str):
        raise TypeError("delimiter: got text; pass bytes, or a pattern of bytes: re.compile(rb'...')")
    if not isinstance(pattern, bytes) or not pattern:
        raise TypeError("delimiter: pass bytes, at least one, or a compiled pattern of bytes")
    return ReadUntilOperation(_adapted(stream), dynamic, delimiter, *_limits(timeout, idle_timeout))


def _adapted(stream: Any) -> Any:
    return stream if isinstance(stream, PollableStream) else as_stream(stream)


def _limits(timeout: float | None, idle_timeout: float | None) -> tuple[float | None, float | None]:
    return checked_timeout(timeout), checked_timeout(idle_timeout, "idle_timeout")


def _initiate(operation: Reading, token: object) -> Any:
    if token is default_token and getattr(operation._stream, "default_token", deferred) is deferred:
        return operation
    return operation if token is deferred else initiate(operation, token)
