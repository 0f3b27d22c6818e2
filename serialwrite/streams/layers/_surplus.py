"""The surplus of a Buffered, and the transfers that take from it: up to a delimiter, or by size."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from io import BytesIO
from threading import get_ident
from typing import Any

from ..._buffers import DynamicBuffer
from ..._conditions import MAX_TRANSFER, CompletionCondition, asking
from ..._direction import NOWHERE
from ..._errors import TransferError
from ..._executors import running_loop
from ..._given_buffers import GrowingBuffer
from ..._transfer import OWN_CONDITIONS
from ..._until import Delimiter, UntilTransfer

READS_PER_TURN = 1024  # reads that complete at once between two turns of the event loop (rule 9)
# Delimiters that end where a line of BytesIO ends, which is found fastest.
LINE_ENDS = frozenset({b"\n", b"\r\n"})


class Surplus:
    """What has come, and was not given to a read yet. A read that is in progress has taken it, and puts back the rest.

    Attributes:
        limit: the most bytes that may come without a delimiter.
        searched: what a pattern was searched for in vain; see :class:`DynamicBuffer`.
    """

    __slots__ = ("_came", "_chunk", "_idle_thread", "_reads_left", "limit", "searched")

    def __init__(self, limit: int) -> None:
        self.limit: int = limit
        self.searched: tuple[object, bytes] | None = None
        self._came = BytesIO()
        self._chunk = bytearray()
        self._idle_thread = NOWHERE  # the thread in which a read may take what is there, while no other is in progress
        self._reads_left = 1  # that may, before the event loop has to turn

    def claimed(self) -> None:
        """A read is in progress."""
        self._idle_thread, self._reads_left = NOWHERE, 1

    def released(self) -> None:
        """It has ended, on this thread."""
        self._idle_thread, self._reads_left = get_ident(), READS_PER_TURN

    @property
    def turn_due(self) -> bool:
        """Whether the event loop has to turn before another read completes at once (rule 9)."""
        return self._reads_left <= 0

    def take_turn(self) -> Generator[None, None, None]:
        """Let the event loop turn."""
        yield
        if self._reads_left <= 0:  # no other read is in progress by now
            self.released()

    def take_now(self, wanted: Delimiter | int) -> bytes | None:
        """What is there up to ``wanted``, or so many bytes; None where that has to be waited for, or a turn is due."""
        if self._idle_thread != get_ident():
            return None
        came = self._came
        if wanted in LINE_ENDS:
            line = came.readline()
            if line.endswith(wanted):  # type: ignore[arg-type] # it is one of them
                self._reads_left = left = self._reads_left - 1
                if not left:
                    self._idle_thread = NOWHERE
                return line
            came.seek(-len(line), 1)  # half a line, or one that ends otherwise
        size = self._find(wanted)
        if size is None:
            return None
        self._reads_left -= 1
        if self._reads_left <= 0:
            self._idle_thread = NOWHERE
        return came.read(size)

    def take_blocking(self, wanted: Delimiter | int) -> bytes | None:
        """The same, for a blocking form, which an event loop refuses. What a signal's handler raises loses nothing."""
        if running_loop() is not None:
            return None
        came = self._came
        start = came.tell()
        try:
            return self.take_now(wanted)
        except BaseException:
            came.seek(start)
            raise

    def _find(self, wanted: Delimiter | int) -> int | None:
        came = self._came
        start = came.tell()
        data = came.getvalue()
        if isinstance(wanted, bytes):
            found = data.find(wanted, start)
            return None if found < 0 else found + len(wanted) - start
        if isinstance(wanted, re.Pattern):
            match = None if self.searched else wanted.search(data[start:])
            return None if match is None else match.end()
        return wanted if wanted <= len(data) - start else None

    def chunk(self) -> bytearray:
        """Memory that a step reads into. It is made once: to make it for each read would take most of its time."""
        if not self._chunk:
            self._chunk = bytearray(min(self.limit, GrowingBuffer.CHUNK_SIZE))
        return self._chunk

    def take_all(self) -> bytes:
        """All that is there."""
        return self._came.read()

    def read_into(self, buffers: Sequence[memoryview]) -> int:
        """Move what is there into ``buffers``; return how many bytes that was."""
        return sum(map(self._came.readinto, buffers))

    def all(self) -> bytes:
        """All that is there, which stays."""
        return self._came.getvalue()[self._came.tell() :]

    def put_back(self, data: bytes) -> None:
        """Make ``data`` the first that is read again."""
        self.replace(data + self.all())

    def replace(self, data: bytes | bytearray) -> None:
        """Have ``data`` instead of all that is there."""
        self._came = BytesIO(data)


