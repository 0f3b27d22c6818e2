"""Transfer: Asio's loop of a composed operation, sans-I/O. It is fed with each step, and keeps the only count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._conditions import CompletionCondition, TransferAll, TransferAtLeast, TransferExactly, asking
from ._cursors import Cursor
from ._errors import OperationAborted, TransferError, of_the_system, transfer_error
from ._given_buffers import GrowingBuffer, ShrinkingBuffer

# Bytes that one transfer moves before an event loop gets a turn (rule 9), or a blocking form checks its limits. The
# second is added for each step.
TURN_SIZE, STEP_COST_SIZE = 1 << 20, 1 << 13
OWN_CONDITIONS = (TransferAll, TransferAtLeast, TransferExactly)


class Transfer:
    """One composed read or write, with no descriptor, no clock and no thread in it.

    Args:
        cursor: the caller's memory, and how far in it the transfer has come.
        condition: asked after each step how much to ask of the next one.

    Attributes:
        runs_user_code: its steps run code of the caller's, which may start another operation meanwhile.
        full: the stream is known to take nothing now: its last step was a short one.
        cancelled: cancellation was requested. It takes effect after the step under way.
        over: nothing more is to be transferred.
        error: how it ended; None for success.
    """

    __slots__ = ("_cursor", "_max_size", "_most", "cancelled", "error", "full", "over", "runs_user_code")

    def __init__(self, cursor: Cursor, condition: CompletionCondition) -> None:
        self.runs_user_code = type(condition) not in OWN_CONDITIONS
        self._most = asking(condition) if self.runs_user_code else condition
        self._cursor = cursor
        self._max_size: int | None = None  # of the next step, in bytes; None until the condition was first asked
        self.full = False
        self.cancelled = False
        self.over = False
        self.error: BaseException | None = None

    # -- the loop ----------------------------------------------------------------------------------

    def prepare(self) -> Sequence[memoryview]:
        """The buffers of the next step. The first step is taken whatever the condition answers."""
        if self._max_size is None:
            self._max_size = self._most(None, 0)
        return self._cursor.prepare(self._max_size)

    def feed(self, failure: BaseException | None, n: int) -> None:
        """Take in one step: its error, and the bytes that it transferred."""
        error = None if failure is None else transfer_error(failure)
        cursor = self._cursor
        left = cursor.total_size - cursor.total_consumed
        if not 0 <= n <= left:
            self.finish(ValueError(f"the stream reported {n} bytes, of {left} that were left"))
            return
        self.full = error is None and n < cursor.offered  # another try would only return EAGAIN
        cursor.consume(n)
        if self.over:  # ended from outside while the step was under way
            return
        if n == left or (error is None and n == 0):
            self.finish(error)
            return
        try:
            self._max_size = self._most(error, cursor.total_consumed)
        except Exception as broken:  # the caller's condition raised: that is how the transfer ends
            self.finish(broken)
            return
        if self._max_size == 0:
            self.finish(error)
        elif self.cancelled:
            self.finish(OperationAborted())

    def finish(self, error: BaseException | None) -> None:
        """End it. Only the first ending counts."""
        if not self.over:
            self.over, self.error = True, error

    def take(self, try_now: Callable[[Sequence[memoryview]], int], *, blocking: bool = False) -> None:
        """Take steps that need no waiting: until it is over, the stream is full, or others have their turn.

        Args:
            try_now: takes one step. BlockingIOError: it would have to wait.
            blocking: what is not an error of the system's is raised: the handler of a signal has raised it.
        """
        turn = TURN_SIZE
        self.full = False
        while not (self.over or self.full) and turn > 0:
            buffers = self.prepare()
            try:
                n = try_now(buffers)
            except BlockingIOError:
                self.full = True
            except Exception as error:
                if blocking and not of_the_system(error):
                    raise
                self.feed(error, 0)
                turn -= TURN_SIZE // 16  # a condition that goes on in spite of errors must not hold the loop
            else:
                self.feed(None, n)
                turn -= n + STEP_COST_SIZE

    @property
    def moved(self) -> int:
        """Bytes that its steps have moved; a read may have had more before, and give fewer."""
        return self._cursor.total_consumed

    def settle(self, moved: int) -> None:
        """Take in that its steps have ``moved`` so much, after one that the handler of a signal has interrupted."""
        self._cursor.settle(moved)

    # -- what has come of it -----------------------------------------------------------------------

    @property
    def dynamic(self) -> bool:
        """Whether the caller's memory is a dynamic buffer."""
        return isinstance(self._cursor, (ShrinkingBuffer, GrowingBuffer))

    @property
    def bytes_transferred(self) -> int:
        """Bytes transferred so far."""
        return self._cursor.total_consumed

    nothing: Any = 0  # the result of a transfer that was refused

    @property
    def result(self) -> Any:
        """What the handler gets behind the error."""
        return self._cursor.total_consumed

    @property
    def data(self) -> bytes | None:
        """What a read of a size has got so far; None for any other transfer."""
        return None

    @property
    def size(self) -> int | None:
        """Bytes asked for; None where that is unknown."""
        return self._cursor.size_asked

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's memory, as new views."""
        return self._cursor.remaining

    def tell(self, error: TransferError) -> None:
        """Say in ``error``, which ended it, how far it has come."""
        cursor = self._cursor
        error.bytes_transferred = cursor.total_consumed
        error.total = cursor.size_asked
        error.ask_remaining(lambda: cursor.remaining)

    def undelivered(self) -> None:
        """The caller does not get the result: keep it where the next operation finds it, if there is such a place."""
        return

    def release(self) -> None:
        """Give the caller's memory back: a bytearray can be resized again. May be called again."""
        self._cursor.release()
