"""The sides of a blocking port: each has a thread that does its steps, one at a time."""

from __future__ import annotations

import asyncio
import io
import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeAlias

import serial

from ..._buffers import first_bytes
from ..._cancellation import CancellationType
from ..._direction import QUIET_S, READING, WRITING, Direction, Done, User, Way
from ..._errors import Disconnected, OperationAborted, StreamBusy, StreamClosed, TransferError, transfer_error
from ..._executors import running_loop
from ..._given_buffers import buffer_copy
from ..fd._lookout import lookout_of
from ..fd._stream import PollableStream
from ._backend import Backend

# Seconds that close() gives a thread to end. One that is stuck in its port for longer is left alone.
STOP_TIMEOUT_S = 1.0

Outcome: TypeAlias = "tuple[BaseException | None, Any]"


class WorkerDirection(Direction):
    """One direction of a blocking port: who is using it, and the thread that does its steps."""

    tries = False

    cancellable = CancellationType.TERMINAL | CancellationType.PARTIAL

    def __init__(self, stream: PollableStream, backend: Backend) -> None:
        self._stream = stream
        self._backend = backend
        self.user: User | None = None
        self._claimed_on: asyncio.AbstractEventLoop | None = None
        self._jobs: queue.SimpleQueue[Callable[[], object] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._step: _Step | None = None  # that runs
        self._failure: TransferError | None = None

    # -- as the transfer sees it -----------------------------------------------------------------------------

    def claim(self, user: User) -> None:
        if self.user is not None:
            if not self._left_behind():
                raise StreamBusy(self._stream, self.way.name)
            self._forget()
        self.user = user
        self._claimed_on = running_loop()

    def release(self) -> None:
        self.user = None

    def _left_behind(self) -> bool:
        """Whether the event loop of the user was closed."""
        return self._claimed_on is not None and self._claimed_on.is_closed()

    def _forget(self) -> None:
        """Drop a user that was left behind. Ask the thread to end its step; it then settles the result."""
        user, self.user = self.user, None
        self._interrupt()
        step, self._step = self._step, None
        if user is not None:
            if step is not None:
                self._jobs.put(partial(self._settle, step))
            user.detach()

    def _settle(self, step: _Step) -> None:
        """Tell the user that was left behind what its last step came to. Run on the thread, once the step has ended."""
        error, n = step.outcome
        with suppress(RuntimeError):  # its loop is closed: it can't get a result
            self._stream._executor.post(step.done, error, 0 if error else n)

    def stop(self) -> None:
        """Nothing is waited for but a step, which ends by itself."""

    def step(self, buffers: Sequence[memoryview], done: Done) -> None:
        raise NotImplementedError

    def cancel(self, type: CancellationType) -> bool:
        self._interrupt()
        return False

    # -- the thread ------------------------------------------------------------------------------------------

    def run(
        self,
        work: Callable[[threading.Event], Any],
        done: Done,
        finish: Callable[[Any], int] = lambda n: n,
    ) -> None:
        """Do ``work(stop)`` on the thread, then ``finish`` with what it gave on the loop, and call ``done``."""
        step = self._step = _Step(done, finish)
        if self._stream._closed:  # perhaps while the last step was under way: its thread ends, or has, for good
            step.outcome = self._stream._was_closed(), None
            self._post(step)
            return

        def job() -> None:
            try:
                step.outcome = None, work(step.stop)
            except Exception as error:
                step.outcome = translated(error), None
            self._post(step)

        if self._thread is None or not self._thread.is_alive():  # a fork leaves it behind
            self._jobs = queue.SimpleQueue()
            name = f"{type(self).__name__} of {self._stream!r}"
            self._thread = threading.Thread(target=self._work, name=name, daemon=True)
            self._thread.start()
        self._jobs.put(job)
        loop = running_loop()
        if loop is not None and not self._stream._told_when_closed:
            lookout_of(loop).add(self)

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            job()

    def _post(self, step: _Step) -> None:
        with suppress(RuntimeError):  # the loop was closed meanwhile
            self._stream._executor.post(self._complete, step)

    def _complete(self, step: _Step) -> None:
        if self._step is not step:
            return  # given up before
        self._step, failure, self._failure = None, self._failure, None
        error, result = step.outcome
        if error is not None:
            step.done(failure or error, 0)
        else:
            step.done(None, step.finish(result))

    @property
    def waiting(self) -> bool:
        return self._step is not None

    def look(self) -> None:
        """The owner of the port may have closed it: the thread may never hear of it."""
        if self._step is not None and not self._stream.is_open:
            self.abort(StreamClosed())

    def closed_by_owner(self) -> None:
        """The port was closed, on whatever thread: have what waits here see that."""
        if self._claimed_on is not None and self._thread is not None and self._thread.is_alive():  # else a parent's
            with suppress(RuntimeError):  # the loop was closed
                self._claimed_on.call_soon_threadsafe(self.look)

    def _interrupt(self) -> None:
        if self._step is not None and self._thread is not None and self._thread.is_alive():  # else it is a parent's
            self._step.stop.set()
            self._backend.interrupt()

    def abort(self, error: TransferError) -> None:
        """End the step that waits here, if any, with ``error``."""
        if self.user is not None and self._left_behind():
            self._forget()
        if self._step is not None:
            self._failure = error
            self._interrupt()

    def end(self) -> None:
        """The port is closed: let the thread go."""
        self._jobs.put(None)
        self._interrupt()
        if self._thread is None:
            return
        self._thread.join(STOP_TIMEOUT_S / 10)
        if self._thread.is_alive():
            self._backend.cancel()
            self._thread.join(STOP_TIMEOUT_S)
        if self._step is not None and self._thread.is_alive():  # stuck: what its chunk came to is not known
            self._post(self._step)


class _Step:
    """One step: what it calls, how the thread is asked to stop, and how it reports its end."""

    def __init__(self, done: Done, finish: Callable[[Any], int]) -> None:
        self.done = done
        self.finish = finish
        self.stop = threading.Event()
        self.outcome: Outcome = (StreamClosed(), None)


class WritingThread(WorkerDirection):
    """Writes a chunk a step."""

    way: Way = WRITING

    def stall_reason(self, count: int | None, quiet: float = QUIET_S) -> str | None:
        return self._stream._stall_reason(count, quiet)

    def step(self, buffers: Sequence[memoryview], done: Done) -> None:
        backend = self._backend
        chunk = b"".join(first_bytes(buffers, backend.chunk))

        def work(stop: threading.Event) -> int:
            if chunk:
                backend.wait_writable(stop)
                if stop.is_set():
                    raise OperationAborted
            return backend.write(chunk)

        self.run(work, done)


class ReadingThread(WorkerDirection):
    """Reads what is there, a step."""

    way: Way = READING
    _kept = b""  # read for a user that was left behind: the next one's

    def _settle(self, step: _Step) -> None:
        error, data = step.outcome
        if error is None:
            self._kept += data
            step.outcome = OperationAborted(), None
        super()._settle(step)

    def step(self, buffers: Sequence[memoryview], done: Done) -> None:
        backend = self._backend
        size = sum(map(len, buffers))

        def work(stop: threading.Event) -> bytes:
            if self._kept:
                data, self._kept = self._kept[:size], self._kept[size:]
                return data
            if size:
                backend.wait_readable(stop)
            data = backend.read(size)  # also when asked to stop: the reader gets what is there
            if size and not data:
                raise OperationAborted if stop.is_set() else EOFError("the other end is gone")
            return data

        self.run(work, done, lambda data: buffer_copy(buffers, data))


def translated(error: Exception) -> TransferError | Exception:
    """Convert ``error`` of a pyserial port to a TransferError; in most cases its cause is an OSError."""
    if isinstance(error, io.UnsupportedOperation):
        return error
    if isinstance(error, serial.PortNotOpenError):
        return StreamClosed()
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TransferError) or (isinstance(cause, OSError) and cause.errno is not None):
            return transfer_error(cause)
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, serial.SerialException) and not isinstance(error, serial.SerialTimeoutException):
        return Disconnected(reason=str(error))
    return transfer_error(error)
