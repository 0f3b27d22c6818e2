"""async_write: one or more write_some calls, until a condition says stop. Start reading here.

A call makes a :class:`WriteOperation`; a token launches it; the loop in ``_transfer`` drives the stream; the stream's
``write_some_nowait`` reaches the operating system (``streams/_descriptor``, ``streams/_socket``).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import get_ident
from typing import Any, TypeVar, overload

from ._buffers import Buffers, unviewed, views
from ._conditions import TRANSFER_ALL, CompletionCondition
from ._cursors import ConsumingBuffers
from ._errors import transfer_error
from ._operation import CompletionToken, Handler, Operation, default_token, deferred, initiate
from ._sides import NOWHERE
from ._sync import run_blocking
from ._timers import checked_timeout
from ._transfer import Writing
from .streams._adapt import WriteTarget, as_stream
from .streams._pollable import PollableStream
from .streams._pollable_side import PER_OPERATION

R = TypeVar("R")


class WriteOperation(Writing):
    """A composed write that is ready to start; see :func:`async_write`."""

    name = "async_write"

    def _viewed(self, buffers: Any) -> tuple[memoryview, ...]:
        stream = self._stream
        ours = isinstance(stream, PollableStream) and stream.write_side.waitable
        return unviewed(buffers) if ours else views(buffers)


class WholeWrite(WriteOperation):
    """All of one ``bytes`` object, to a stream of ours: tried once before anything else is done for it.

    Two speeds, one meaning: only what the stream did not take at once becomes the general operation.
    """

    # async_write sets what it needs: the call of an __init__ of ours would be a tenth of a small write's time.
    __init__: Any = object.__init__  # pyright: ignore[reportIncompatibleVariableOverride]

    def __await__(self) -> Generator[Any, Any, int]:
        side = self._stream.write_side
        if side.idle_in == get_ident() and not self._launched:
            data = self._buffers
            try:
                n: int = side.write_one(data)
            except Exception as error:
                self._tried(error, 0)
            else:
                if n == len(data):
                    self._launched = True
                    self._count = n
                    side.budget -= n + PER_OPERATION
                    if side.budget <= 0:
                        side.idle_in = NOWHERE
                    return n
                self._tried(None, n)
            if self._full and not self._over:
                written: int = self.result((yield from self._launched_and_awaited()))
                return written
        return (yield from super().__await__())

    def attempt(self) -> tuple[Any, ...] | None:
        side = self._stream.write_side
        if side.idle_in == get_ident() and self._untried() and self._try_whole(side):
            side.spend(self._count)
            self._launched = True
            return None, self._count
        return super().attempt()

    def launch(self, handler: Handler) -> None:
        side = self._stream.write_side
        loop = None if self._launched or side.idle_in == NOWHERE else side.claim_here(self)
        if loop is None:
            super().launch(handler)
            return
        self._launched = True
        if self._loop is None and handler._immediate_executor is None and self._try_whole(side):
            loop.call_soon(self._deliver_whole, handler)
            return
        side.release_here()
        self._begun = True
        self._begin(handler)

    def _deliver_whole(self, handler: Handler) -> None:
        self._stream.write_side.release_here()
        handler(None, self._count)

    def _cursor(self) -> ConsumingBuffers:
        return ConsumingBuffers((self._buffers,))

    def _untried(self) -> bool:
        return not self._launched and self._loop is None

    def _try_whole(self, side: Any) -> bool:
        """Try once; False where something is left: the general operation goes on from there."""
        data = self._buffers
        try:
            n = side.write_one(data)
        except Exception as error:
            self._tried(error, 0)
            return False
        if n == len(data):
            self._count = n
            return True
        self._tried(None, n)
        return False

    def _tried(self, error: Exception | None, n: int) -> None:
        """Take in what a first try gave that did not write everything."""
        self._open_loop()
        self._full = error is None or isinstance(error, BlockingIOError)
        if error is None or not self._full:
            self._step(None if error is None else transfer_error(error), n)


_whole_write: Callable[[], WriteOperation] = WholeWrite


@overload
def async_write(
    stream: WriteTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = ...,
    timeout: float | None = ...,
    idle_timeout: float | None = ...,
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
    idle_timeout: float | None = ...,
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
    idle_timeout: float | None = ...,
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
        buffers: one bytes-like or an iterable of them, of any itemsize, never copied or joined;
            or a ``dynamic_buffer``, whose front is consumed by what was written.
            The memory belongs to the caller, who must not change it before the operation has ended.
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
    if timeout is not None:
        timeout = checked_timeout(timeout)
    if idle_timeout is not None:
        idle_timeout = checked_timeout(idle_timeout, "idle_timeout")
    if type(buffers) is bytes and completion_condition is TRANSFER_ALL and isinstance(stream, PollableStream):
        operation = _whole_write()
        operation._stream = stream
        operation._buffers = buffers
        operation._launched = False
        if token is default_token and stream.default_token is deferred:
            token = deferred
    else:
        operation = WriteOperation(as_stream(stream), buffers, completion_condition)
    if timeout is not None:
        operation._timeout = timeout
    if idle_timeout is not None:
        operation._idle_timeout = idle_timeout
    return operation if token is deferred else initiate(operation, token)


def write(
    stream: WriteTarget,
    buffers: Buffers,
    /,
    *,
    completion_condition: CompletionCondition = TRANSFER_ALL,
    timeout: float | None = None,
    idle_timeout: float | None = None,
) -> int:
    """Write all of ``buffers`` and block until that is done; for programs, or threads, without an event loop.

    Args and errors are those of :func:`async_write`; a failed write's exception carries the count and the rest.

    Returns:
        The bytes written, as accepted by the operating system.

    Raises:
        RuntimeError: when called inside a running event loop, which it would block.
        KeyboardInterrupt, or what else the handler of a signal raises: with ``bytes_transferred``, ``remaining`` (empty
            of a ``dynamic_buffer``, which holds the rest) and a note that says them.

    Follows Asio's ``write``.
    """
    operation: Any = async_write(
        stream,
        buffers,
        deferred,
        completion_condition=completion_condition,
        timeout=timeout,
        idle_timeout=idle_timeout,
    )
    n: int = run_blocking(operation)
    return n
