"""async_read and async_read_until: the mirror of ``_write``."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from numbers import Integral
from typing import Any, Never, TypeVar, Unpack, overload

from ._adapting import ReadTarget, as_stream
from ._buffers import Buffers, DynamicBuffer
from ._composed import TransferOperation
from ._conditions import TRANSFER_ALL, CompletionCondition
from ._deadlines import Limits, checked_limits
from ._direction import READING
from ._given_buffers import read_into
from ._operation import CompletionToken, Deferred, Operation, default_token, deferred, initiate
from ._options import TransferOptions, UntilOptions, unexpected
from ._stackful import yield_context
from ._sync import UNSAID, blocking_limits, run_blocking
from ._tokens import OperationFuture, OperationPromise, UseAwaitable, UseFuture, UsePromise
from ._transfer import Transfer
from ._until import LONGEST_MATCH, Delimiter, SizedTransfer, UntilTransfer, checked_delimiter, checked_size

R = TypeVar("R")
MISSING: Any = None  # refused with what to write instead, which Python's own message would not say
ALONE = (
    "read_until of a delimiter alone: this stream has no place for what comes behind it; "
    "make lines = Buffered(stream) once, and call read_until(delimiter), or async_read_until, on that"
)


@overload
def async_read(stream: ReadTarget, buffers: Buffers, /, **options: Unpack[TransferOptions]) -> Operation[int]: ...
@overload
def async_read(
    stream: ReadTarget, buffers: Buffers, token: CompletionToken[R, Any], /, **options: Unpack[TransferOptions]
) -> R: ...
@overload
def async_read(
    stream: ReadTarget, buffers: Buffers, token: Callable[[Any, int], object], /, **options: Unpack[TransferOptions]
) -> None: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: Deferred = ..., /, **options: Unpack[TransferOptions]
) -> Operation[bytes]: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: UseAwaitable, /, **options: Unpack[TransferOptions]
) -> Coroutine[Any, Any, bytes]: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: UseFuture, /, **options: Unpack[TransferOptions]
) -> OperationFuture[bytes]: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: UsePromise, /, **options: Unpack[TransferOptions]
) -> OperationPromise[bytes]: ...
@overload
def async_read(  # type: ignore[overload-overlap] # a class could be a number and a buffer
    stream: ReadTarget, buffers: int, token: yield_context | type[yield_context], /, **options: Unpack[TransferOptions]
) -> bytes: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: CompletionToken[None, None], /, **options: Unpack[TransferOptions]
) -> None: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: CompletionToken[Any, Any], /, **options: Unpack[TransferOptions]
) -> Any: ...
@overload
def async_read(
    stream: ReadTarget, buffers: int, token: Callable[[Any, bytes], object], /, **options: Unpack[TransferOptions]
) -> None: ...
def async_read(
    stream: Any,
    buffers: Any = MISSING,
    token: object = default_token,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
    idle_timeout: float | None = None,
    **unknown: Any,
) -> Any:
    """Read until ``buffers`` are full, in as many read_some calls as it takes, and say exactly how far it got.

    ``n = await async_read(port, reply := bytearray(16), timeout=1.0)``

    ``reply = await async_read(port, 16, timeout=1.0)``

    Args:
        stream: any stream with ``async_read_some``, or what :func:`as_stream` adapts.
        buffers: one writable bytes-like or an iterable of them, of any itemsize; or a size, 0 bytes or more; or a
            ``dynamic_buffer``, which grows. Pass a ``completion_condition`` with a ``dynamic_buffer``: without one, the
            read goes on to the end of the stream.
        token: how the result is to come; by default the stream's ``default_token``, which is ``deferred``.
        completion_condition: after each step, whether to go on; by default until the buffers are full.
        timeout: seconds for the whole read; None for no limit. Short for ``cancel_after(timeout, token)``.
        idle_timeout: seconds without a byte received, after which the read ends with TransferTimeout; None: no limit.

    Returns:
        What the token gives; awaited: the number of bytes read. Of a size, the bytes themselves: then
        a function as token is called ``handler(error, data)``.

    Raises:
        TypeError, ValueError: at once, for an argument that can't be used; nothing is read.
        StreamBusy: at once, while another read is in progress on the stream. A write may be: the directions are apart.
        EndOfFile: the stream ended first. Otherwise as :func:`async_write`. Each with ``bytes_transferred``:
            so many bytes are in ``buffers``, and none was lost. Of a size, what had come is the error's ``data``.

    Cancellation: terminal and partial; what was read stays in ``buffers``. Of a size, it is the operation's ``data``.

    Follows Asio's ``async_read``.
    """
    if unknown:
        raise unexpected("async_read", unknown, "async_read(4)")
    return _initiate(_reading(stream, buffers, completion_condition, checked_limits(timeout, idle_timeout)), token)


@overload
def async_read_until(
    stream: ReadTarget, dynamic_buffer: DynamicBuffer, delimiter: Delimiter, /, **options: Unpack[UntilOptions]
) -> Operation[int]: ...
@overload
def async_read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer,
    delimiter: Delimiter,
    token: CompletionToken[R, Any],
    /,
    **options: Unpack[UntilOptions],
) -> R: ...
@overload
def async_read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer,
    delimiter: Delimiter,
    token: Callable[[Any, int], object],
    /,
    **options: Unpack[UntilOptions],
) -> None: ...
def async_read_until(
    stream: Any,
    dynamic_buffer: Any = MISSING,
    delimiter: Any = MISSING,
    token: object = default_token,
    /,
    *,
    longest_match: int = LONGEST_MATCH,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> Any:
    r"""Read until ``delimiter`` is in the buffer.

    ``n = await async_read_until(port, buffer, b"\r\n", timeout=1.0); line = buffer.data[:n]; buffer.consume(n)``

    Args:
        stream: any stream with ``async_read_some``, or what :func:`as_stream` adapts.
        dynamic_buffer: grows by what is read; what came after the delimiter stays in it for the next read.
            Data that is in it already is searched first, and may be enough.
        delimiter: bytes, or a compiled bytes pattern (``re.compile(rb"OK|ERROR")``). A pattern is matched against the
            bytes that have come so far. The read ends as soon as it matches, even if it could match more of what is
            still to come.
        longest_match: of a pattern, the most bytes that a match may have. What has come is searched once; before what
            is new, so many bytes are searched again, in which a match may have begun. A longer match may not be found.
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
    limits = checked_limits(timeout, idle_timeout)
    return _initiate(_until(stream, dynamic_buffer, delimiter, longest_match, limits), token)


