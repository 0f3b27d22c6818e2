"""An FT232R in user space: FunctionFS on dummy_hcd, driven by the guest's own ftdi_sio.

It runs as a process of its own, so that it neither waits for pytest nor takes the interpreter away from it:
``python -m hw_tests.rig.guest.ftdi CONTROL_FD WIRE_FD``. The wire is a stream socket: what the chip has shifted out
comes from it, what is written to it arrives at the chip. On the control socket, one JSON object a line each way:
``{"plugged": true}``, ``{"stalled": true}``, ``{"cts": false}``, ``{"dsr": true}``, ``{"dcd": true}``.

Requests and status bytes follow the comments in the kernel's drivers/usb/serial/ftdi_sio.h.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

from hw_tests.rig.guest.functionfs import PACKET, Endpoints, functionfs

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


class Plug(Protocol):
    """What puts the device into the computer and pulls it out: a Gadget."""

    def plug(self) -> None: ...
    def unplug(self) -> None: ...


class Ft232r:
    """The chip. Every field is guarded by ``self._changed``."""

    def __init__(self, wire: socket.socket, plug: Plug, endpoints: Endpoints) -> None:
        self._wire, self._plug = wire, plug
        self._ep0, self._in, self._out = endpoints
        self._changed = threading.Condition()
        self._powered = False
        self._transfers = 0  # under way on the bus
        self._to_line, self._to_host = bytearray(), bytearray()
        self._lines = {"cts": True, "dsr": True, "dcd": True}
        self._stalled = self._xoff = False
        self._flow = 0
        self._bytes_per_second = 960.0
        self._latency = 0.016

    def start(self) -> None:
        """Run the chip's parts, the methods below, each on a thread for ever."""
        parts = (self.serve_requests, self.send_to_host, self.take_from_host, self.shift_out, self.listen)
        for part in parts:
            threading.Thread(target=_forever, args=(part,), name=part.__name__, daemon=True).start()

    def set(self, **settings: bool) -> None:
        """Change what the outside world does to the chip."""
        for name, value in settings.items():
            if name == "plugged":
                if value:
                    self._power_on()
                    self._plug.plug()
                else:
                    self._power_off()
                    self._plug.unplug()
            else:
                with self._changed:
                    if name == "stalled":
                        self._stalled = value
                    else:
                        self._lines[name] = value
                    self._changed.notify_all()

    def _power_on(self) -> None:
        with self._changed:
            # A packet of the life before belongs to nobody: what has it ends, since the endpoints are off.
            self._changed.wait_for(lambda: not self._transfers)
            self._powered = True
            self._changed.notify_all()

    def _power_off(self) -> None:
        """Forget everything, and stop: what is on its way from the host finds no chip, or it would follow a gap."""
        with self._changed:
            self._powered = False
            self._to_line.clear()
            self._to_host.clear()
            self._xoff, self._flow = False, 0

    @contextlib.contextmanager
    def _transfer(self, ready: Callable[[], object], timeout: float | None = None) -> Iterator[None]:
        """Wait for power and ``ready()``, or for ``timeout`` seconds; while the block runs the chip begins no new life."""
        with self._changed:
            self._changed.wait_for(lambda: self._powered and ready(), timeout)
            self._transfers += 1
        try:
            yield
        finally:
            with self._changed:
                self._transfers -= 1
                self._changed.notify_all()

    def _status(self) -> bytes:
        modem = 1 | CTS * self._lines["cts"] | DSR * self._lines["dsr"] | DCD * self._lines["dcd"]
        return bytes((modem, 0 if self._to_line else THRE | TEMT))

    # --- towards the host -------------------------------------------------------------------------------------

    def serve_requests(self) -> None:
        """Answer one request on the control endpoint."""
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

    def send_to_host(self) -> None:
        """Two status bytes and what was received: at once, or every latency period."""
        with self._transfer(lambda: self._to_host, self._latency):
            with self._changed:
                data = bytes(self._to_host[: PACKET - 2])
                del self._to_host[: PACKET - 2]
                packet = self._status() + data
            os.write(self._in, packet)

    def take_from_host(self) -> None:
        """Take in one packet, once there is room for it."""
        with self._transfer(lambda: len(self._to_line) + PACKET <= TRANSMIT_BUFFER):
            data = os.read(self._out, PACKET)
            with self._changed:
                if self._powered:
                    self._to_line += data
                    self._changed.notify_all()

    # --- towards the line -------------------------------------------------------------------------------------

    def _may_send(self) -> bool:
        held = self._stalled or self._xoff or (self._flow & FLOW_RTS_CTS and not self._lines["cts"])
        return bool(self._to_line) and not held

    def shift_out(self) -> None:
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

    def listen(self) -> None:
        """Take in what the far end sends."""
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


def main(control_fd: int, wire_fd: int) -> None:
    """Run the chip until the wire is closed."""
    # A chip is never late because a computer is busy: its status packets come before whatever else wants to run.
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))
    chip = Ft232r(socket.socket(fileno=wire_fd), *functionfs())
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
