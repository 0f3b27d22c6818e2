"""Asio's loop of a composed operation, sans-I/O: it is told what a step gave, and says how much to ask of the next."""

from __future__ import annotations

from ._conditions import CompletionCondition, most
from ._cursors import ConsumingBuffers
from ._errors import OperationAborted, TransferError


class TransferLoop:
    """Asio's loop, exactly, with no I/O in it: fed with what each step gave, it says how much to ask of the next.

    Attributes:
        buffers: what is to be transferred, and the cursor in it.
        error: how it ended; None for success.
    """

    __slots__ = ("buffers", "condition", "error")

    def __init__(self, buffers: ConsumingBuffers, condition: CompletionCondition) -> None:
        self.buffers = buffers
        self.condition = condition
        self.error: TransferError | None = None

    def begin(self) -> int:
        """The most bytes to ask of the first step, which is taken even where this is 0 or the buffers are empty."""
        return most(self.condition, None, 0)

    def step(self, error: TransferError | None, n: int, *, cancelled: bool) -> int:
        """Take in one step: its error, the bytes that it transferred, whether cancellation was requested meanwhile.

        Returns:
            The most bytes to ask of the next step; 0 when the operation is over.
        """
        buffers = self.buffers
        if not 0 <= n <= buffers.total_size - buffers.total_consumed:
            raise ValueError(
                f"the stream reported {n} bytes, of {buffers.total_size - buffers.total_consumed} that were left"
            )
        buffers.consume(n)
        self.error = error
        if buffers.empty or (error is None and n == 0):
            return 0
        size = most(self.condition, error, buffers.total_consumed)
        if size and cancelled:
            self.error = OperationAborted()
            return 0
        return size
