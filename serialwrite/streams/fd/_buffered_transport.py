"""BufferedTransportStream: through a transport that can't be written past (TLS, or no descriptor of its own)."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any, Self

from ..._buffers import BytesLike, views
from ..._cancellation import CancellationType
from ..._errors import Disconnected, OperationAborted, StreamBusy, StreamClosed, TransferError
from ..._executors import EventLoopExecutor, Timer, loop_executor
from ..._handler import Handler
from ..._initiate import async_initiate
from ..._operation import CompletionToken, default_token as unspecified, deferred
from .._methods import WriteMethods
from ._loop_watch import hung_up
from ._standstill import NOT_READING, Standstill

# Bytes given to the transport at a time: what is uncertain after a terminal cancellation.
CHUNK_SIZE = 16384
# Seconds that its buffer has to have stood still for.
STILL_S = 0.04
# A transport has no "now empty" event that could be shared with its protocol: its buffer is looked at, in seconds.
LOOK_MIN_S, LOOK_MAX_S = 0.0005, 0.02


class BufferedTransportStream(WriteMethods):
    """Writes through a transport, a chunk at a time, and counts a chunk once the transport's buffer is empty again.

    Args:
        transport: an asyncio or uvloop transport. It stays its owner's, who reads from it as before.
        executor: where the operations run; None for the event loop of the first operation.

    Errors: when the peer disconnects, the transport closes itself, which looks the same as a close by its owner.
    Where no write waits at that moment, the next one ends with StreamClosed, which says that it may be either.

    Cancellation: terminal only. A chunk that the transport has taken can't be taken back, and how much of it went out
    is unknown. The count leaves it out, and the transport is aborted, so that nothing more goes out.
    """

    cancellable = CancellationType.TERMINAL
    default_token: CompletionToken[Any, Any] = deferred

    def __init__(self, transport: Any, executor: EventLoopExecutor | None = None) -> None:
        self.transport: asyncio.WriteTransport = transport
        self._executor = loop_executor(executor, type(self).__name__)
        self._busy = False
        self._standstill = Standstill()

    def __repr__(self) -> str:
        return f"<BufferedTransportStream {self.transport!r}>"

    def get_executor(self) -> EventLoopExecutor:
        """The executor of this stream; made without one, it is bound to the loop of its first operation."""
        return self._executor

    @property
    def stall(self) -> str | None:
        """What holds the transport now; None where nothing does, or that is unknown.

        ``"peer not reading"`` is said of a buffer that was seen not to move. What was seen is remembered from when you
        ask, and from when a write with a timeout has to wait.
        """
        pending = self._pending()
        still = self._standstill.see(pending, None)
        return NOT_READING if pending and still >= STILL_S else None

    def async_write_some(self, buffers: BytesLike | Iterable[BytesLike], token: Any = unspecified, /) -> Any:
        """Write at least one byte of ``buffers``: the first chunk.

        Args:
            buffers: one bytes-like or an iterable of them.
            token: any completion token; ``handler(error, bytes_transferred)``.

        Cancellation: terminal, see :class:`BufferedTransportStream`.
        """
        given = views(buffers)

        def initiation(handler: Handler) -> None:
            if self._busy:
                raise StreamBusy(self)
            self._busy = True
            chunk = _first_chunk(given)
            for view in given:
                view.release()
            _Chunk(self, chunk, handler).look()

        return async_initiate(initiation, token, self._executor, name="async_write_some")

    @property
    def is_open(self) -> bool:
        """Whether the transport is open still on this side."""
        return not self.transport.is_closing()

    def close(self) -> None:
        """Close the transport. A write that waits ends with StreamClosed, and its chunk is given up: the transport is
        aborted then, so that nothing more goes out."""
        if self._executor.running_elsewhere():
            self._executor.post(self._close)  # transports are their loop's own business
        else:
            self._close()

    def _close(self) -> None:
        if self._busy:
            self.transport.abort()
        else:
            self.transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    def _pending(self) -> int:
        """Bytes in the transport's buffer, and in that of the underlying transport, if that reports it."""
        below = getattr(getattr(self.transport, "_ssl_protocol", None), "_transport", None)
        return self.transport.get_write_buffer_size() + (0 if below is None else below.get_write_buffer_size())


def _first_chunk(buffers: Sequence[memoryview]) -> bytes:
    chunk = bytearray()
    for view in buffers:
        chunk += view[: CHUNK_SIZE - len(chunk)]
        if len(chunk) == CHUNK_SIZE:
            break
    return bytes(chunk)  # the transport may keep it; the caller's memory is the caller's again


def _duplicate(transport: asyncio.WriteTransport) -> socket.socket | None:
    """A second socket object for the underlying connection; None if there is none."""
    with suppress(OSError, AttributeError):
        return socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno()))
    return None


class _Chunk:
    """One chunk on its way: wait until the transport is empty, hand it over, wait until it is empty again."""

    def __init__(self, stream: BufferedTransportStream, chunk: bytes, handler: Handler) -> None:
        self._stream = stream
        self._chunk = chunk
        self._handler = handler
        self._handed_over = False
        self._pause = LOOK_MIN_S
        self._timer: Timer | None = None
        self._socket: socket.socket | None = None  # a dup: a transport whose peer has gone closes its own at once
        handler.cancellation_slot.assign(self._cancel)

    def look(self) -> None:
        stream, transport = self._stream, self._stream.transport
        if self._socket is None:
            self._socket = _duplicate(transport)
        if transport.is_closing():
            if self._socket is not None and hung_up(self._socket.fileno()):
                self._end(Disconnected(errno.EPIPE), 0)
            else:
                closed = "the transport is closed, by its owner or because its peer has gone"
                self._end(StreamClosed(reason=closed), 0)
        elif stream._pending() == 0 and (self._handed_over or not self._chunk):
            self._end(None, len(self._chunk))
        else:
            if stream._pending() == 0:
                self._handed_over = True
                transport.write(self._chunk)
            self._timer = stream._executor.call_later(self._pause, self.look)
            self._pause = min(self._pause * 2, LOOK_MAX_S)

    def _cancel(self, requested: CancellationType) -> None:
        if requested & CancellationType.TERMINAL:
            if self._handed_over:
                self._stream.transport.abort()
            self._end(OperationAborted(), 0)

    def _end(self, error: TransferError | None, n: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._socket is not None:
            self._socket.close()
            self._socket = None
        self._handler.cancellation_slot.clear()
        self._stream._executor.post(self._complete, error, n)

    def _complete(self, error: TransferError | None, n: int) -> None:
        self._stream._busy = False
        self._handler(error, n)
