"""The transfers of async_read_until and of a read of a size: both read into a buffer that grows."""

from __future__ import annotations

import re
from errno import ENOBUFS
from typing import Any, TypeAlias

from ._buffers import DynamicBuffer
from ._conditions import MAX_TRANSFER, CompletionCondition
from ._errors import TransferError
from ._given_buffers import read_into
from ._transfer import Transfer

Delimiter: TypeAlias = bytes | re.Pattern[bytes]
LONGEST_MATCH = 4096  # bytes of a match of a pattern, where the caller does not say


def checked_delimiter(delimiter: Any, longest_match: Any) -> tuple[Delimiter, int]:
    """The two as they were given.

    Raises:
        TypeError, ValueError: one of them can't be used.
    """
    pattern: Any = getattr(delimiter, "pattern", delimiter)
    if isinstance(pattern, str):
        raise TypeError("delimiter: got text; pass bytes, or a pattern of bytes: re.compile(rb'...')")
    if not isinstance(pattern, bytes) or not pattern:
        raise TypeError(f"delimiter: got {delimiter!r}; pass bytes, at least one, or a compiled pattern of bytes")
    if not isinstance(longest_match, int) or isinstance(longest_match, bool):
        raise TypeError(f"longest_match={longest_match!r}: pass a number of bytes, 1 or more")
    if longest_match < 1:
        raise ValueError(f"longest_match={longest_match!r}: pass a number of bytes, 1 or more")
    return delimiter, longest_match


def checked_size(size: Any) -> int:
    """A size in bytes, as a read takes it instead of memory.

    Raises:
        TypeError, ValueError: it is not one.
    """
    if isinstance(size, bool):
        raise TypeError("buffers: got bool; pass memory to read into, or a size in bytes")
    if size < 0:
        raise ValueError(f"buffers: got the size {size}; pass 0 bytes or more")
    return int(size)


class SizedTransfer(Transfer):
    """A read of ``size`` bytes, which are its result."""

    __slots__ = ("_dynamic",)
    nothing = b""

    def __init__(self, size: int, condition: CompletionCondition) -> None:
        self._dynamic = DynamicBuffer(bytearray(), size)
        super().__init__(read_into(self._dynamic), condition)

    @property
    def data(self) -> bytes:
        return bytes(self._dynamic)

    def tell(self, error: TransferError) -> None:
        super().tell(error)
        error.data = self.data

    @property
    def result(self) -> bytes:
        return self.data


class UntilTransfer(Transfer):
    """A read into ``dynamic`` until ``delimiter`` is in it.

    Only what is new is searched, and before it what a match may have begun in. If a read ends early, the dynamic buffer
    keeps a copy of what was searched without a match. The next read goes on from there. It is a copy, because the
    caller may change the buffer meanwhile.
    """

    __slots__ = ("_delimiter", "_dynamic", "_end", "_overlap", "_searched")
    at_limit = "the buffer is at its max_size"

    def __init__(self, dynamic: DynamicBuffer, delimiter: Delimiter, longest_match: int) -> None:
        super().__init__(read_into(dynamic), self._more)
        self.runs_user_code = False
        self._dynamic = dynamic
        self._delimiter = delimiter
        self._overlap = len(delimiter) - 1 if isinstance(delimiter, bytes) else longest_match
        self._searched: int | None = None  # bytes from the front, in vain; None before the first search
        self._end: int | None = None  # just behind the delimiter, once it was found

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

    def finish(self, error: BaseException | None) -> None:
        if error is None and self._end is None and not self.over:
            self._more(None, 0)  # the buffer is full: the loop does not ask again, and the delimiter may end it
        vain = self._end is None and self._searched is not None and self._searched > self._overlap
        # A search for bytes is as fast as the comparison with a copy would be.
        keep = vain and not isinstance(self._delimiter, bytes)
        self._dynamic.searched = (self._key, bytes(self._dynamic.data[: self._searched])) if keep else None
        if self._end is not None:
            error = None
        elif error is None:
            error = TransferError(ENOBUFS, self.at_limit)
        super().finish(error)

    def tell(self, error: TransferError) -> None:
        super().tell(error)
        if isinstance(self._delimiter, bytes):
            error.awaited = f"{self._delimiter!r} has not come"
        else:
            size = f" of up to {self._overlap:,} bytes" if len(self._dynamic) > self._overlap else ""
            error.awaited = f"no match{size} of {self._delimiter.pattern!r} has come"

    @property
    def result(self) -> int:
        """Bytes in the buffer up to and including the delimiter."""
        return self.bytes_transferred if self._end is None else self._end
