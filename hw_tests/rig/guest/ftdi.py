"""An FT232R in user space: FunctionFS on dummy_hcd, driven by the guest's own ftdi_sio.

It runs as a process of its own, so that it neither waits for pytest nor takes the interpreter away from it:
``python -m hw_tests.rig.guest.ftdi CONTROL_FD WIRE_FD``. The wire is a stream socket: what the chip has shifted out
comes from it, what is written to it arrives at the chip. On the control socket, one JSON object a line each way:
``{"plugged": true}``, ``{"stalled": true}``, ``{"cts": false}``, ``{"dsr": true}``, ``{"dcd": true}``.

Requests and status bytes follow the comments in the kernel's drivers/usb/serial/ftdi_sio.h.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hw_tests.rig.guest.gadget import Gadget

NAME = "ft232r"
PACKET = 64
# The chip's buffer towards the line (data sheet FT232R, section 4.3): what TIOCOUTQ can't see.
TRANSMIT_BUFFER = 128
BASE_CLOCK = 3_000_000
EIGHTHS = (0, 4, 2, 1, 3, 5, 6, 7)  # the divisor's fraction, as encoded

# Vendor requests, and the bits that matter here.
RESET, SET_MODEM_CTRL, SET_FLOW_CTRL, SET_BAUD_RATE, SET_DATA = range(5)
GET_MODEM_STATUS, _, _, _, SET_LATENCY, GET_LATENCY = range(5, 11)
FLOW_RTS_CTS, FLOW_XON_XOFF = 1, 4
CTS, DSR, DCD = 0x10, 0x20, 0x80
THRE, TEMT = 0x20, 0x40
XON, XOFF = 0x11, 0x13


class Ft232r:
    """The chip. Every field is guarded by ``self._changed``."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._changed = threading.Condition()
        self._to_line, self._to_host = bytearray(), bytearray()
        self._lines = {"cts": True, "dsr": True, "dcd": True}
        self._stalled = self._xoff = False
        self._flow = 0
        self._bytes_per_second = 960.0
        self._latency = 0.016
        self._gadget = Gadget(NAME, controller="dummy_udc.0", vendor=0x0403, product=0x6001, function=f"ffs.{NAME}")
        mount = Path("/run", NAME)
        mount.mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "functionfs", NAME, str(mount)], check=True)
        self._ep0 = os.open(mount / "ep0", os.O_RDWR)
        os.write(self._ep0, _descriptors())
        os.write(self._ep0, _strings())
        self._in, self._out = (os.open(mount / ep, os.O_RDWR) for ep in ("ep1", "ep2"))

    def start(self) -> None:
        """Run the chip's parts, each on a thread."""
        parts = (self._serve_requests, self._send_to_host, self._take_from_host, self._shift_out, self._listen)
        for part in parts:
            threading.Thread(target=_forever, args=(part,), name=part.__name__, daemon=True).start()

    def set(self, **settings: bool) -> None:
        """Change what the outside world does to the chip."""
        for name, value in settings.items():
            if name == "plugged":
                self._gadget.plug() if value else self._gadget.unplug()
                if not value:
                    self._power_off()
            else:
                with self._changed:
                    if name == "stalled":
                        self._stalled = value
                    else:
                        self._lines[name] = value
                    self._changed.notify_all()

    def _power_off(self) -> None:
        with self._changed:
            self._to_line.clear()
            self._to_host.clear()
            self._xoff, self._flow = False, 0

    def _status(self) -> bytes:
        modem = 1 | CTS * self._lines["cts"] | DSR * self._lines["dsr"] | DCD * self._lines["dcd"]
        return bytes((modem, 0 if self._to_line else THRE | TEMT))

    # --- towards the host -------------------------------------------------------------------------------------

    def _serve_requests(self) -> None:
        request_type, request, value, index, length, event = struct.unpack("<BBHHHB3x", os.read(self._ep0, 12))
        if event != 4:  # FUNCTIONFS_SETUP
            return
        if request_type & 0x80:
            with self._changed:
                answers = {GET_MODEM_STATUS: self._status(), GET_LATENCY: bytes((round(self._latency * 1000),))}
            os.write(self._ep0, answers.get(request, bytes(length))[:length])
            return
        os.read(self._ep0, length)
        with self._changed:
            if request == SET_FLOW_CTRL:
                self._flow, self._xoff = index >> 8, False
            elif request == SET_BAUD_RATE:
                self._bytes_per_second = _baud(value, index) / 10
            elif request == SET_LATENCY:
                self._latency = max(1, value & 0xFF) / 1000
            elif request == RESET and value == 0:
                self._to_line.clear()
                self._to_host.clear()
            self._changed.notify_all()

    def _send_to_host(self) -> None:
        """Two status bytes and what was received: at once, or every latency period."""
        with self._changed:
            self._changed.wait_for(lambda: self._to_host, self._latency)
            data = bytes(self._to_host[: PACKET - 2])
            del self._to_host[: PACKET - 2]
            packet = self._status() + data
        os.write(self._in, packet)

    def _take_from_host(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: len(self._to_line) + PACKET <= TRANSMIT_BUFFER)
        data = os.read(self._out, PACKET)
        with self._changed:
            self._to_line += data
            self._changed.notify_all()

    # --- towards the line -------------------------------------------------------------------------------------

    def _may_send(self) -> bool:
        held = self._stalled or self._xoff or (self._flow & FLOW_RTS_CTS and not self._lines["cts"])
        return bool(self._to_line) and not held

    def _shift_out(self) -> None:
        """Send bytes at the baud rate, at most 5 ms worth at a time."""
        with self._changed:
            self._changed.wait_for(self._may_send)
            started = time.monotonic()
            count = min(len(self._to_line), max(1, int(self._bytes_per_second * 0.005)))
            busy = count / self._bytes_per_second
        time.sleep(max(0.0, started + busy - time.monotonic()))
        with self._changed:
            if not self._may_send():  # stalled, purged or unplugged meanwhile
                return
            data = bytes(self._to_line[:count])
            del self._to_line[:count]
            self._changed.notify_all()
        self._wire.sendall(data)

    def _listen(self) -> None:
        data = self._wire.recv(4096)
        if not data:
            os._exit(0)  # the test session is over
        with self._changed:
            for byte in data:
                if self._flow & FLOW_XON_XOFF and byte in (XON, XOFF):
                    self._xoff = byte == XOFF
                else:
                    self._to_host.append(byte)
            self._changed.notify_all()


def _forever(part: Callable[[], None]) -> None:
    while True:
        try:
            part()
        except OSError:  # unplugged, or an endpoint not enabled yet
            time.sleep(0.01)


def _baud(value: int, index: int) -> float:
    divisor, fraction = value & 0x3FFF, EIGHTHS[(value >> 14) | ((index & 1) << 2)] / 8
    if divisor <= 1 and not fraction:
        return BASE_CLOCK if divisor == 0 else 2_000_000
    return BASE_CLOCK / (divisor + fraction)


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


def main(control_fd: int, wire_fd: int) -> None:
    """Run the chip until the wire is closed."""
    # A chip is never late because a computer is busy: its status packets come before whatever else wants to run.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    chip = Ft232r(socket.socket(fileno=wire_fd))
    chip.start()
    with socket.socket(fileno=control_fd) as control, control.makefile("rw") as lines:
        for line in lines:
            settings: dict[str, Any] = json.loads(line)
            try:
                chip.set(**settings)
                answer = {}
            except (OSError, KeyError) as error:
                answer = {"error": repr(error)}
            lines.write(json.dumps(answer) + "\n")
            lines.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
