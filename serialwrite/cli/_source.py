"""What is to be written: a file or standard input, read in bounded pieces from an offset on."""

from __future__ import annotations

import asyncio
import os
import stat
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Self

SKIP_READ_SIZE = 1 << 20  # bytes read at a time where the input can't be positioned
O_BINARY: int = getattr(os, "O_BINARY", 0)  # else Windows turns \r\n into \n, and ends at a Ctrl-Z


class SourceError(Exception):
    """The input can't be read, or not from there; the message says what to do."""


class Source:
    """A file, or standard input (``-``). It ends where reading it ends, whatever size the file system reports.

    Attributes:
        size: bytes in all, as the file system reports, for a progress bar. Once the end was read, it is exact.
            None where it is unknown: for a pipe, a device, the files of /proc.
        offset: of the next byte to be read.
        waiting: whether the next bytes have not come yet.
        arrived: when they last came after they had been waited for, on ``time.monotonic``; 0.0 for never.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_stdin = name == "-"
        self.size: int | None = None
        self.offset = 0
        self.waiting = False
        self.arrived = 0.0
        # Opening must not block: it would wait for a FIFO's writer and for a serial port's carrier.
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0) | O_BINARY
        try:
            self._fd = sys.stdin.fileno() if self.is_stdin else os.open(name, flags)
        except (OSError, AttributeError) as error:  # stdin is None where it was closed
            raise SourceError(f"{self} can't be opened: {_reason(error)}") from error
        mode = os.fstat(self._fd).st_mode
        if stat.S_ISDIR(mode):
            self.close()
            raise SourceError(f"{self} is a directory: pass a file")
        self._is_regular = stat.S_ISREG(mode)
        self._start: int | None = None  # where it begins, if it can be positioned: redirected input may be part-read
        if self._is_regular or stat.S_ISBLK(mode):
            with suppress(OSError):
                self._start = os.lseek(self._fd, 0, os.SEEK_CUR)
        self.size = self._told_size()

    def __str__(self) -> str:
        return "standard input" if self.is_stdin else f"the file {self.name!r}"

    def _told_size(self) -> int | None:
        """The size that the file system reports now. 0 may mean anything: the files of /proc have it."""
        if self._start is None:
            return None
        if self._is_regular:
            end = os.fstat(self._fd).st_size
        else:  # a disk, whose st_size is 0
            end = os.lseek(self._fd, 0, os.SEEK_END)
            os.lseek(self._fd, self._start + self.offset, os.SEEK_SET)
        return max(0, end - self._start) or None

    def check_offset(self, offset: int) -> None:
        """Raise SourceError if ``offset`` is beyond the end, as far as that can be seen without waiting."""
        if self._start is not None and offset:
            self._check_length(offset, self._length(self._start, offset))

    def _check_length(self, offset: int, length: int) -> None:
        if offset > length:
            raise SourceError(
                f"--resume-from {offset} is beyond the end: {self} has {length:,} bytes; "
                "pass the count that the earlier write printed, and the same input"
            )

    def _length(self, start: int, most: int) -> int:
        """Bytes that can be read, counted no further than ``most``."""
        told, count = min(self.size or 0, most), 0
        try:
            if told and os.pread(self._fd, 1, start + told - 1):
                return told
            while count < most and (data := os.pread(self._fd, min(SKIP_READ_SIZE, most - count), start + count)):
                count += len(data)  # /sys reports a size that has nothing to do with the content
        except BlockingIOError:
            return most
        except OSError as error:
            raise self._unreadable(count, error) from error
        return count

    async def skip_to(self, offset: int) -> None:
        """Go on at ``offset``."""
        if self._start is not None and self.size is not None:
            os.lseek(self._fd, self._start + offset, os.SEEK_SET)
            self.offset = offset
        while self.offset < offset:
            if not await self.read(min(SKIP_READ_SIZE, offset - self.offset)):
                self._check_length(offset, self.offset)

    async def read(self, most: int) -> bytes:
        """The next bytes, ``most`` of them at most; none at the end."""
        try:
            data = await self._read(most)
        except OSError as error:
            raise self._unreadable(self.offset, error) from error
        self.offset += len(data)
        if not data:
            self._ended()
        elif self.size is not None and self.offset > self.size:
            self.size = self._told_size()  # it has grown
        return data

    def _ended(self) -> None:
        """The end was read: the size is known, unless the file was cut off meanwhile."""
        if self.size is not None and self.offset < self.size:
            now = self._told_size() or 0
            if now < self.size:
                raise SourceError(f"{self} became shorter while it was read: {self.offset:,} of {self.size:,} bytes")
        self.size = self.offset

    def _unreadable(self, offset: int, error: OSError) -> SourceError:
        return SourceError(f"{self} can't be read beyond byte {offset:,}: {_reason(error)}")

    async def _read(self, most: int) -> bytes:
        if not self._is_regular:
            await self._readable()  # a FIFO that no writer has opened yet reads as if it had ended
        while True:
            try:
                return os.read(self._fd, most)
            except BlockingIOError:  # another process took it
                await self._readable()

    async def _readable(self) -> None:
        """Wait on the loop, so that a signal ends a wait for a pipe that gives nothing."""
        loop = asyncio.get_running_loop()
        ready: asyncio.Future[None] = loop.create_future()
        try:
            loop.add_reader(self._fd, _set, ready)
        except PermissionError:  # epoll takes no /dev/null or /dev/zero, which need no waiting
            return
        self.waiting = True
        try:
            await ready
        finally:
            self.arrived = time.monotonic()
            self.waiting = False
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
