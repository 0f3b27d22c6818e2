"""What is to be written: a file or standard input, read in bounded pieces from an offset on."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
from types import TracebackType
from typing import Self

SKIP = 1 << 20  # bytes read at a time where the input can't be positioned


class SourceError(Exception):
    """The input can't be read, or not from there; the message says what to do."""


class Source:
    """A file, or standard input (``-``).

    Attributes:
        size: bytes in all; None for a pipe, whose end is not known before it comes.
        offset: of the next byte to be read.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_stdin = name == "-"
        self.offset = 0
        try:
            self._fd = sys.stdin.fileno() if self.is_stdin else os.open(name, os.O_RDONLY)
        except (OSError, AttributeError) as error:  # stdin is None where it was closed
            raise SourceError(f"{self} can't be opened: {_reason(error)}") from error
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            self.close()
            raise SourceError(f"{self} is a directory: name a file")
        self._seekable = stat.S_ISREG(mode)
        # Redirected input may begin in the middle of a file: offsets count from there.
        self._start = os.lseek(self._fd, 0, os.SEEK_CUR) if self._seekable else 0
        self.size = max(0, os.fstat(self._fd).st_size - self._start) if self._seekable else None

    def __str__(self) -> str:
        return "standard input" if self.is_stdin else f"the file {self.name!r}"

    def check_offset(self, offset: int) -> None:
        """Raise SourceError where ``offset`` is known to lie beyond the end."""
        if self.size is not None and offset > self.size:
            raise SourceError(
                f"--resume-from {offset} is beyond the end: {self} has {self.size:,} bytes; "
                "pass the count that the earlier write printed, and the same input"
            )

    async def skip_to(self, offset: int) -> None:
        """Go on at ``offset``."""
        self.check_offset(offset)
        if self._seekable:
            os.lseek(self._fd, self._start + offset, os.SEEK_SET)
            self.offset = offset
        while self.offset < offset:
            if not await self.read(min(SKIP, offset - self.offset)):
                self.check_offset(offset)

    async def read(self, most: int) -> bytes:
        """The next bytes, ``most`` of them at most; none at the end."""
        if self.size is not None:
            most = min(most, self.size - self.offset)  # what is added to a file meanwhile was not asked for
            if not most:
                return b""
        try:
            data = await self._read(most)
        except OSError as error:
            raise SourceError(f"{self} can't be read beyond byte {self.offset:,}: {_reason(error)}") from error
        self.offset += len(data)
        if not data:
            if self._seekable:
                raise SourceError(f"{self} became shorter while it was read: {self.offset:,} of {self.size:,} bytes")
            self.size = self.offset
        return data

    async def _read(self, most: int) -> bytes:
        while True:
            if not self._seekable:
                await self._readable()
            try:
                return os.read(self._fd, most)
            except BlockingIOError:  # somebody else took it
                continue

    async def _readable(self) -> None:
        """Wait on the loop, so that a signal ends a wait for a pipe that gives nothing."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(self._fd, _set, ready)
        except PermissionError:  # epoll takes no /dev/null or /dev/zero, which need no waiting
            return
        try:
            await ready
        finally:
            loop.remove_reader(self._fd)

    def close(self) -> None:
        if not self.is_stdin:
            os.close(self._fd)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
