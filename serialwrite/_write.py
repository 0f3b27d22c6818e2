"""async_write: one or more write_some calls, until a condition says stop. Start reading here.

A call makes an :class:`Operation`, which a token launches. A ``TransferOperation`` (``_composed``) feeds a ``Transfer``
(``_transfer``) with the steps of a ``Direction`` (``_direction``), which reaches the operating system in ``streams``.
One ``bytes`` object is tried first, before any of these is made (``_quick``; compiled, where this build is).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, Unpack, overload

from ._adapting import WriteTarget, as_stream
from ._buffers import Buffers
from ._build import quickened
from ._composed import TransferOperation
from ._conditions import TRANSFER_ALL, CompletionCondition
from ._deadlines import UNLIMITED, Limits, checked_limits
from ._direction import WRITING
from ._given_buffers import written, written_plain
from ._operation import CompletionToken, Operation, default_token, deferred, initiate
from ._options import TransferOptions
from ._quick import OPERATION_COST_BYTES, QuickStream, QuickWrite, tried
from ._sync import UNSAID, blocking_limits, run_blocking
from ._transfer import Transfer

R = TypeVar("R")


@overload
def async_write(stream: WriteTarget, buffers: Buffers, /, **options: Unpack[TransferOptions]) -> Operation[int]: ...
@overload
def async_write(
    stream: WriteTarget, buffers: Buffers, token: CompletionToken[R, Any], /, **options: Unpack[TransferOptions]
) -> R: ...
@overload
def async_write(
    stream: WriteTarget, buffers: Buffers, token: Callable[[Any, int], object], /, **options: Unpack[TransferOptions]
) -> None: ...
def async_write(
    stream: Any,
    buffers: Any,
    token: object = default_token,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> Any:
    """Write all of ``buffers``, in as many write_some calls as it takes, and say exactly how far it got.

    ``n = await async_write(port, b"...", timeout=1.0)``

    Args:
        stream: any stream with ``async_write_some``, or what :func:`as_stream` adapts: a ``serial.Serial``,
            a pyserial-asyncio or asyncio writer or transport, a socket, a file descriptor.
        buffers: one bytes-like or an iterable of them, of any itemsize, never copied or joined. Or a
            ``dynamic_buffer``: what was written is then removed from its front. The memory belongs to the caller, who
            must not change it before the operation has ended.
        token: how the result is to come; by default the stream's ``default_token``, which is ``deferred``:
            the call returns an operation to await.
        completion_condition: after each step, whether to go on; by default until everything is written.
        timeout: seconds for the whole write; None for no limit. Short for ``cancel_after(timeout, token)``.
        idle_timeout: seconds without a byte moved, after which the write ends with TransferTimeout; None for no limit.
            Each byte that is accepted, or that leaves the driver's queue, starts it anew: a slow device that goes on
            reading never trips it.

    Returns:
        What the token gives; awaited: the bytes written, as accepted by the operating system.

    Raises:
        TypeError, ValueError: at once, for an argument that can't be used; nothing is written.
        StreamBusy: at once, while another write is in progress on the stream, which is unharmed.
        TransferTimeout, OperationAborted, Disconnected, StreamClosed, TransferError: from the awaiting forms, each with
            ``bytes_transferred`` and ``remaining``; a function as token gets them as its first argument.

    Cancellation:
        Terminal and partial (not total), where the stream's write_some has them. What was written stays written, the
        count says how much, and not one more byte goes out. Cancelling the awaiting task is partial cancellation:
        keep the operation, and ask it for ``bytes_transferred`` and ``remaining``.

    The stream must have no other write until this one has ended. Follows Asio's ``async_write``.
    """
    limits = UNLIMITED if timeout is None and idle_timeout is None else checked_limits(timeout, idle_timeout)
    operation: Operation[int]
    if type(buffers) is bytes and completion_condition is TRANSFER_ALL and isinstance(stream, QuickStream):
        operation = QuickWrite(stream, buffers, limits)
    else:
        operation = _write_operation(stream, buffers, completion_condition, limits)
    if token is default_token and getattr(stream, "default_token", deferred) is deferred:
        return operation
    return operation if token is deferred else initiate(operation, token)


async_write = quickened(
    async_write, QuickWrite, tried, initiate, OPERATION_COST_BYTES, deferred, UNLIMITED, checked_limits
)


def _write_operation(stream: Any, buffers: Any, condition: CompletionCondition, limits: Limits) -> TransferOperation:
    stream = as_stream(stream)
    cursor = written_plain if isinstance(stream, QuickStream) else written
    return TransferOperation(stream, WRITING, Transfer(cursor(buffers), condition), "async_write", limits)


def write(
    stream: WriteTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = UNSAID,
    idle_timeout: float | None = None,
) -> int:
    """Write all of ``buffers`` and block until that is done; for programs, or threads, without an event loop.

    Args and errors are those of :func:`async_write`; a failed write's exception carries the count and the rest.
    If ``timeout`` is not given, a serial port's own ``write_timeout`` counts; None means without a limit.

    Returns:
        The bytes written, as accepted by the operating system.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.
        KeyboardInterrupt, or what else the handler of a signal raises: with ``bytes_transferred``, ``remaining`` and a
            note that says them. ``remaining`` is empty if the buffer is a ``dynamic_buffer``, which has the rest
            itself.

    Follows Asio's ``write``.
    """
    stream = as_stream(stream)
    limits = blocking_limits(stream, WRITING, timeout, idle_timeout)
    n: int = run_blocking(_write_operation(stream, buffers, completion_condition, limits))
    return n
