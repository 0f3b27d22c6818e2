"""Ports that are really there: two that a cable joins, or one that wears a plug. They stall by CTS and pace by baud rate."""

from __future__ import annotations

import os
import termios
import time
from pathlib import Path

from hw_tests import quirks, raw
from hw_tests.device import Device
from hw_tests.far_end import FarEnd

NOTICED_SECONDS = 0.5


class _Wired(Device):
    """What both wirings share: nothing but the lines can hold the port, and only its baud rate paces it."""

    def __init__(self, name: str, path: str, far_path: str, more_quirks: frozenset[str]) -> None:
        self.path, self._far_path = path, far_path
        found = quirks.of_driver(driver_of(path))
        self.far = FarEnd(lambda: raw.open_port(far_path, self.FAST))
        if not self._lines_are_wired():
            found |= {"no-modem-lines", "no-stall"}
        super().__init__(name, found | more_quirks | {"stall-spares-fifo", "no-unplug", "no-transceiver", "no-twenty"})
        self.rtscts = "no-stall" not in self.quirks

    def _lines_are_wired(self) -> bool:
        """Whether the port's CTS follows the far end's RTS."""
        with raw.opened(self.path) as fd:
            for high in (True, False, True):
                raw.set_modem_line(self.far.fd, termios.TIOCM_RTS, high)
                end = time.monotonic() + NOTICED_SECONDS
                while raw.modem_line(fd, termios.TIOCM_CTS) is not high:
                    if time.monotonic() > end:
                        return False
                    time.sleep(0.01)
        return True

    def stall(self) -> None:
        self.without("no-stall")
        self.drop_cts()

    def drop_cts(self) -> None:
        self.without("no-modem-lines")
        raw.set_modem_line(self.far.fd, termios.TIOCM_RTS, high=False)

    def resume(self) -> None:
        if "no-modem-lines" not in self.quirks:
            raw.set_modem_line(self.far.fd, termios.TIOCM_RTS, high=True)

    def pace(self, bytes_per_second: float) -> None:
        self._set_baudrate(round(bytes_per_second * 10))

    def reset(self) -> None:
        self._set_baudrate(self.FAST)
        super().reset()

    def _set_baudrate(self, baudrate: int) -> None:
        self.baudrate = baudrate
        raw.set_up(self.far.fd, baudrate)


class WiredPair(_Wired):
    """Two ports joined by a null-modem cable, or two TTL adapters cross-wired."""


class LoopbackPlug(_Wired):
    """One port whose plug joins TX to RX, RTS to CTS, and DTR to DSR and DCD."""

    def __init__(self, name: str, path: str, more_quirks: frozenset[str]) -> None:
        super().__init__(name, path, path, more_quirks | {"own-far-end"})


def driver_of(path: str) -> str:
    """The name of the driver behind a port; empty where the kernel doesn't say."""
    real = os.path.realpath(path)
    driver = Path("/sys/class/tty", Path(real).name, "device/driver")
    # Linux 6.6 on: the ports of serial_core are on a bus of their own, whose driver is always called "port"
    if driver.exists() and (name := driver.resolve().name) != "port":
        return name
    for line in Path("/proc/tty/drivers").read_text().splitlines():
        name, prefix, *_ = line.split()
        if real.startswith(prefix) and real.removeprefix(prefix).isdigit():
            return name
    return ""
