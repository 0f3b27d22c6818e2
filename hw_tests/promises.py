"""What the tests of the promises share: bytes of which every place is known, and waiting for a write to be stuck."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from hw_tests.device import Device
from serialwrite import SerialPort, TransferTimeout, write

END = b"<the end of the test>"
FEW = b"stuck"  # fits into any FIFO
# Far less than the 30 s that the kernel waits, far more than a busy machine needs.
BOUND_SECONDS = 12
LOST_IN_THOUGHT = 20  # seconds after which a state that should have come is not going to


def payload(size: int, seed: int = 0) -> bytes:
    """Bytes that don't repeat: one that is lost, doubled or out of place is seen."""
    return random.Random(seed).randbytes(size)


def more_than_fits(device: Device) -> bytes:
    """More than the port takes while it is stalled."""
    return payload(1 << 18 if "outq-overcounts" in device.quirks else 1 << 14)


def opened(device: Device, **settings: object) -> SerialPort:
    """The port under test."""
    return SerialPort(device.path, **{**device.settings, **settings})


def fill(port: SerialPort, data: bytes, seconds: float = 0.3) -> int:
    """Write to a stalled port until the time is over; the bytes it accepted."""
    try:
        write(port, data, timeout=seconds)
    except TransferTimeout as ended:
        return ended.bytes_transferred
    raise AssertionError(f"the port took all of {len(data)} bytes: it isn't stalled")


def nothing_but(device: Device, port: SerialPort, expected: bytes) -> None:
    """See that ``expected``, and not one byte more, had arrived before what is sent now."""
    write(port, END, timeout=LOST_IN_THOUGHT)
    arrived = device.peer_read_until(END)[: -len(END)]
    assert len(arrived) == len(expected)
    assert arrived == expected


async def stuck(count: Callable[[], int], seconds: float = 0.3) -> int:
    """Wait until ``count()`` is above 0 and has stood still for so long."""
    end = time.monotonic() + LOST_IN_THOUGHT
    last, since = 0, time.monotonic()
    while not last or time.monotonic() - since < seconds:
        assert time.monotonic() < end, f"it goes on: {count()}"
        if count() != last:
            last, since = count(), time.monotonic()
        await asyncio.sleep(0.01)
    return last


async def until(condition: Callable[[], object]) -> None:
    """Wait until the condition is true."""
    end = time.monotonic() + LOST_IN_THOUGHT
    while not condition():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)