@overload
def read(stream: ReadTarget, buffers: int, /, **options: Unpack[TransferOptions]) -> bytes: ...
@overload
def read(stream: ReadTarget, buffers: Buffers, /, **options: Unpack[TransferOptions]) -> int: ...
def read(
    stream: Any,
    buffers: Any = MISSING,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = UNSAID,
    idle_timeout: float | None = None,
    **unknown: Any,
) -> Any:
    """Read until ``buffers`` are full, and block until they are; otherwise as :func:`async_read`.

    Where ``timeout`` is not given, a serial port's own ``timeout`` counts; None means without a limit.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.
        KeyboardInterrupt, or what else a signal handler raises: with ``bytes_transferred`` and a note that has it.

    Follows Asio's ``read``.
    """
    if unknown:
        raise unexpected("read", unknown, "read(4)")
    stream = as_stream(stream)
    limits = blocking_limits(stream, READING, timeout, idle_timeout)
    return run_blocking(_reading(stream, buffers, completion_condition, limits))


def read_until(
    stream: ReadTarget,
    dynamic_buffer: DynamicBuffer = MISSING,
    delimiter: Delimiter = MISSING,
    /,
    *,
    longest_match: int = LONGEST_MATCH,
    timeout: float | None = UNSAID,
    idle_timeout: float | None = None,
    **unknown: Never,
) -> int:
    """Read until ``delimiter`` is in the buffer, and block until it is; otherwise as :func:`async_read_until`.

    Where ``timeout`` is not given, a serial port's own ``timeout`` counts; None means without a limit.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.
        KeyboardInterrupt, or what else the handler of a signal raises: as from :func:`read`.

    Follows Asio's ``read_until``.
    """
    if unknown:
        raise TypeError(f"read_until() has no argument {'=, '.join(unknown)}=; {ALONE}")
    stream = as_stream(stream)
    limits = blocking_limits(stream, READING, timeout, idle_timeout)
    n: int = run_blocking(_until(stream, dynamic_buffer, delimiter, longest_match, limits))
    return n


def _reading(stream: Any, buffers: Any, condition: CompletionCondition, limits: Limits) -> TransferOperation:
    stream = as_stream(stream)
    if buffers is MISSING:
        raise TypeError("buffers: got nothing; pass a size in bytes, or memory to read into")
    if isinstance(buffers, Integral):
        size = checked_size(buffers)
        made = getattr(stream, "_sized_transfer", None)  # of one that keeps what had come when a read ended early
        if made is not None:
            way, transfer = made(size, condition)
            return TransferOperation(stream, way, transfer, "async_read", limits)
        return _operation(stream, SizedTransfer(size, condition), "async_read", limits)
    return _operation(stream, Transfer(read_into(buffers), condition), "async_read", limits)


def _until(stream: Any, dynamic: Any, delimiter: Any, longest_match: Any, limits: Limits) -> TransferOperation:
    if dynamic is MISSING or isinstance(dynamic, (bytes, re.Pattern)):
        raise TypeError(ALONE)
    if not isinstance(dynamic, DynamicBuffer):
        raise TypeError(f"dynamic_buffer: got {type(dynamic).__name__}; pass dynamic_buffer(a_bytearray)")
    transfer = UntilTransfer(dynamic, *checked_delimiter(delimiter, longest_match))
    return _operation(as_stream(stream), transfer, "async_read_until", limits)


def _operation(stream: Any, transfer: Transfer, name: str, limits: Limits) -> TransferOperation:
    return TransferOperation(stream, READING, transfer, name, limits)


def _initiate(operation: TransferOperation, token: object) -> Any:
    if token is default_token and operation.default_token is deferred:
        return operation
    return operation if token is deferred else initiate(operation, token)
