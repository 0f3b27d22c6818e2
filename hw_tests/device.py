"""The port under test as the tests see it, whatever it is made of."""

from __future__ import annotations

import contextlib
import itertools
import os
import select
import termios
from typing import Any, NoReturn

import pytest

from hw_tests import quirks, raw
from hw_tests.far_end import PATIENCE_SECONDS, FarEnd

CLOSING_WAIT = 3000  # the kernel's own setting for a new port, in 1/100 s


class Device:
    """A port under test, and what can be done to it from outside.

    Whatever a device can't do skips the test by the name of the quirk. ``path`` and ``settings`` (pyserial's names) are
    what to open the port with; call pace() before. Between two tests reset() brings everything back.
    """

    FAST = 115200

    path: str
    far: FarEnd

    def __init__(self, name: str, device_quirks: frozenset[str]) -> None:
        assert device_quirks <= quirks.ALL.keys()
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

    def use_transceiver(self) -> None:
        """Put the port on an RS-485 bus: a byte that is sent while RTS is low is lost, and counted by bytes_cut()."""
        self.skip("no-transceiver")

    def bytes_cut(self) -> int:
        """How many bytes the transceiver has lost since use_transceiver()."""
        raise NotImplementedError

    def twenty(self) -> contextlib.AbstractContextManager[list[Device]]:
        """Twenty ports of this kind at once, each with a far end of its own."""
        self.skip("no-twenty")

    # --- the far end ------------------------------------------------------------------------------------------

    def peer_read(self, count: int, timeout: float = PATIENCE_SECONDS) -> bytes:
        """What has arrived at the far end: exactly ``count`` bytes, waiting for them."""
        return self.far.read(count, timeout)

    def peer_read_until(self, marker: bytes, timeout: float = PATIENCE_SECONDS) -> bytes:
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
            select.select([], [fd], [], PATIENCE_SECONDS)  # just plugged in, an adapter may take nothing yet
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
