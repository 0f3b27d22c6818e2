"""yield_context: the token of a stackful coroutine, over greenlet. ``spawn`` (``_spawn``) makes one."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any, Self, TypeVar

from ._cancellation import (
    CancellationFilter,
    CancellationSignal,
    CancellationSlot,
    CancellationState,
    CancellationType,
    enable_terminal_cancellation,
)
from ._errors import OperationAborted, transfer_error
from ._executors import Executor
from ._handler import Completion, Handler
from ._operation import CompletionToken, Operation

T = TypeVar("T")
R = TypeVar("R")

OUTSIDE_MESSAGE = (
    "a yield_context works only inside the function that spawn runs with it, and while that runs; "
    "elsewhere await the operation, or use another completion token"
)


class yield_context(CompletionToken[int, Completion]):  # noqa: N801 # the name that Asio gives the type
    """The token that suspends its coroutine until the operation has ended; the call then returns the count.

    :func:`spawn` makes one, and hands it to the function that it runs. It works nowhere else. Inside that function, and
    in what it calls, the class itself may be passed instead: ``async_write(port, data, yield_context)``.

    Cancellation: a request to the coroutine goes on to the operation that it waits for. Its cancellation state filters
    the request: it passes TERMINAL only, until :meth:`reset_cancellation_state` changes that.

    Follows Asio's ``basic_yield_context``.
    """

    def __init__(self, executor: Executor, slot: CancellationSlot) -> None:
        self._executor = executor
        self._parent_slot = slot
        self._state = CancellationState(slot, enable_terminal_cancellation)
        self._greenlet: Any = None
        self._waiting = False
        self.throw_if_cancelled: bool = True
        """Whether to wait for an operation raises OperationAborted in a coroutine that was cancelled before."""

    @classmethod
    def here(cls) -> Self:
        """The one of the coroutine that runs now; RuntimeError where none does."""
        load_greenlet()
        mine: Self | None = getattr(current_greenlet(), "yield_context", None)
        if mine is None:
            raise RuntimeError(OUTSIDE_MESSAGE)
        return mine

    def get_executor(self) -> Executor:
        """Where the coroutine runs; ``spawn(yield_, ...)`` starts another one there."""
        return self._executor

    # -- cancellation ------------------------------------------------------------------------------

    @property
    def cancelled(self) -> CancellationType:
        """The types of cancellation that the coroutine was asked, as far as its state accepts them."""
        return self._state.cancelled

    def get_cancellation_slot(self) -> CancellationSlot:
        """The slot that the next operation of the coroutine listens on."""
        return self._state.slot

    def reset_cancellation_state(
        self,
        in_filter: CancellationFilter = enable_terminal_cancellation,
        out_filter: CancellationFilter | None = None,
    ) -> None:
        """Forget what was asked, and choose what is let through from now on: see :class:`CancellationState`."""
        self._state = CancellationState(self._parent_slot, in_filter, out_filter)

    # -- waiting -----------------------------------------------------------------------------------

    def initiate(self, operation: Operation[Any], /) -> Any:
        self._check(operation)
        at_once = operation.attempt()  # as the awaiting form does: the coroutine need not be suspended
        if at_once is not None:
            try:
                return operation.result(at_once)
            finally:
                del at_once  # the traceback keeps this frame
        completed: list[tuple[Any, ...]] = []

        def complete(*args: Any) -> None:
            self._executor.dispatch(wake, args)

        def wake(args: tuple[Any, ...]) -> None:
            completed.append(args)
            if self._waiting:
                self._resume()

        signal = CancellationSignal()
        slot = self._state.slot
        slot.assign(lambda type: operation.executor.dispatch(signal.emit, type))
        try:
            operation.launch(Handler(complete, self._executor, signal.slot if slot.is_connected else slot))
            if not completed:
                self._suspend()
        finally:
            slot.clear()
        return operation.result(completed.pop())  # the traceback keeps this frame

    def _check(self, operation: Operation[Any]) -> None:
        inside = self._greenlet is not None and self._greenlet is current_greenlet()
        if inside and not (self.cancelled and self.throw_if_cancelled):
            return
        operation.adopt()  # refused, not forgotten
        if inside:
            aborted = OperationAborted()
            aborted.ask_remaining(lambda: operation.remaining)
            raise aborted
        raise RuntimeError(OUTSIDE_MESSAGE)

    def _suspend(self) -> None:
        self._waiting = True
        try:
            self._greenlet.parent.switch()
        finally:
            self._waiting = False

    # -- running -----------------------------------------------------------------------------------

    def start(
        self, function: Callable[[yield_context], object], ended: Callable[[Exception | None, Any], None]
    ) -> None:
        """Run ``function(self)`` until it waits for the first time; ``ended(error, value)`` is called at its end."""
        self._ended = ended
        self._greenlet = new_greenlet(lambda: function(self))
        self._greenlet.yield_context = self
        self._greenlet.gr_context = contextvars.copy_context()  # as a task of asyncio has it
        self._resume()

    def _resume(self) -> None:
        coroutine = self._greenlet
        coroutine.parent = current_greenlet()  # where it goes when it waits again, or ends
        error: Exception | None = None
        value: object = None
        try:
            value = coroutine.switch()
        except asyncio.CancelledError as cancelled:  # of something that the function ran: it is not our caller's
            error = transfer_error(cancelled)
        except Exception as raised:
            error = raised
        except BaseException as fatal:  # KeyboardInterrupt, SystemExit: the loop ends, so end every wait
            self._end(transfer_error(fatal), None)
            raise
        if coroutine.dead:
            self._end(error, value)

    def _end(self, error: Exception | None, value: object) -> None:
        self._greenlet = None
        self._parent_slot.clear()
        self._ended(error, value)


# greenlet, once it was needed: an import of serialwrite must not need it.
current_greenlet: Callable[[], Any]
new_greenlet: Callable[[Callable[[], object]], Any]


def load_greenlet() -> None:
    global current_greenlet, new_greenlet  # set once, by the first spawn
    try:
        from greenlet import getcurrent, greenlet  # noqa: PLC0415 # only spawn needs it
    except ImportError as error:
        raise ImportError("spawn needs greenlet, which is not installed: pip install greenlet") from error
    current_greenlet, new_greenlet = getcurrent, greenlet
