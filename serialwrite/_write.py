"""async_write: one or more write_some calls, until a condition says stop. Start reading here.

A call makes a :class:`WriteOperation`; a token launches it; the loop in ``_transfer`` drives the stream; the stream's
``write_some_nowait`` reaches the operating system (``streams/_descriptor``, ``streams/_socket``).
"""

from __future__ import annotations

from asyncio import _get_running_loop
from collections.abc import Callable, Generator
from typing import Any, TypeVar, overload

from ._adapters import checked_timeout
from ._buffers import Buffers, unviewed, views
from ._conditions import TRANSFER_ALL, CompletionCondition
from ._errors import transfer_error
from ._operation import CompletionToken, Handler, Operation, default_token, deferred, initiate
from ._sync import run_blocking
from ._transfer import Writing
from .streams._adapt import WriteTarget, as_stream
from .streams._pollable import PollableStream

R = TypeVar("R")

_new = object.__new__  # what __init__ does is done here: the call would be a tenth of a small write's time


class WriteOperation(Writing):
    """A composed write that is ready to start; see :func:`async_write`.

    Two speeds, one meaning: it tries once, and only what the stream did not take becomes the general operation.
    """

    name = "async_write"
    _whole: tuple[bytes] | None = None  # all of it, for a stream of ours, until it was tried

    def __await__(self) -> Generator[Any, Any, int]:
        whole = self._whole
        if whole is not None:
            side = self._stream.write_side
            if side.idle_on is _get_running_loop() and side.budget > 0:
                # What _try_whole does, without the call: it is most of what a small write costs.
                self._whole = None
                try:
                    n: int = side.nowait(whole)
                except Exception as error:
                    self._tried(error, 0)
                else:
                    side.budget -= 1 if n < 4096 else 1 + (n >> 12)
                    if n == len(whole[0]):
                        self._launched = True
                        self._count = n
                        return n
                    self._tried(None, n)
        return (yield from super().__await__())

    def attempt(self) -> tuple[Any, ...] | None:
        if self._whole is not None:
            side = self._stream.write_side
            if side.idle_on is _get_running_loop() and side.budget > 0 and self._try_whole(side, self._whole):
                side.budget -= 1 + (self._count >> 12)
                self._launched = True
                return None, self._count
        return super().attempt()

    def launch(self, handler: Handler) -> None:
        if self._whole is not None and not handler.immediate_bound:
            side = self._stream.write_side
            loop = _get_running_loop()
            if loop is not None and side.idle_on is loop:
                self._launched = True
                side.claim(self, self.doing)
                if self._try_whole(side, self._whole):
                    loop.call_soon(self._deliver_whole, handler)
                else:
                    side.release()
                    self._begin(handler)
                return
        super().launch(handler)

    def _deliver_whole(self, handler: Handler) -> None:
        self._stream.write_side.release()
        handler(None, self._count)

    def _try_whole(self, side: Any, whole: tuple[bytes]) -> bool:
        """Try once; False where something is left: the general operation goes on from there."""
        self._whole = None
        try:
            n: int = side.nowait(whole)
        except Exception as error:
            self._tried(error, 0)
            return False
        if n == len(whole[0]):
            self._count = n
            return True
        self._tried(None, n)
        return False

    def _tried(self, error: Exception | None, n: int) -> None:
        """Take in what a first try gave that did not write everything."""
        self._full = error is None or isinstance(error, BlockingIOError)
        if error is None or not self._full:
            self._open_loop()
            self._step(None if error is None else transfer_error(error), n)

    def _viewed(self, buffers: Any) -> tuple[memoryview, ...]:
        stream = self._stream
        ours = isinstance(stream, PollableStream) and stream.write_side.waitable
        return unviewed(buffers) if ours else views(buffers)


@overload
def async_write(
    stream: WriteTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
) -> Operation[int]: ...
@overload
def async_write(
    stream: WriteTarget,
    buffers: Buffers,
    token: CompletionToken[R, Any],
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
) -> R: ...
@overload
def async_write(
    stream: WriteTarget,
    buffers: Buffers,
    token: Callable[[Any, int], object],
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
) -> None: ...
def async_write(
    stream: Any,
    buffers: Any,
    token: object = default_token,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
) -> Any:
    """Write all of ``buffers``, in as many write_some calls as it takes, and say exactly how far it got.

    ``n = await async_write(port, b"...", timeout=1.0)``

    Args:
        stream: any stream with ``async_write_some``, or what :func:`as_stream` adapts: a ``serial.Serial``,
            a pyserial-asyncio or asyncio writer or transport, a socket, a file descriptor.
        buffers: one bytes-like or an iterable of them, of any itemsize, never copied or joined;
            or a ``dynamic_buffer``, whose front is consumed by what was written.
            The memory belongs to the caller, who must not change it before the operation has ended.
        token: how the result is to come; by default the stream's ``default_token``, which is ``deferred``:
            the call returns an operation to await.
        completion_condition: after each step, whether to go on; by default until everything is written.
        timeout: seconds; None for no limit. Short for ``cancel_after(timeout, token)``.

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
    if timeout is not None:
        checked_timeout(timeout)
    if type(buffers) is bytes and completion_condition is TRANSFER_ALL and isinstance(stream, PollableStream):
        operation: WriteOperation = _new(WriteOperation)
        operation._stream = stream
        operation._buffers = buffers
        operation._whole = (buffers,)
    else:
        stream = as_stream(stream)
        operation = _new(WriteOperation)
        operation._stream = stream
        operation._buffers = buffers
        operation._export(buffers)
        operation._condition = completion_condition
    if timeout is not None:
        operation._timeout = timeout
    if token is default_token:
        try:
            if stream.default_token is deferred:
                return operation
        except AttributeError:
            return operation
    return operation if token is deferred else initiate(operation, token)


def write(
    stream: WriteTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
) -> int:
    """Write all of ``buffers`` and block until that is done; for programs, or threads, without an event loop.

    Args and errors are those of :func:`async_write`; a failed write's exception carries the count and the rest.

    Returns:
        The bytes written, as accepted by the operating system.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.

    Follows Asio's ``write``.
    """
    operation: Any = async_write(stream, buffers, deferred, completion_condition=completion_condition, timeout=timeout)
    return run_blocking(operation)
