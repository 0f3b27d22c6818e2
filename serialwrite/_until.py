"""The reads that async_read_until and a read of a size make: both read into a buffer that grows."""

from __future__ import annotations

import errno
import re
from typing import Any, TypeAlias

from ._buffers import DynamicBuffer
from ._conditions import MAX_TRANSFER, CompletionCondition
from ._errors import TransferError
from ._transfer import Reading

Delimiter: TypeAlias = bytes | re.Pattern[bytes]
LONGEST_MATCH = 4096  # bytes of a match of a pattern, where the caller does not say


class SizedReadOperation(Reading):
    """A read of so many bytes, which its result is; see :func:`async_read`."""

    name = "async_read"
    _nothing = b""

    def __init__(
        self,
        stream: Any,
        size: int,
        condition: CompletionCondition,
        timeout: float | None,
        idle_timeout: float | None,
    ) -> None:
        self._dynamic = DynamicBuffer(bytearray(), size)
        super().__init__(stream, self._dynamic, condition, timeout, idle_timeout)

    @property
    def data(self) -> bytes:
        """What has come so far."""
        return bytes(self._dynamic)

    def _result(self) -> bytes:
        return self.data

    def _described(self, error: TransferError) -> TransferError:
        described = super()._described(error)
        described.data = self.data
        return described


class ReadUntilOperation(Reading):
    """A read up to a delimiter, ready to start; see :func:`async_read_until`.

    Only what is new is searched, and before it what a match may have begun in. What a read that ended early has
    searched in vain is left with the dynamic buffer, for the next one to go on from: as a copy, because the caller
    may change the buffer meanwhile.
    """

    name = "async_read_until"

    def __init__(
        self,
        stream: Any,
        dynamic: DynamicBuffer,
        delimiter: Delimiter,
        longest_match: int,
        timeout: float | None,
        idle_timeout: float | None,
    ) -> None:
        super().__init__(stream, dynamic, self._more, timeout, idle_timeout)
        self._dynamic = dynamic
        self._delimiter = delimiter
        self._overlap = len(delimiter) - 1 if isinstance(delimiter, bytes) else longest_match
        self._searched: int | None = None  # bytes from the front, in vain; None before the first search
        self._end: int | None = None  # just behind the delimiter, once it was found

    @property
    def asks_nobody(self) -> bool:
        return True  # the condition is our own

    def _more(self, error: TransferError | None, n: int) -> int:
        """The completion condition: go on until the delimiter is in the buffer."""
        data = self._dynamic.data
        if self._searched is None:
            known = self._dynamic.searched
            self._searched = len(known[1]) if known and known[0] == self._key and data.startswith(known[1]) else 0
        start = max(0, self._searched - self._overlap)
        if isinstance(self._delimiter, bytes):
            found = data.find(self._delimiter, start)
            self._end = found + len(self._delimiter) if found >= 0 else None
        else:
            match = self._delimiter.search(data, start)
            self._end = match.end() if match else None
        self._searched = len(data)
        return 0 if error or self._end is not None else MAX_TRANSFER

    @property
    def _key(self) -> tuple[Delimiter, int]:
        return self._delimiter, self._overlap

    def _finish(self, error: BaseException | None) -> None:
        vain = self._end is None and self._searched is not None and self._searched > self._overlap
        # A search for bytes is as fast as the comparison with a copy would be.
        keep = vain and not isinstance(self._delimiter, bytes)
        self._dynamic.searched = (self._key, bytes(self._dynamic.data[: self._searched])) if keep else None
        if self._end is not None:
            error = None
        elif error is None:
            error = TransferError(errno.ENOBUFS, "the buffer is at its max_size")
        super()._finish(error)

    def _described(self, error: TransferError) -> TransferError:
        described = super()._described(error)
        described.awaited = self._awaited()
        return described

    def _awaited(self) -> str:
        if isinstance(self._delimiter, bytes):
            return f"{self._delimiter!r} has not come"
        size = f" of up to {self._overlap:,} bytes" if len(self._dynamic) > self._overlap else ""
        return f"no match{size} of {self._delimiter.pattern!r} has come"

    def _result(self) -> int:
        return self.bytes_transferred if self._end is None else self._end
