"""USB devices made of configfs on dummy_hcd: the guest is both the device and the host that its drivers see."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

GADGETS = Path("/sys/kernel/config/usb_gadget")


class Gadget:
    """A USB device with one function, on a controller of its own; plugged in and out at will."""

    def __init__(self, name: str, *, controller: str, vendor: int, product: int, function: str) -> None:
        """Describe the device. ``function`` is the kernel's: ``"acm.<name>"`` or ``"ffs.<name>"`` (FunctionFS)."""
        self._folder, self._controller = GADGETS / name, controller
        settings = {"idVendor": hex(vendor), "idProduct": hex(product), "bcdDevice": "0x0600"}
        strings = {"manufacturer": "serialwrite rig", "product": name, "serialnumber": f"RIG-{name}"}
        self._folder.mkdir()
        (self._folder / "strings/0x409").mkdir()
        (self._folder / "configs/c.1").mkdir()
        self.function = self._folder / "functions" / function
        self.function.mkdir()
        (self._folder / "configs/c.1" / function).symlink_to(self.function)
        for key, value in {**settings, **{f"strings/0x409/{k}": v for k, v in strings.items()}}.items():
            (self._folder / key).write_text(value)

    def plug(self) -> None:
        """Plug the device in; its node appears soon after."""
        (self._folder / "UDC").write_text(self._controller)

    def unplug(self) -> None:
        """Pull the device out."""
        (self._folder / "UDC").write_text("\n")


def wait_until(condition: Callable[[], object], what: str, timeout: float = 20) -> None:
    """Return once ``condition()`` is true; for states of the kernel that nothing announces."""
    end = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {timeout} s")
        time.sleep(0.005)
