"""What every stream over a file descriptor shares: try first, wait for readiness only when it is full.

======================================  ====================================================================
a subclass gives                        which is
======================================  ====================================================================
``write_some_nowait(buffers) -> int``   one try; BlockingIOError when the port is full
``read_some_nowait(buffers) -> int``    one try; BlockingIOError when there is nothing, EndOfFile at the end
``_wait_fd() -> int``                    the descriptor whose readiness is waited for; OSError when closed
``is_open -> bool``, a property         whether what it stands on is still open on this direction
======================================  ====================================================================
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, wait
from contextlib import suppress
from typing import Any, ClassVar, Self

from ..._buffers import Buffers
from ..._composed import one_step
from ..._direction import QUIET_S, READING, WRITING
from ..._errors import StreamClosed
from ..._executors import CLOSE_TIMEOUT_S, EventLoopExecutor, loop_executor
from ..._operation import CompletionToken, default_token as unspecified, deferred, initiate
from ..._posix import require
from ..._quick import QuickStream
from .._methods import StreamMethods
from .._proof import UNKNOWN, ProofLevel, ProofLevels
from ._pinned_direction import direction_for
from ._standstill import NOT_READING, Standstill, unread

# Seconds between two looks whether a loop that is to close a stream has stopped.
STOPPED_LOOK_S = 0.05

POLLING = ("os.writev", "select.poll")  # what every stream over a descriptor calls; Windows has neither


class PollableStream(StreamMethods, QuickStream):
    """A stream over something that an event loop can wait for. Subclasses say what."""

    default_token: CompletionToken[Any, Any] = deferred
    _needs: ClassVar[tuple[str, ...]] = POLLING  # what it calls of the system that not every system has
    _closed = False
    _told_when_closed = False  # whether what it stands on says when it is closed; else what waits has to look
    _write_direction: Any
    _read_direction: Any
    _standstill: Standstill | None = None  # once something was asked of it

    def __init__(self, executor: EventLoopExecutor | None = None) -> None:
        require(type(self).__name__, *self._needs, instead="pass a SerialPort, or an asyncio StreamWriter or transport")
        self._executor: EventLoopExecutor = loop_executor(executor, type(self).__name__)
        self._made_by = os.getpid()
        self._write_direction, self._read_direction = self._directions()

    def _directions(self) -> tuple[Any, Any]:
        """How a step is tried and waited for: for writing, for reading."""
        return direction_for(self, writing=True), direction_for(self, writing=False)

    def get_executor(self) -> EventLoopExecutor:
        """The executor of this stream; made without one, it is bound to the loop of its first operation."""
        return self._executor

    @property
    def queued(self) -> int | None:
        """Bytes accepted that are still in the driver's output queue; None where that is unknown."""
        return None

    @property
    def proof_levels(self) -> ProofLevels:
        """What proves each level that a byte can reach on this stream; see :class:`ProofLevel`."""
        return {ProofLevel.ACCEPTED: "write(2)", ProofLevel.CONFIRMED: UNKNOWN}

    @property
    def stall(self) -> str | None:
        """What holds the port now; None where nothing does, or that is unknown.

        ``"peer not reading"`` is said of a queue that was seen not to move for half a second. What was seen is
        remembered from when you ask, and from when a write with a timeout has to wait.
        """
        return self._stall_reason(self._accepted()) if self._write_direction.waiting else None

    def _stall_reason(self, count: int | None, quiet: float = QUIET_S, /) -> str | None:
        """As that of its direction for writing."""
        if self._standstill is None:
            self._standstill = Standstill()
        try:
            fd = self._wait_fd()
            still = self._standstill.see(self._unread(fd), count)
            return None if still < quiet else NOT_READING
        except OSError:
            return None

    # How much the peer of a descriptor has to read still, in any unit.
    _unread = staticmethod(unread)

    def _accepted(self) -> int | None:
        """Bytes of the write under way that were accepted."""
        return getattr(self._write_direction.user, "bytes_transferred", None)

    def async_write_some(self, buffers: Buffers, token: Any = unspecified, /) -> Any:
        """Write at least one byte of ``buffers``, as many as the port takes at once.

        Args:
            buffers: one bytes-like or an iterable of them.
            token: any completion token; ``handler(error, bytes_transferred)``.

        Cancellation: terminal, partial and total: cancelled, it has written nothing.

        Follows Asio's AsyncWriteStream requirements.
        """
        return initiate(one_step(self, WRITING, buffers), token)

    def async_read_some(self, buffers: Buffers, token: Any = unspecified, /) -> Any:
        """Read at least one byte into ``buffers``, as many as are there.

        Args:
            buffers: one writable bytes-like, an iterable of them, or a ``dynamic_buffer``, which grows.
            token: any completion token; ``handler(error, bytes_transferred)``. The end of the stream is ``EndOfFile``.

        Cancellation: terminal, partial and total: cancelled, it has read nothing.

        Follows Asio's AsyncReadStream requirements.
        """
        return initiate(one_step(self, READING, buffers), token)

    def write_some_nowait(self, buffers: Sequence[Any], /) -> int:
        """Write what the port takes at once, and return how many bytes that was.

        Raises:
            BlockingIOError: the port is full; nothing was written.
            OSError: as the operating system raised it; nothing was written.
        """
        raise NotImplementedError

    def _write_one(self, data: bytes, /) -> int:
        """As ``write_some_nowait((data,))``, of a plain ``bytes`` object."""
        return self.write_some_nowait((data,))

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        nearest = next(one for one in cls.__mro__ if not {"write_some_nowait", "_write_one"}.isdisjoint(vars(one)))
        if "_write_one" not in vars(nearest):
            cls._write_one = PollableStream._write_one  # type: ignore[method-assign] # not that of a class above it

    def read_some_nowait(self, buffers: Sequence[Any], /) -> int:
        """Read what is there into ``buffers``, and return how many bytes that was.

        Raises:
            BlockingIOError: nothing is there.
            EndOfFile: nothing will come any more.
            OSError: as the operating system raised it.
        """
        raise NotImplementedError

    def _wait_fd(self) -> int:
        raise NotImplementedError

    @property
    def is_open(self) -> bool:
        """Whether what the stream stands on is open still on this direction."""
        raise NotImplementedError

    def close(self) -> int | None:
        """Close at once. Operations that wait end with :class:`StreamClosed`, each with its count.

        Call it from any thread. If the stream's event loop runs on another thread, the stream is closed there, and this
        call waits for it, 5 s at most. If that loop is blocked longer, the stream is closed once the loop runs again.
        In a forked child it closes the child's descriptor and no more.

        Returns:
            Bytes accepted before that were still in the driver's queue, and are not sent; None if that is unknown.
            None, too, of a descriptor or transport that its owner may keep open, because the system goes on sending
            them.
        """
        if self._inherited:
            self._close_inherited()
            return None
        if self._executor.running_elsewhere():
            return self._close_by_its_loop(lambda done: done(self._close_here()), self._close_here)
        return self._close_here()

    @property
    def _inherited(self) -> bool:
        """Whether this process is a fork of the one that made the stream: only its descriptor is its own (rule 14)."""
        return self._made_by != os.getpid()

    def _close_inherited(self) -> None:
        """The event loop, its watchers, the operations and the driver's state are the parent's."""
        if not self._closed:
            self._closed = True
            for direction in (self._write_direction, self._read_direction):
                direction.abort(StreamClosed())
            self._close()

    def _close_by_its_loop(
        self,
        begin: Callable[[Callable[[int | None], None]], object],
        close_here: Callable[[], int | None],
        longest: float = 0.0,
    ) -> int | None:
        """Close the stream from another thread than its event loop's.

        Watchers are their loop's own business, and it may be about to write to the descriptor.

        Args:
            begin: called on the loop, with a function that takes the result.
            close_here: closes the stream on this thread; called where the loop has stopped.
            longest: seconds that closing takes at the most, once it has begun.

        Returns:
            The result; None where the loop's thread does not come to it. That thread waits for this one, perhaps.
        """
        begun = threading.Event()
        closed: Future[int | None] = Future()

        def start() -> None:
            begun.set()
            try:
                begin(closed.set_result)
            except Exception as error:
                closed.set_exception(error)

        with suppress(RuntimeError):  # the loop was closed meanwhile
            self._executor.post(start)
        started = time.monotonic()
        while not wait([closed], STOPPED_LOOK_S).done:
            if not self._executor.running_elsewhere():  # it has stopped, and will not get round to it
                return close_here()
            if time.monotonic() - started > CLOSE_TIMEOUT_S + longest * begun.is_set():
                return None
        return closed.result()

    def _was_closed(self) -> StreamClosed:
        return StreamClosed(reason=f"{self!r} was closed")

    def _close_here(self) -> int | None:
        if self._closed:
            return None
        unsent = self._unsent()
        self._closed = True
        for direction in (self._write_direction, self._read_direction):
            direction.abort(StreamClosed())
        self._close()
        return unsent

    def _unsent(self) -> int | None:
        """Bytes in the driver's queue that a close drops."""
        return self.queued if self.is_open else None

    def _close(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._executor.running_elsewhere():
            await asyncio.to_thread(self.close)  # it waits for that other loop
        else:
            self.close()
