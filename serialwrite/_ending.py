"""How a transfer ends: done, cancelled, timed out or dropped. Its handler is called last, when all is given back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any, ClassVar

from ._account import Account
from ._cancellation import CancellationSignal, CancellationType
from ._errors import OperationAborted, TransferError, TransferTimeout
from ._executors import Executor, Timer, call_later, now
from ._idle import Idleness
from ._operation import Handler
from ._sides import left


class Ending(Account):
    """A transfer's way to its end, from wherever it is."""

    cancellable: ClassVar[CancellationType] = CancellationType.TERMINAL | CancellationType.PARTIAL
    verb: ClassVar[str]  # what "transferred" means, in messages

    _stream: Any
    _on_ready: Callable[[], bool]
    # Set when they are needed. An operation that completes at once needs almost none of them.
    _timeout: float | None = None
    _idle_timeout: float | None = None
    _over = False  # nothing more is transferred
    _handler: Handler | None = None
    _side: Any = None
    _timer: Timer | None = None
    _idle: Idleness | None = None
    _idle_timer: Timer | None = None
    _started: float | None = None
    _outstanding: set[Callable[..., object]] | None = None  # where it is noted while it waits
    _step_signal: CancellationSignal | None = None  # while an async_*_some runs
    _waiting = False  # for readiness; else it is taking steps, or has its stream take one
    _cancelled = False
    expiring: bool = False
    _expired = False
    _stood_idle = False  # it expired because nothing had moved

    @property
    def executor(self) -> Executor:
        executor: Executor = self._stream.get_executor()
        return executor

    def __repr__(self) -> str:
        count = f"{self.bytes_transferred:,}"
        if self._loop is not None and self._loop.buffers.size_asked is not None:
            count += f" of {self._loop.buffers.size_asked:,}"
        state = "ended" if self._over else "in progress" if self._launched else "not launched"
        return f"<{self.name} on {self._stream!r}, {state}: {count} bytes {self.verb}>"

    def _complete_at_once(self, handler: Handler) -> None:
        if handler.immediate_bound:
            error = self._error
            self._give_back()
            handler.immediate_executor.dispatch(handler, error, self._result())
        else:
            self.executor.post(self._deliver)

    def _result(self) -> Any:
        return self.bytes_transferred

    def _on_cancel(self, requested: CancellationType) -> None:
        if self._over or not requested & self.cancellable & self._side.cancellable:
            return
        self._expired = self._expired or self.expiring
        if self._waiting:
            self.fail(OperationAborted())
            return
        self._cancelled = True  # looked at after the step
        if self._step_signal is not None:
            self._step_signal.emit(requested & self.cancellable)

    def _abort(self) -> None:
        self._on_cancel(CancellationType.TERMINAL)

    def _expire(self) -> None:
        self.expiring = True
        self._on_cancel(CancellationType.TERMINAL)
        self.expiring = False

    def _watch_idleness(self, seconds: float) -> None:
        self._idle = Idleness(seconds, self._moving, now(self.executor))
        self._idle_timer = call_later(self.executor, seconds, self._look_for_idleness)

    def _look_for_idleness(self) -> None:
        assert self._idle is not None
        left = self._idle.left(now(self.executor))
        if left <= 0 and self._waiting:  # its readiness may come late, or be in line behind this timer
            self._on_ready()
            left = self._idle.left(now(self.executor))
        if self._over:
            return
        if left > 0:
            self._idle_timer = call_later(self.executor, left, self._look_for_idleness)
        else:
            self._stood_idle = True
            self._expire()

    def _moving(self) -> int | None:
        """Bytes that may move while the stream takes nothing: those in the driver's queue."""
        return self._queued()

    def _queued(self) -> int | None:
        """Bytes accepted that are still in the driver's queue; None where that is unknown."""
        with contextlib.suppress(OSError, ValueError):  # a port that is gone can't be asked
            queued: int | None = getattr(self._stream, "queued", None)
            return queued
        return None

    def fail(self, error: TransferError) -> None:
        """End a waiting operation with ``error``: at once, but for the handler, which is posted."""
        waiting = self._waiting
        self._finish(error)
        if waiting:  # else whoever takes the steps finds it over, and delivers
            self.executor.post(self._deliver)

    def drop(self) -> None:
        """Its event loop was closed beneath it: it touches the stream no more, which has another user now."""
        error = self._error
        self._over = True
        self._no_more_outstanding()
        self._give_memory_back()
        self._error = error  # of a cancellation in a later loop, whose handler is still to be called

    def _finish(self, error: BaseException | None) -> None:
        """The transfer is over: nothing more goes out from here on."""
        self._over = True
        if self._expired and type(error) is OperationAborted and self._loop is not None and self._loop.buffers.empty:
            error = None  # nothing to do is done
        if self._side is not None:
            self._side.stop()
        if self._handler is not None:
            self._handler.cancellation_slot.clear()
        for timer in (self._timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        if error is not None:
            self._error = self._described(error) if isinstance(error, TransferError) else error

    def _described(self, error: TransferError) -> TransferError:
        assert self._loop is not None
        if self._expired and type(error) is OperationAborted:
            error = TransferTimeout()
            error.idle_timeout = self._idle_timeout if self._stood_idle else None
        error.bytes_transferred = self._loop.buffers.total_consumed
        error.total = self._loop.buffers.size_asked
        error.verb = getattr(self._side, "verb", None) or self.verb
        error._remaining = lambda: self.remaining
        if self._started is not None:
            error.elapsed = now(self.executor) - self._started
        error.queued = self._queued()
        if isinstance(error, OperationAborted) and self._side is not None:
            error.stall = self._side.held_by()
        return error

    def _deliver(self) -> None:
        """Give everything back, then call the handler: it may start the next operation on the stream."""
        if not left(self._side, self._deliver_left):
            self._deliver_left()

    def _deliver_left(self) -> None:
        handler, error = self._handler, self._error
        assert handler is not None
        self._give_back()
        handler(error, self._result())

    def _give_back(self) -> None:
        if not self._given_back:  # else it was dropped
            self._side.release()
        self._no_more_outstanding()
        self._handler = None
        self._give_memory_back()

    def _no_more_outstanding(self) -> None:
        if self._outstanding is not None:
            self._outstanding.discard(self._abort)
            self._outstanding = None
