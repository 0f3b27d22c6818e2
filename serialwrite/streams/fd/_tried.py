"""TriedStream: the protocol that one direction of a stream over a descriptor uses. PollableStream implements it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..._executors import EventLoopExecutor


class TriedStream(Protocol):
    """A stream that is tried first, and waited for by a descriptor. See :class:`PollableStream`."""

    _closed: bool
    _told_when_closed: bool
    _executor: EventLoopExecutor

    @property
    def queued(self) -> int | None: ...
    def write_some_nowait(self, buffers: Sequence[Any], /) -> int: ...
    def _write_one(self, data: bytes, /) -> int: ...
    def read_some_nowait(self, buffers: Sequence[Any], /) -> int: ...
    def _wait_fd(self) -> int: ...
    @property
    def is_open(self) -> bool: ...
    def _stall_reason(self, count: int | None, quiet: float = ..., /) -> str | None: ...
