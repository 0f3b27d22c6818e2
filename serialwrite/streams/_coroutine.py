"""Spawned: an operation written as a coroutine, for work of a stream that takes more than one system call."""

from __future__ import annotations

import asyncio
import io
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from .._absent import not_awaited
from .._cancellation import CancellationSignal, CancellationType
from .._deadlines import Deadline, checked_limits, deadlines
from .._errors import OperationAborted, TransferError, TransferTimeout, transfer_error
from .._executors import Executor, timers_of
from .._handler import Handler
from .._operation import Operation

T = TypeVar("T")
Result: TypeAlias = tuple[BaseException | None, Any]
Work: TypeAlias = "Callable[[Spawned], Coroutine[Any, Any, Result]]"


class Spawned(Operation[Any]):
    """An operation out of ``work(operation)``, a coroutine function, which runs as a task of its own.

    The work returns ``(error, n)``, and keeps ``count`` true while it runs. A request to cancel, the timeout and
    :meth:`end_with` reach it as a CancelledError; it may let that pass.

    Args:
        executor: where the work runs: one over the running asyncio loop.
        work: the coroutine function.
        name: what messages call the operation.
        timeout: seconds, 0 or more, or None.
        cancellable: the types of cancellation that the work supports.
        before: called when the operation is launched; what it raises is raised there.
        sure: start the coroutine even if it is cancelled before its first step; CancelledError is then raised inside
            it.
        describe: adds to a TransferError what the stream knows of it.
        among: the set that holds this operation while it runs, so that ``close()`` can abort it.
        holding: the direction of a stream that it claims and keeps meanwhile.
    """

    def __init__(
        self,
        executor: Executor,
        work: Work,
        name: str,
        *,
        timeout: float | None = None,
        cancellable: CancellationType = CancellationType.ALL,
        before: Callable[[], object] | None = None,
        sure: bool = False,
        describe: Callable[[TransferError], object] | None = None,
        among: set[Spawned] | None = None,
        holding: Any = None,
    ) -> None:
        self.adopt()  # refused, it is not forgotten
        self._deadlines = deadlines(checked_limits(timeout))
        self._adopted = False
        self.executor = executor
        self._work = work
        self.name = name
        self.count = 0
        self.requested: CancellationType = CancellationType.NONE  # the types of cancellation that were asked for
        self.cancellable: CancellationType = cancellable
        self._before = before
        self._sure = sure
        self._describe = describe
        self._among: set[Spawned] = set() if among is None else among
        self._holding = holding
        self._entered = False
        self.stopping: bool = False  # the work has been asked to end
        self.failure: TransferError | None = None

    @property
    def bytes_transferred(self) -> int:
        """Bytes that have gone the operation's way so far."""
        return self.count

    if not TYPE_CHECKING:  # its result may be anything

        def __getattr__(self, name: str) -> Any:
            raise not_awaited(self, name)

    def _begin(self, handler: Handler) -> None:
        if self._before is not None:
            self._before()
        if self._holding is not None:
            self._holding.claim(self)
        self._handler = handler
        self._started = time.monotonic()
        self._among.add(self)
        self._task = asyncio.get_running_loop().create_task(self._run(), name=self.name)
        self._task.add_done_callback(self._done)
        handler.cancellation_slot.assign(self._on_cancel)
        for deadline in self._deadlines:
            deadline.start(self.executor, time.monotonic, self._started)
            deadline.arm(self._expire)

    async def _run(self) -> Result:
        self._entered = True
        try:
            if self.stopping:
                if not self._sure:
                    raise asyncio.CancelledError  # what it would have got, had it been awaiting
                self._task.cancel()
            return await self._work(self)
        except asyncio.CancelledError:
            return OperationAborted(), self.count
        except Exception as error:
            ours = isinstance(error, OSError) and not isinstance(error, io.UnsupportedOperation)
            return (transfer_error(error) if ours else error), self.count

    def _on_cancel(self, requested: CancellationType, deadline: Deadline | None = None) -> None:
        if requested & self.cancellable:
            self.requested |= requested
            self._expired = self._expired or deadline
            self._stop()

    def _expire(self, deadline: Deadline) -> None:
        self._on_cancel(deadline.type, deadline)

    def narrow(self, cancellable: CancellationType) -> None:
        """From here on the work supports only these types of cancellation; a request for others comes too late."""
        self.cancellable = cancellable
        if self.failure is None and not self.requested & cancellable:
            self.stopping = False

    def end_with(self, error: TransferError) -> None:
        """End it with ``error``, as soon as the work can be stopped."""
        self.failure = error
        self._stop()

    def detach(self) -> None:
        """Its event loop was closed: its task can't go on."""

    def _stop(self) -> None:
        self.stopping = True
        if self._entered:  # before its first turn, a task that is cancelled doesn't run at all
            self._task.cancel()

    def _done(self, task: asyncio.Task[Result]) -> None:
        self._among.discard(self)
        if self._holding is not None:
            self._holding.release()
        self._handler.cancellation_slot.clear()
        for deadline in self._deadlines:
            deadline.disarm()
        # A loop that is being shut down cancels every task, even before its first turn.
        error, n = (OperationAborted(), self.count) if task.cancelled() else task.result()
        self._handler(self._described(error) if isinstance(error, TransferError) else error, n)

    def _described(self, error: TransferError) -> TransferError:
        if type(error) is OperationAborted:
            error = self.failure or (TransferTimeout() if self._expired else error)
        error.bytes_transferred = self.count
        error.elapsed = time.monotonic() - self._started
        if self._describe is not None:
            self._describe(error)
        return error