class LineTransfer(UntilTransfer):
    """A read up to ``delimiter``, whose result is what came up to there. The rest, or all, goes back to ``surplus``."""

    __slots__ = ("_given", "_holds", "_surplus", "_taken")
    nothing: Any = b""
    at_limit = "that is the limit of this Buffered"

    def __init__(self, surplus: Surplus, delimiter: Delimiter, longest_match: int) -> None:
        super().__init__(DynamicBuffer(bytearray(), surplus.limit), delimiter, longest_match)
        self._surplus = surplus
        self._holds = False  # what the surplus had
        self._given: bytes | None = None  # what the read has got, once it is over
        self._taken = False  # whether that is gone from the surplus

    def prepare(self) -> Sequence[memoryview]:
        if self._max_size is None:  # the first step
            self._dynamic.append(self._surplus.all())
            self._dynamic.searched = self._surplus.searched
            self._cursor = GrowingBuffer(self._dynamic, self._surplus.chunk())  # of the room that is left now
            self._holds = True  # only now: what a signal's handler raises before that leaves the surplus as it is
            self._surplus.take_all()
        return super().prepare()

    def finish(self, error: BaseException | None) -> None:
        before = self.over
        super().finish(error)
        if self._end is not None and not before:
            self._given = bytes(self._dynamic.data[: self._end])

    def undelivered(self) -> None:
        if self._taken:
            self._taken = False
            self._surplus.put_back(self.data)

    def release(self) -> None:
        super().release()
        end = self._end if self.over and self.error is None else None
        if self._given is None:
            self._given = self.data[:end]
        if self._holds:
            self._taken = end is not None
            self._surplus.searched = self._dynamic.searched
            self._surplus.replace(self._dynamic.data[end or 0 :])
            self._holds = False  # last: the handler of a signal may end this, and then it is called again

    @property
    def data(self) -> bytes:
        return bytes(self._dynamic) if self._given is None else self._given

    @property
    def result(self) -> Any:
        return self.data

    @property
    def bytes_transferred(self) -> int:
        return len(self._dynamic if self._given is None else self._given)

    @property
    def size(self) -> int | None:
        return None

    def tell(self, error: TransferError) -> None:
        super().tell(error)
        error.bytes_transferred, error.total, error.data = self.bytes_transferred, self.size, self.data


class SizedLineTransfer(LineTransfer):
    """A read of ``size`` bytes, as far as ``condition`` wants them."""

    __slots__ = ("_come", "_size", "_wanted")

    def __init__(self, surplus: Surplus, size: int, condition: CompletionCondition) -> None:
        super().__init__(surplus, b"", 1)
        self.runs_user_code = type(condition) not in OWN_CONDITIONS
        self._dynamic.max_size = max(surplus.limit, size)
        self._size = size
        self._wanted = asking(condition) if self.runs_user_code else condition
        self._come = 0  # bytes that the condition was called with

    def _more(self, error: TransferError | None, n: int) -> int:
        while self._come < self._size:
            asked = self._wanted(error, self._come)
            if asked == 0:
                break
            more = min(asked, len(self._dynamic) - self._come, self._size - self._come)
            if more <= 0:
                return MAX_TRANSFER
            self._come += more
        if error is None or self._come == self._size:
            self._end = self._come
        return 0

    @property
    def data(self) -> bytes:
        return super().data[: self._size]

    @property
    def bytes_transferred(self) -> int:
        return min(super().bytes_transferred, self._size)

    @property
    def size(self) -> int | None:
        return self._size

    def tell(self, error: TransferError) -> None:
        super().tell(error)
        error.awaited = None
