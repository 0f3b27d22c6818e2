"""The USB side of the FT232R in user space: FunctionFS, with one bulk endpoint each way."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path
from typing import NamedTuple

from hw_tests.rig.guest.gadget import Gadget

NAME = "ft232r"
PACKET = 64


class Endpoints(NamedTuple):
    """Descriptors of the control endpoint, and of one each way."""

    control: int
    to_host: int
    from_host: int


def functionfs() -> tuple[Gadget, Endpoints]:
    """The chip's USB side: what plugs it in, and its endpoints."""
    gadget = Gadget(NAME, controller="dummy_udc.0", vendor=0x0403, product=0x6001, function=f"ffs.{NAME}")
    mount = Path("/run", NAME)
    mount.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "functionfs", NAME, str(mount)], check=True)
    ep0 = os.open(mount / "ep0", os.O_RDWR)
    os.write(ep0, _descriptors())
    os.write(ep0, _strings())
    # O_NONBLOCK: a transfer does not wait until the device is plugged in (once it is, it does wait for the host).
    ep_in, ep_out = (os.open(mount / name, os.O_RDWR | os.O_NONBLOCK) for name in ("ep1", "ep2"))
    return gadget, Endpoints(ep0, ep_in, ep_out)


def _descriptors() -> bytes:
    """One vendor-specific interface with a bulk endpoint each way (kernel: usb/functionfs.h, version 2)."""
    interface = struct.pack("<9B", 9, 4, 0, 0, 2, 0xFF, 0xFF, 0xFF, 1)
    endpoints = b"".join(struct.pack("<BBBBHB", 7, 5, address, 2, PACKET, 0) for address in (0x81, 0x02))
    full_speed, all_control_requests = 1, 64 | 128
    body = struct.pack("<I", 3) + interface + endpoints
    return struct.pack("<III", 3, 12 + len(body), full_speed | all_control_requests) + body


def _strings() -> bytes:
    body = struct.pack("<H", 0x409) + b"FT232R USB UART\0"
    return struct.pack("<IIII", 2, 16 + len(body), 1, 1) + body
