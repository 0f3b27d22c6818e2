"""The quirks: what a driver, an emulation or a wiring can't do or does its own way. A test skips by these names only."""

from __future__ import annotations

import os
import re

# Proved on every device, in both directions, by test_quirks.py.
DRIVER = {
    "tcflush-is-noop": "tcflush(TCOFLUSH) reports success and drops nothing",
    "tcflush-spares-fifo": "tcflush(TCOFLUSH) empties the queue, but what is in the FIFO still goes out",
    "outq-excludes-fifo": "TIOCOUTQ leaves out what the device has already taken",
    "outq-counts-transfers": "TIOCOUTQ counts a USB transfer until all of it is over, also what the device has of it",
    "outq-overcounts": "TIOCOUTQ counts whole buffers: more than was ever written",
    "no-lsr": "no TIOCSERGETLSR: it is unknown when the last bit has left",
    "tcdrain-early": "tcdrain() reports success while bytes are stuck in the FIFO",
    "tcdrain-blind-to-unplug": "tcdrain() reports success after the device was pulled out",
    "baud-clamped": "a speed that the port can't do is silently replaced by another",
    "no-modem-lines": "CTS is not wired, or not there",
    "no-xoff": "an XOFF from the far end doesn't hold the port",
    "no-rs485": "no TIOCSRS485: the driver doesn't turn the bus around",
}

# What the emulation or the wiring lacks.
RIG = {
    "no-stall": "nothing here can hold the port",
    "stall-spares-fifo": "the port is held by CTS: what is in the FIFO still goes out",
    "cable-takes-a-few": "the stalled cable still takes a few bytes in, which have then left the port",
    "no-pace": "the far end takes bytes as fast as they come",
    "no-unplug": "the plug can't be pulled here",
    "no-transceiver": "no RS-485 transceiver whose driver-enable is RTS",
    "no-twenty": "there are not twenty of this kind here",
    "own-far-end": "a plug: the far end is the port itself, and can't be watched while the port is closed",
}

ALL = DRIVER | RIG

# By the driver's name, as in /sys/class/tty/NAME/device/driver.
_SERIAL_CORE = frozenset({"tcflush-spares-fifo", "outq-excludes-fifo", "tcdrain-early", "tcdrain-blind-to-unplug"})
_8250 = _SERIAL_CORE | {"baud-clamped", "no-rs485"}
_OF_DRIVER = {
    "serial8250": _8250,
    "serial": _8250,
    "nullmodem": _SERIAL_CORE,
    "ftdi_sio": frozenset(
        {"tcflush-is-noop", "outq-excludes-fifo", "outq-counts-transfers", "tcdrain-blind-to-unplug", "no-rs485"}
    ),
    "cdc_acm": frozenset(
        {"outq-excludes-fifo", "outq-overcounts", "no-lsr", "tcdrain-early", "tcdrain-blind-to-unplug"}
        | {"no-modem-lines", "no-xoff", "no-rs485"}
    ),
}


def of_driver(name: str, release: str | None = None) -> frozenset[str]:
    """What is known of a driver, in a kernel release (default: the running one); nothing of one never tested."""
    major, minor, *_ = map(int, re.findall(r"\d+", release or os.uname().release))
    known = _OF_DRIVER.get(name, frozenset())
    if name == "cdc_acm":  # watched: no flush_buffer in 6.1, there in 6.12
        known |= {"tcflush-spares-fifo"} if (major, minor) >= (6, 12) else {"tcflush-is-noop"}
    return known
