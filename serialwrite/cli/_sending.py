"""Sending a source to a port: the count at every moment, a stall noticed, a resume by itself."""

from __future__ import annotations

import time
from typing import Any, Protocol

import serialwrite as sw

from ._source import Source

UART_FIFO_MAX_SIZE = 128  # bytes, the largest of common UARTs: these leave unseen, with the queue empty already


class Watcher(Protocol):
    """What a sending reports its progress to."""

    def advanced(self, offset: int) -> None:
        """All bytes before ``offset`` are accepted."""

    def retrying(self, error: sw.TransferTimeout, retry: int) -> None:
        """The port took nothing for the whole idle timeout; the same byte is tried again."""


class Sending:
    """One source on its way to one port.

    Args:
        port: the port itself.
        source: what is sent.
        idle_timeout: seconds without a byte moved after which it gives up, beyond ``gap``; None for never.
        retries: how often it then tries again.
        chunk: bytes handed over at a time.
        stream: what is written through; None for the port itself.
        timeout: seconds for the whole, without those spent on waiting for the source; None for no limit.
        gap: seconds for which ``stream`` may be silent on purpose.
        level: what is waited for behind the last byte, as for async_drain; ``"none"`` for nothing.

    Attributes:
        accepted: bytes that the operating system took, true at every moment and after every ending.
        timeouts: how often one of the two limits was met.
    """

    def __init__(
        self,
        port: sw.SerialPort,
        source: Source,
        idle_timeout: float | None,
        retries: int,
        chunk: int,
        *,
        timeout: float | None = None,
        stream: Any = None,
        gap: float = 0.0,
        level: Any = None,
    ) -> None:
        self._port = port
        self._stream = port if stream is None else stream
        self._level = level
        self._source = source
        self._idle_timeout = None if idle_timeout is None else idle_timeout + gap
        self._timeout = timeout
        self._retries = retries
        self._chunk = chunk
        self._began = self._ended = time.monotonic()
        self._waited = 0.0  # seconds spent on waiting for the source
        self.accepted = 0
        self.timeouts = 0

    @property
    def seconds(self) -> float:
        """How long it took."""
        return self._ended - self._began

    async def run(self, first: int, watcher: Watcher) -> None:
        """Send the source from the byte ``first`` on.

        Raises TransferTimeout and Disconnected as async_write does; SourceError when the source gives no more.
        """
        await self._source.skip_to(first)
        self._began = time.monotonic()
        try:
            while data := await self._read():
                await self._send(memoryview(data), first, watcher)
            await self._drain()
        finally:
            self._ended = time.monotonic()

    async def _read(self) -> bytes:
        began = time.monotonic()
        try:
            return await self._source.read(self._chunk)
        finally:
            self._waited += time.monotonic() - began

    def _left(self) -> float | None:
        """Seconds that are left of the whole; None for no limit."""
        if self._timeout is None:
            return None
        return max(0.0, self._timeout - (time.monotonic() - self._began - self._waited))

    async def _send(self, rest: memoryview, first: int, watcher: Watcher) -> None:
        while rest:
            left = self._left()
            if left == 0 and self.accepted:  # a port that is always ready would let each further write succeed
                self.timeouts += 1
                raise sw.TransferTimeout
            # At least one byte, then back here, so that ``watcher`` sees each step.
            writing = sw.async_write(
                self._stream,
                rest,
                timeout=left,
                idle_timeout=self._idle_timeout,
                completion_condition=sw.transfer_at_least(1),
            )
            try:
                await writing
            except sw.TransferTimeout as error:
                self.timeouts += 1
                if error.idle_timeout is None or self.timeouts > self._retries:
                    raise
                watcher.retrying(error, self.timeouts)
            finally:  # Ctrl-C comes as a CancelledError: the operation still knows its count
                if n := writing.bytes_transferred:
                    self.accepted += n
                    rest = rest[n:]
                    watcher.advanced(first + self.accepted)

    async def _drain(self) -> None:
        """Wait until what was accepted has left the port, as far as its driver reports it: closing drops the rest."""
        if self._level == "none":
            return
        idle = self._idle_timeout
        if idle is not None:
            idle += UART_FIFO_MAX_SIZE * 10 / self._port.driver.line.baudrate
        while True:
            left = self._left()
            timeout = min((seconds for seconds in (idle, left) if seconds is not None), default=None)
            try:
                await self._port.async_drain(level=self._level, timeout=timeout)
            except sw.TransferTimeout as error:
                over = self._left() == 0
                if error.bytes_transferred and not over:
                    continue
                self.timeouts += 1
                error.idle_timeout = None if over else idle
                raise
            return
