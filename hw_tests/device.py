"""The port under test as the tests see it, whatever it is made of; and the far end of its cable."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import termios
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pytest

from hw_tests import quirks, raw

SETTLE_SECONDS = 30
CLOSING_WAIT = 3000  # the kernel's own setting for a new port, in 1/100 s


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

    def read(self, count: int, timeout: float = SETTLE_SECONDS) -> bytes:
        """Read exactly ``count`` bytes; fails, saying how many had come, after ``timeout`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: len(self._received) >= count, timeout):
                raise AssertionError(f"the far end received {len(self._received)} of {count} bytes in {timeout} s")
            return self._take(count)

    def read_until(self, marker: bytes, timeout: float = SETTLE_SECONDS) -> bytes:
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


class Device:
    """A port under test, and what can be done to it from outside.

    Whatever a device can't do skips the test by the name of the quirk. ``path`` and ``settings`` (pyserial's names) are
    what to open the port with; call pace() before. Between two tests reset() brings everything back.
    """

    FAST = 115200

    path: str
    far: FarEnd

    def __init__(self, name: str, device_quirks: frozenset[str]) -> None:
        if unknown := device_quirks - quirks.ALL.keys():
            raise ValueError(f"no such quirk: {', '.join(sorted(unknown))}; known: {', '.join(quirks.ALL)}")
        self.name, self.quirks = name, device_quirks
        self.baudrate = self.FAST
        self.rtscts = False
        self._numbers = itertools.count(1)

    def __repr__(self) -> str:
        return self.name

    @property
    def settings(self) -> dict[str, Any]:
        """How to open the port so that pace() and stall() hold for it."""
        return {"baudrate": self.baudrate, "rtscts": self.rtscts}

    def without(self, *names: str) -> None:
        """Skip the test if the device has any of these quirks."""
        for name in names:
            if name in self.quirks:
                self.skip(name)

    def skip(self, quirk: str) -> NoReturn:
        """Skip the test, by the name of a quirk."""
        pytest.skip(f"{quirk}: {quirks.ALL[quirk]}")

    # --- what is done to the port from outside ----------------------------------------------------------------

    def stall(self) -> None:
        """Let nothing more leave the port."""
        self.skip("no-stall")

    def resume(self) -> None:
        """End stall() and drop_cts()."""

    def pace(self, bytes_per_second: float) -> None:
        """Let bytes leave the port at this rate (8N1: a tenth of a usual baud rate). Call it before opening the port."""
        self.skip("no-pace")

    def unplug(self) -> None:
        """Pull the device out of the computer."""
        self.skip("no-unplug")

    def replug(self) -> None:
        """Put it back; return once the port is there again. ``path`` is the same if nobody held the old one open."""

    def drop_cts(self) -> None:
        """Let the far end drop its RTS. The port must have been opened with ``rtscts=True``."""
        self.skip("no-modem-lines")

    # --- the far end ------------------------------------------------------------------------------------------

    def peer_read(self, count: int, timeout: float = SETTLE_SECONDS) -> bytes:
        """What has arrived at the far end: exactly ``count`` bytes, waiting for them."""
        return self.far.read(count, timeout)

    def peer_read_until(self, marker: bytes, timeout: float = SETTLE_SECONDS) -> bytes:
        """What has arrived at the far end, up to and with ``marker``: so that nothing can have come in between."""
        return self.far.read_until(marker, timeout)

    def peer_write(self, data: bytes) -> None:
        """Send to the port under test."""
        self.far.write(data)

    # --- between tests ----------------------------------------------------------------------------------------

    def reset(self) -> None:
        """Bring everything back, prove that a message passes, and forget what came before it."""
        self.resume()
        self.replug()
        self.baudrate = self.FAST
        message = b"<reset %d>" % next(self._numbers)
        with raw.opened(self.path, self.baudrate) as fd:
            termios.tcflush(fd, termios.TCIOFLUSH)
            os.write(fd, message)
            try:
                self.far.read_until(message)
            except AssertionError as error:
                raise RuntimeError(f"{self.name} is stuck after the test: {error}") from None
            with contextlib.suppress(PermissionError):
                raw.set_closing_wait(fd, CLOSING_WAIT)

    def close(self) -> None:
        """Give back what the device is made of."""
        self.far.close()
