"""The far end of the cable: a thread that takes in whatever the port under test sends."""

from __future__ import annotations

import os
import select
import threading
from collections.abc import Callable

PATIENCE_SECONDS = 30


class FarEnd:
    """Takes in whatever arrives at the far end of the cable, on a thread, until it is paused."""

    def __init__(self, open_fd: Callable[[], int]) -> None:
        """``open_fd`` opens what is read from: a serial port or a socket, non-blocking."""
        self._open_fd = open_fd
        self._fd = open_fd()
        self._changed = threading.Condition()
        self._received = bytearray()
        self._paused = self._closed = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK)
        self._thread = threading.Thread(target=self._collect, name="far end", daemon=True)
        self._thread.start()

    @property
    def fd(self) -> int:
        """For what only this kind of far end has: modem lines, speed."""
        return self._fd

    @property
    def received(self) -> bytes:
        """What has arrived and has not been read yet."""
        with self._changed:
            return bytes(self._received)

    def pause(self, paused: bool) -> None:
        """Take nothing more, or go on. Nothing is taken once this has returned."""
        with self._changed:
            self._paused = paused
            self._notify()

    def reopen(self) -> None:
        """Begin anew after the far end itself was gone."""
        with self._changed:
            os.close(self._fd)
            self._fd = self._open_fd()
            self._paused = False
            self._notify()

    def read(self, count: int, timeout: float = PATIENCE_SECONDS) -> bytes:
        """Read exactly ``count`` bytes; fails, saying how many had come, after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received) >= count, timeout):
                raise AssertionError(f"the far end received {len(self._received)} of {count} bytes in {timeout} s")
            return self._take(count)

    def read_until(self, marker: bytes, timeout: float = PATIENCE_SECONDS) -> bytes:
        """Read up to and with ``marker``."""
        with self._changed:
            if not self._changed.wait_for(lambda: marker in self._received, timeout):
                raise AssertionError(f"no {marker!r} among {len(self._received)} bytes that came in {timeout} s")
            return self._take(self._received.index(marker) + len(marker))

    def write(self, data: bytes) -> None:
        """Send to the port under test."""
        while data:
            select.select([], [self._fd], [])
            data = data[os.write(self._fd, data) :]

    def close(self) -> None:
        """Stop collecting."""
        with self._changed:
            self._closed = True
            self._notify()
        self._thread.join()
        os.close(self._fd)
        os.close(self._wake)

    def _notify(self) -> None:
        self._changed.notify_all()
        os.eventfd_write(self._wake, 1)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._received[:count])
        del self._received[:count]
        return taken

    def _collect(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._paused or self._closed)
                if self._closed:
                    return
                fd = self._fd
            ready, _, _ = select.select([fd, self._wake], [], [])
            with self._changed:
                if self._wake in ready:
                    os.eventfd_read(self._wake)
                if self._paused or self._closed or fd != self._fd:
                    continue
                try:
                    data = os.read(fd, 65536)
                except BlockingIOError:
                    continue
                except OSError:  # hung up
                    data = b""
                self._paused = not data  # gone, until reopen()
                self._received += data
                self._changed.notify_all()
