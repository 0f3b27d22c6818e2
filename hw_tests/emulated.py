"""The ports of the rig's guest, and what can be done to them from outside. Nothing here works elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import socket
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

from hw_tests import quirks, raw
from hw_tests.device import Device
from hw_tests.far_end import FarEnd
from hw_tests.rig.guest.gadget import Gadget, wait_until
from hw_tests.rig.guest.host import ask
from hw_tests.wired import LoopbackPlug, WiredPair

PCI_DRIVER = Path("/sys/bus/pci/drivers/serial")
NULLMODEM = Path("/sys/kernel/debug/nullmodem")


class Pumped8250(Device):
    """QEMU's 16550A; the host's pump is the cable."""

    def __init__(self, name: str, lane: str, path: str, far_path: str) -> None:
        self.path, self._lane = path, lane
        self.far = FarEnd(lambda: raw.open_port(far_path, self.FAST))
        own = {"no-modem-lines", "no-unplug", "no-transceiver", "cable-takes-a-few", "no-twenty"}
        super().__init__(name, quirks.of_driver("serial8250") | own)

    def stall(self) -> None:
        ask("stall", port=self._lane, stalled=True)

    def resume(self) -> None:
        ask("stall", port=self._lane, stalled=False)

    def pace(self, bytes_per_second: float) -> None:
        self.baudrate = round(bytes_per_second * 10)
        ask("pace", port=self._lane, bytes_per_second=bytes_per_second)

    def reset(self) -> None:
        ask("pace", port=self._lane, bytes_per_second=None)
        super().reset()


class Pci8250(Pumped8250):
    """The same on a PCI card, which can be taken out while the machine runs."""

    def __init__(self, name: str, lane: str, path: str, far_path: str) -> None:
        super().__init__(name, lane, path, far_path)
        self.quirks -= {"no-unplug"}
        node = os.path.realpath(f"/sys/class/tty/{Path(path).name}")
        self._card = re.findall(r"/(0000:[0-9a-f.:]+)(?=/)", node)[0]

    def unplug(self) -> None:
        (PCI_DRIVER / "unbind").write_text(self._card)

    def replug(self) -> None:
        if not (PCI_DRIVER / self._card).exists():
            (PCI_DRIVER / "bind").write_text(self._card)


class UsbDevice(Device):
    """What the USB devices share: the node that comes and goes."""

    def _plug(self, plugged: bool) -> None:
        raise NotImplementedError

    def _there(self) -> bool:
        return Path(self.path).exists()

    def unplug(self) -> None:
        self._plug(False)
        wait_until(lambda: not self._there(), f"{self.path} goes away")

    def replug(self) -> None:
        if not self._there():
            self._plug(True)
            wait_until(self._there, f"{self.path} appears")


class Ftdi(UsbDevice):
    """An FT232R made in user space, under the real ftdi_sio."""

    FAST = 921600
    path = "/dev/ttyUSB0"

    def __init__(self, name: str) -> None:
        super().__init__(name, quirks.of_driver("ftdi_sio") | {"no-transceiver", "no-twenty"})
        self._control, chip_control = socket.socketpair()
        wire, chip_wire = socket.socketpair()
        fds = (chip_control.fileno(), chip_wire.fileno())
        module = "hw_tests.rig.guest.ftdi"
        self._chip = subprocess.Popen([sys.executable, "-S", "-m", module, *map(str, fds)], pass_fds=fds)
        chip_control.close()
        chip_wire.close()
        wire.setblocking(False)
        self._lines = self._control.makefile("rw")
        self._wire = wire
        self.far = FarEnd(wire.fileno)
        self._plugged = False
        self.replug()

    def _set(self, **settings: bool) -> None:
        self._lines.write(json.dumps(settings) + "\n")
        self._lines.flush()
        if answer := json.loads(self._lines.readline()):
            raise RuntimeError(f"the chip refused {settings}: {answer}")

    def _plug(self, plugged: bool) -> None:
        if plugged != self._plugged:
            self._set(plugged=plugged)
            self._plugged = plugged

    def stall(self) -> None:
        self._set(stalled=True)

    def resume(self) -> None:
        self._set(stalled=False, cts=True)

    def drop_cts(self) -> None:
        self._set(cts=False)

    def pace(self, bytes_per_second: float) -> None:
        self.baudrate = round(bytes_per_second * 10)

    def close(self) -> None:
        self.far.close()
        self._wire.detach()  # the far end has closed it
        self._lines.close()
        self._control.close()
        self._chip.wait(10)


class CdcAcm(UsbDevice):
    """The kernel's own ACM gadget under the real cdc_acm; the far end is the gadget's tty."""

    path = "/dev/ttyACM0"

    def __init__(self, name: str) -> None:
        super().__init__(name, quirks.of_driver("cdc_acm") | {"no-pace", "no-transceiver", "no-twenty"})
        self._gadget = Gadget("acm", controller="dummy_udc.1", vendor=0x0525, product=0xA4A7, function="acm.rig")
        number = (self._gadget.function / "port_num").read_text().strip()
        self._gadget.plug()
        wait_until(self._there, f"{self.path} appears")
        self._far_path = f"/dev/ttyGS{number}"
        self.far = FarEnd(self._open_far_end)

    def _open_far_end(self) -> int:
        fd = raw.open_port(self._far_path)
        termios.tcflush(fd, termios.TCIFLUSH)  # what it had not read when the device was last unplugged
        return fd

    def _plug(self, plugged: bool) -> None:
        if plugged:
            # Before, not after: its DCD would drop once more, and hang up whoever has just opened the port.
            self.far.reopen()
            self._gadget.plug()
        else:
            self._gadget.unplug()

    def stall(self) -> None:
        self.far.pause(True)

    def resume(self) -> None:
        self.far.pause(False)


class NullModem(Device):
    """A pair of our own driver's: everything can be done to it. Its knobs are told in rig/module/nullmodem.c."""

    FAST = 921600

    def __init__(self, name: str, line: int) -> None:
        super().__init__(name, quirks.of_driver("nullmodem"))
        self.path = f"/dev/ttyNM{line}"
        self._knobs = NULLMODEM / f"ttyNM{line}"
        self.far = FarEnd(lambda: raw.open_port(f"/dev/ttyNM{line ^ 1}", self.FAST))

    def _turn(self, knob: str, value: int) -> None:
        (self._knobs / knob).write_text(str(value))

    def stall(self) -> None:
        self._turn("stalled", 1)

    def resume(self) -> None:
        self._turn("stalled", 0)
        raw.set_modem_line(self.far.fd, termios.TIOCM_RTS, high=True)

    def drop_cts(self) -> None:
        raw.set_modem_line(self.far.fd, termios.TIOCM_RTS, high=False)

    def pace(self, bytes_per_second: float) -> None:
        self.baudrate = round(bytes_per_second * 10)

    def unplug(self) -> None:
        self._turn("plugged", 0)

    def replug(self) -> None:
        self._turn("plugged", 1)

    def use_transceiver(self) -> None:
        self._turn("transceiver", 1)
        self._turn("cut", 0)

    def bytes_cut(self) -> int:
        return int((self._knobs / "cut").read_text())

    def reset(self) -> None:
        self._turn("transceiver", 0)
        super().reset()

    @contextlib.contextmanager
    def twenty(self) -> Iterator[list[Device]]:
        devices: list[Device] = [NullModem(f"nullmodem-{line}", line) for line in range(6, 46, 2)]
        try:
            for device in devices:
                device.reset()
            yield devices
        finally:
            for device in devices:
                device.close()


def _plug() -> LoopbackPlug:
    (NULLMODEM / "ttyNM4/loopback").write_text("1")
    return LoopbackPlug("plug", "/dev/ttyNM4", frozenset())


# In the guest every test runs on each of these; the last two prove what wired ports are tested with.
DEVICES: dict[str, Callable[[], Device]] = {
    "8250-isa": lambda: Pumped8250("8250-isa", "isa0", "/dev/ttyS0", "/dev/ttyS1"),
    "8250-pci": lambda: Pci8250("8250-pci", "pci0", "/dev/ttyS4", "/dev/ttyS5"),
    "ftdi_sio": lambda: Ftdi("ftdi_sio"),
    "cdc_acm": lambda: CdcAcm("cdc_acm"),
    "nullmodem": lambda: NullModem("nullmodem", 0),
    "wired-pair": lambda: WiredPair("wired-pair", "/dev/ttyNM2", "/dev/ttyNM3", frozenset()),
    "plug": _plug,
}