def threaded(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Run ``work()`` on a thread of its own, which the end of the program does not wait for."""
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def settle(error: BaseException | None, result: Any) -> None:
        thread.join()  # it has nothing left to do, and no thread is to be left once the result is there
        if error is None:
            done.set_result(result)
        else:
            done.set_exception(error)

    def run() -> None:
        try:
            outcome: tuple[BaseException | None, Any] = None, work()
        except BaseException as error:
            outcome = error, None
        with suppress(RuntimeError):  # the loop was closed meanwhile
            loop.call_soon_threadsafe(settle, *outcome)

    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return done


async def in_thread(work: Callable[[], T], name: str, outer: Spawned | None = None) -> T:
    """Run ``work()`` on a thread of its own, and give its result, or raise its error.

    If cancelled, wait until the thread has ended; ``outer.stopping`` is then set.
    """
    done = threaded(work, name)
    while not done.done():
        try:
            await asyncio.wait((done,))
        except asyncio.CancelledError:
            if outer is not None:
                outer.stopping = True
    return done.result()


async def completion(
    start: Callable[[Handler], object],
    executor: Executor,
    outer: Spawned | None = None,
    timeout: float | None = None,  # noqa: ASYNC109 # it ends the operation, not the waiting for it
) -> tuple[BaseException | None, int]:
    """Start an operation and wait for ``(error, n)``.

    On cancellation or timeout, ask the operation to stop and wait until it has, so that no count is
    lost. CancelledError is not re-raised: the operation may have completed anyway; see ``outer.stopping``.

    Args:
        start: starts the operation.
        executor: where the handler runs.
        outer: whose work this is: the operation is asked for the type of cancellation that ``outer`` was asked for.
        timeout: seconds, or None.
    """
    signal = CancellationSignal()
    completed: asyncio.Future[tuple[BaseException | None, int]] = asyncio.get_running_loop().create_future()

    def complete(error: BaseException | None, n: int) -> None:
        completed.set_result((error, n))

    timer = None if timeout is None else timers_of(executor)(timeout, signal.emit)
    start(Handler(complete, executor, signal.slot))
    while not completed.done():
        try:
            await asyncio.wait((completed,))
        except asyncio.CancelledError:
            if outer is not None:
                outer.stopping = True
            signal.emit(outer.requested if outer and outer.requested else CancellationType.TERMINAL)
    if timer is not None:
        timer.cancel()
    return completed.result()
