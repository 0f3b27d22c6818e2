"""Sending a source to a port: the count at every moment, a stall noticed, a resume by itself."""

from __future__ import annotations

import time
from typing import Any, Protocol

import serialwrite as sw

from ._source import Source

FIFO = 128  # bytes, the largest of common UARTs: these leave unseen, with the queue empty already


class Watcher(Protocol):
    """Who is told how it goes."""

    def advanced(self, offset: int) -> None:
        """All bytes before ``offset`` are accepted."""

    def retrying(self, error: sw.TransferTimeout, retry: int) -> None:
        """The port took nothing for the whole timeout; the same byte is tried again."""


class Sending:
    """One source on its way to one port.

    Args:
        port: the port itself.
        source: what is sent.
        timeout: seconds without a byte after which it gives up, beyond ``gap``; None for never.
        retries: how often it then tries again.
        chunk: bytes handed over at a time.
        stream: what is written through; None for the port itself.
        gap: seconds for which ``stream`` may be silent on purpose.
        level: what is waited for behind the last byte, as for async_drain; ``"none"`` for nothing.

    Attributes:
        accepted: bytes that the operating system took, true at every moment and after every ending.
        timeouts: how often the port took nothing for the whole timeout.
    """

    def __init__(
        self,
        port: sw.SerialPort,
        source: Source,
        timeout: float | None,
        retries: int,
        chunk: int,
        *,
        stream: Any = None,
        gap: float = 0.0,
        level: Any = None,
    ) -> None:
        self._port = port
        self._stream = port if stream is None else stream
        self._level = level
        self._source = source
        self._timeout = None if timeout is None else timeout + gap
        self._retries = retries
        self._chunk = chunk
        self._began = self._ended = time.monotonic()
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
            while data := await self._source.read(self._chunk):
                await self._send(memoryview(data), first, watcher)
            await self._drain()
        finally:
            self._ended = time.monotonic()

    async def _send(self, rest: memoryview, first: int, watcher: Watcher) -> None:
        while rest:
            queued = self._port.queued
            # At least one byte, then back here: the time allowed begins anew whenever the port takes something,
            # so that a slow port is not mistaken for one that has stalled.
            writing = sw.async_write(
                self._stream, rest, timeout=self._timeout, completion_condition=sw.transfer_at_least(1)
            )
            try:
                await writing
            except sw.TransferTimeout as error:
                # A full driver may be silent until its queue is nearly empty, which is seconds at 9600 baud.
                if queued is None or error.queued is None or error.queued >= queued:
                    self.timeouts += 1
                    if self.timeouts > self._retries:
                        raise
                    watcher.retrying(error, self.timeouts)
            finally:  # Ctrl-C comes as a CancelledError: the operation still knows its count
                if n := writing.bytes_transferred:
                    self.accepted += n
                    rest = rest[n:]
                    watcher.advanced(first + self.accepted)

    async def _drain(self) -> None:
        """Wait until what was accepted has left the port, as far as its driver can tell: closing drops the rest."""
        if self._level == "none":
            return
        timeout = None if self._timeout is None else self._timeout + FIFO * 10 / self._port.serial.baudrate
        while True:
            try:
                await self._port.async_drain(level=self._level, timeout=timeout)
            except sw.TransferTimeout as error:
                if not error.bytes_transferred:
                    self.timeouts += 1
                    raise
            else:
                return
