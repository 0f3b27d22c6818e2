"""AnsweringStream: a device that answers by rule, as a stream in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from serialwrite._errors import EndOfFile, OperationAborted, StreamBusy, StreamClosed, TransferError
from serialwrite._executors import EventLoopExecutor, Executor
from serialwrite._given_buffers import buffer_copy
from serialwrite._handler import Handler
from serialwrite._initiate import async_initiate
from serialwrite._operation import deferred
from serialwrite.streams._methods import StreamMethods
from serialwrite.testing._answers import Answers, Rules


class AnsweringStream(StreamMethods):
    r"""A stream whose far end answers: ``AnsweringStream({b"AT\r": b"OK\r\n"})``. It has no descriptor and no thread.

    Args:
        rules: as of :class:`Answering`.
        executor: where it lives, ``VirtualTime`` for one; None for the loop of its first operation.

    Attributes:
        received: all that was written to it.

    Cancellation: total, while a read waits: it has read nothing then.
    """

    def __init__(self, rules: Rules, *, executor: Executor | None = None) -> None:
        self._executor: Executor = executor or EventLoopExecutor()
        self._answers = Answers(rules)
        self._said = bytearray()  # and not read yet
        self._ending: TransferError | None = None  # of a read that finds nothing more
        self._waiting: tuple[Handler, Sequence[memoryview]] | None = None
        self.received: bytearray = bytearray()

    @property
    def asked(self) -> list[bytes]:
        """What was recognised so far, in order."""
        return self._answers.asked

    def get_executor(self) -> Executor:
        return self._executor

    def say(self, data: bytes) -> None:
        """Send ``data`` unasked."""
        self._said += data
        self._give()

    def hang_up(self) -> None:
        """End the line: once all answers are read, the next read gets the end of file."""
        self._ending = self._ending or EndOfFile()
        self._give()

    def close(self) -> None:
        """Close it on this side."""
        self._ending = StreamClosed()
        self._said.clear()
        self._give()

    def async_write_some(self, buffers: Sequence[memoryview], token: Any = deferred, /) -> Any:
        """Take all of ``buffers``, and answer."""

        def initiation(handler: Handler) -> None:
            if isinstance(self._ending, StreamClosed):
                self._executor.post(handler, StreamClosed(), 0)
                return
            data = b"".join(buffers)
            self.received += data
            self._executor.post(handler, None, len(data))
            self.say(self._answers.feed(data))

        return async_initiate(initiation, token, self._executor, name="async_write_some")

    def async_read_some(self, buffers: Sequence[memoryview], token: Any = deferred, /) -> Any:
        """Read what was said into ``buffers``, at least one byte."""

        def initiation(handler: Handler) -> None:
            if self._waiting is not None:
                raise StreamBusy(self, "read")
            self._waiting = handler, buffers
            handler.cancellation_slot.assign(lambda type: self._end(OperationAborted(), 0))
            self._give()

        return async_initiate(initiation, token, self._executor, name="async_read_some")

    def _give(self) -> None:
        """Let the read that waits have what there is for it."""
        if self._waiting is not None:
            _, buffers = self._waiting
            n = buffer_copy(buffers, self._said)
            del self._said[:n]
            if n or not any(map(len, buffers)):
                self._end(None, n)
            elif self._ending is not None:
                self._end(self._ending, 0)

    def _end(self, error: TransferError | None, n: int) -> None:
        assert self._waiting is not None
        (handler, _), self._waiting = self._waiting, None
        handler.cancellation_slot.clear()
        self._executor.post(handler, error, n)
