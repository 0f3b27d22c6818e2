"""Draining, discarding, on_wire and stall: what is said to have left has left, on every driver, or it isn't said."""

from __future__ import annotations

import asyncio
import io
import time

import pytest

from hw_tests import raw
from hw_tests.device import Device
from hw_tests.promises import BOUND_SECONDS, END, fill, more_than_fits, nothing_but, opened, payload, until
from serialwrite import Disconnected, ProofLevel, TransferTimeout, async_write, write

# Bytes of which some can't leave: a few, no more than a 16550A's FIFO holds, and more.
STUCK_SIZES = [5, 16, 64]


def stuck_data(device: Device, size: int) -> bytes:
    """Bytes that a stall keeps in the FIFO, all of them or a part."""
    device.without("stall-spares-fifo")
    if size < 16:
        device.without("cable-takes-a-few")
    return payload(size)


@pytest.mark.promise("async_drain never reports success while the FIFO is stuck")
@pytest.mark.parametrize("size", STUCK_SIZES)
async def test_drain_with_the_fifo_stuck(device: Device, size):
    data = stuck_data(device, size)
    async with opened(device) as port:
        if "no-lsr" in device.quirks:  # nobody can know, and it says so
            assert port.proof_levels[ProofLevel.TRANSMITTED] == "unknown"
            with pytest.raises(io.UnsupportedOperation):
                await port.async_drain(level="shift-register")
            device.without("no-lsr")
        device.stall()
        await async_write(port, data)
        with pytest.raises(TransferTimeout):
            await port.async_drain(timeout=0.7)
        assert device.far.received == b""
        device.resume()
        await port.async_drain(timeout=BOUND_SECONDS)
        assert await asyncio.to_thread(device.peer_read, len(data)) == data


@pytest.mark.promise("async_drain waits until what was accepted has left")
async def test_drain_waits(device: Device):
    async with opened(device) as port:
        device.stall()
        data = more_than_fits(device)
        with pytest.raises(TransferTimeout) as full:
            await async_write(port, data, timeout=0.3)
        n = full.value.bytes_transferred
        with pytest.raises(TransferTimeout) as ended:
            await port.async_drain(timeout=0.3)
        assert ended.value.queued == raw.queued(port.serial.fd) > 0
        device.resume()
        await port.async_drain(timeout=BOUND_SECONDS)
        assert raw.queued(port.serial.fd) == 0
        await asyncio.to_thread(nothing_but, device, port, data[:n])


@pytest.mark.promise("async_drain never reports success when the device is gone")
async def test_drain_during_unplug(device: Device):
    device.without("no-unplug")
    port = opened(device)
    try:
        device.stall()
        with pytest.raises(TransferTimeout):
            await async_write(port, more_than_fits(device), timeout=0.3)
        drain = asyncio.ensure_future(port.async_drain())
        for _ in range(20):  # so many turns of the event loop: it has looked at the port
            await asyncio.sleep(0)
        await asyncio.to_thread(device.unplug)
        with pytest.raises(Disconnected):
            await asyncio.wait_for(drain, BOUND_SECONDS)
        with pytest.raises(Disconnected):  # nor afterwards
            await asyncio.wait_for(port.async_drain(), BOUND_SECONDS)
    finally:
        port.close("abort")


@pytest.mark.promise("discard_output says what is proved to be gone")
def test_discard_output(device: Device):
    with opened(device) as port:
        device.stall()
        data = more_than_fits(device)
        accepted = fill(port, data)
        before = port.queued
        gone = port.discard_output()
        device.resume()
        write(port, END, timeout=BOUND_SECONDS)
        arrived = device.peer_read_until(END)[: -len(END)]
        assert gone <= accepted - len(arrived)
        if "tcflush-is-noop" in device.quirks:
            assert gone == 0
            assert arrived == data[:accepted]
        elif "outq-overcounts" not in device.quirks:
            assert gone == before == accepted - len(arrived)


@pytest.mark.promise("on_wire counts what the far end gets")
@pytest.mark.parametrize("ending", ["timeout", "success"])
def test_on_wire(device: Device, ending):
    device.without("no-pace")
    device.pace(1920)
    data = payload(9600 if ending == "timeout" else 192)
    with opened(device) as port:
        started = time.monotonic()
        if ending == "timeout":
            with pytest.raises(TransferTimeout) as ended:
                write(port.on_wire, data, timeout=0.4)
            n = ended.value.bytes_transferred
            assert 0 < n < len(data)
        else:
            n = write(port.on_wire, data, timeout=BOUND_SECONDS)
            assert n == len(data)
            assert time.monotonic() - started > 0.04  # a tenth of a second of line
        nothing_but(device, port, data[:n])


@pytest.mark.promise("on_wire does not complete while the FIFO is stuck")
@pytest.mark.parametrize("size", STUCK_SIZES)
def test_on_wire_with_the_fifo_stuck(device: Device, size):
    device.without("no-lsr")
    data = stuck_data(device, size)
    with opened(device) as port:
        assert port.on_wire.hidden == 0
        device.stall()
        with pytest.raises(TransferTimeout) as ended:
            write(port.on_wire, data, timeout=0.5)
        assert device.far.received == b""
        device.resume()
        nothing_but(device, port, data[: ended.value.bytes_transferred])


@pytest.mark.promise("on_wire counts what the far end gets")
def test_on_wire_of_a_stalled_port(device: Device):
    """What it counts is what the far end gets in the end; and what the hardware may hold on success is stated."""
    with opened(device) as port:
        hidden = port.on_wire.hidden
        assert (hidden is None) == ("no-lsr" in device.quirks)  # nobody can know, and it says so
        device.stall()
        with pytest.raises(TransferTimeout) as ended:
            write(port.on_wire, more_than_fits(device), timeout=0.5)
        device.resume()
        nothing_but(device, port, more_than_fits(device)[: ended.value.bytes_transferred])


@pytest.mark.promise("stall names CTS")
def test_stall_by_cts(device: Device):
    device.without("no-modem-lines")
    with opened(device, rtscts=True) as port:
        assert port.stall is None
        device.drop_cts()
        data = more_than_fits(device)
        with pytest.raises(TransferTimeout) as ended:
            write(port, data, timeout=0.5)
        assert ended.value.stall == port.stall == "CTS low"
        device.resume()
        nothing_but(device, port, data[: ended.value.bytes_transferred])


@pytest.mark.promise("stall names XOFF")
async def test_stall_by_xoff(device: Device):
    device.without("no-xoff", "own-far-end")
    async with opened(device, rtscts=False, xonxoff=True) as port:
        device.peer_write(b"\x13!")
        await until(lambda: port.serial.in_waiting)
        with pytest.raises(TransferTimeout) as ended:
            await async_write(port, b"." * (1 << 16), timeout=1)
        device.peer_write(b"\x11")
        await port.async_drain(timeout=BOUND_SECONDS)
        # An FTDI obeys by itself: its shift register is held, as by a silent peer, and both are named.
        both = device.name == "ftdi_sio"
        assert ended.value.stall == ("XOFF received or peer not reading" if both else "XOFF received")
