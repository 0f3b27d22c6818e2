"""Transfer: Asio's loop of a composed operation, sans-I/O. It is fed with each step, and keeps the only count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from ._conditions import CompletionCondition, TransferAll, TransferAtLeast, TransferExactly, check_condition, most
from ._cursors import Cursor, GrowingBuffer, ShrinkingBuffer
from ._errors import OperationAborted, TransferError, of_the_system, transfer_error

# Bytes that one transfer moves before an event loop gets a turn (rule 9), or a blocking form looks at its limits;
# and the bytes that each step counts for beside its own.
TURN_SIZE, STEP_COST_SIZE = 1 << 20, 1 << 13
OWN_CONDITIONS = (TransferAll, TransferAtLeast, TransferExactly)


class Transfer:
    """One composed read or write, with no descriptor, no clock and no thread in it.

    Args:
        cursor: the caller's memory, and how far in it the transfer has come.
        condition: asked after each step how much to ask of the next one.

    Attributes:
        cancelled: cancellation was requested. It takes effect after the step under way.
        over: nothing more is to be transferred.
        error: how it ended; None for success.
    """

    __slots__ = ("_begun", "_condition", "_cursor", "_max_size", "cancelled", "error", "over")

    def __init__(self, cursor: Cursor, condition: CompletionCondition) -> None:
        if type(condition) not in OWN_CONDITIONS:
            check_condition(condition)
        self._cursor = cursor
        self._condition = condition
        self._begun = False
        self._max_size = 0
        self.cancelled = False
        self.over = False
        self.error: BaseException | None = None

    # -- the loop ----------------------------------------------------------------------------------

    def begin(self) -> None:
        """Ask the condition for the first time, once. The first step is taken whatever it answers."""
        if not self._begun:
            self._begun = True
            self._cursor.open()
            self._max_size = most(self._condition, None, 0)

    def prepare(self) -> Sequence[memoryview]:
        """The buffers of the next step."""
        return self._cursor.prepare(self._max_size)

    def feed(self, error: TransferError | None, n: int) -> None:
        """Take in one step: its error, and the bytes that it transferred."""
        cursor = self._cursor
        left = cursor.total_size - cursor.total_consumed
        if not 0 <= n <= left:
            self.finish(ValueError(f"the stream reported {n} bytes, of {left} that were left"))
            return
        cursor.consume(n)
        if self.over:  # ended from outside while the step was under way
            return
        if cursor.empty or (error is None and n == 0):
            self.finish(error)
            return
        try:
            self._max_size = most(self._condition, error, cursor.total_consumed)
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

    def take(self, try_now: Callable[[Sequence[memoryview]], int], *, blocking: bool = False) -> bool:
        """Take steps that need no waiting: until it is over, the stream takes nothing more, or others have their turn.

        Args:
            try_now: takes one step. BlockingIOError: it would have to wait.
            blocking: what is not an error of the system's is raised: the handler of a signal has raised it.

        Returns:
            Whether the stream is known to take nothing now.
        """
        turn = TURN_SIZE
        while not self.over and turn > 0:
            try:
                n = try_now(self.prepare())
            except BlockingIOError:
                return True
            except Exception as error:
                if blocking and not of_the_system(error):
                    raise
                self.feed(transfer_error(error), 0)
                turn -= TURN_SIZE // 16  # a condition that goes on in spite of errors must not hold the loop
                continue
            offered = self._cursor.offered
            self.feed(None, n)
            if n < offered:
                return True  # another try would only meet EAGAIN
            turn -= n + STEP_COST_SIZE
        return False

    def settle(self, count: int) -> None:
        """Take in that ``count`` bytes are transferred, after a step that the handler of a signal has interrupted."""
        self._cursor.settle(count)

    # -- what has come of it -----------------------------------------------------------------------

    @property
    def dynamic(self) -> bool:
        """Whether the caller's memory is a dynamic buffer."""
        return isinstance(self._cursor, (ShrinkingBuffer, GrowingBuffer))

    @property
    def quiet(self) -> bool:
        """Whether its steps run no code of the caller's, which could start another operation meanwhile."""
        return type(self._condition) in OWN_CONDITIONS

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
    def awaited(self) -> str | None:
        """What a read waits for, and has not got, in words; None where there is no such thing."""
        return None

    @property
    def offered(self) -> int:
        """Bytes of the last :meth:`prepare`."""
        return self._cursor.offered

    @property
    def size(self) -> int | None:
        """Bytes asked for; None where there is no such number."""
        return self._cursor.size_asked

    @property
    def remaining(self) -> tuple[memoryview, ...]:
        """What is left of the caller's memory, as new views."""
        return self._cursor.remaining

    def release(self) -> None:
        """Give the caller's memory back: a bytearray can be resized again. May be called again."""
        self._cursor.release()
