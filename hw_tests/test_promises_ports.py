"""The port itself: found again after a replug, at the baud rate that was asked for, turning an RS-485 bus, one of twenty."""

from __future__ import annotations

import asyncio
import contextlib
import termios
import threading
import time

import pytest
import serial.rs485

from hw_tests import raw
from hw_tests.device import Device
from hw_tests.promises import BOUND_SECONDS, FEW, more_than_fits, nothing_but, opened, payload, stuck, until
from serialwrite import RS485, Disconnected, Reconnecting, SerialPort, StreamClosed, async_write, write


@pytest.mark.promise("replug under the same name is found again")
def test_replug(device: Device):
    device.without("no-unplug")
    with opened(device) as port:
        write(port, FEW, timeout=BOUND_SECONDS)
        assert device.peer_read(len(FEW)) == FEW
        device.unplug()
        with pytest.raises(Disconnected):
            for _ in range(100):
                write(port, FEW, timeout=BOUND_SECONDS)
                time.sleep(0.01)
        started = time.monotonic()
        port.close()
        assert time.monotonic() - started < BOUND_SECONDS
    device.replug()
    with opened(device) as port:
        write(port, FEW, timeout=BOUND_SECONDS)
        assert device.peer_read(len(FEW)) == FEW


async def test_reconnecting(device: Device):
    """A cut write tells its count, and the next one goes out after a replug."""
    device.without("no-unplug")
    data = more_than_fits(device)
    device.stall()
    async with Reconnecting(device.path, **device.settings) as port:
        cut = async_write(port, data)
        reading = asyncio.create_task(port.async_read(1))
        task = asyncio.create_task(cut)
        await stuck(lambda: cut.bytes_transferred)
        await asyncio.to_thread(device.unplug)
        with pytest.raises(Disconnected) as caught:
            await task
        with pytest.raises(Disconnected):
            await reading
        assert caught.value.bytes_transferred == cut.bytes_transferred
        waiting = asyncio.create_task(async_write(port, FEW, timeout=BOUND_SECONDS))
        await until(lambda: port.stall)
        await asyncio.to_thread(device.resume)
        await asyncio.to_thread(device.replug)
        assert await waiting == len(FEW)
        assert await asyncio.to_thread(device.peer_read_until, FEW)
        assert port.stream is not None
        assert port.stream.serial.port == device.path


async def test_waiting_for_a_line(device: Device):
    """A wait for CTS ends when it changes, and cancelling a wait ends its thread."""
    device.without("no-modem-lines")
    async with opened(device, rtscts=True) as port:
        await port.async_wait_for_lines(cts=True, timeout=BOUND_SECONDS)
        started = time.monotonic()
        for on, change in [(False, device.drop_cts), (True, device.resume)] * 2 + [(False, device.drop_cts)]:
            waiting = asyncio.create_task(port.async_wait_for_lines(cts=on, timeout=BOUND_SECONDS))
            await asyncio.sleep(0.2)  # it waits in the driver by now, or is polling
            change()
            assert (await waiting).cts is on
        assert time.monotonic() - started < 4  # the look of each second alone takes 5
        waiting = asyncio.create_task(port.async_wait_for_lines(cts=True))
        await asyncio.sleep(0.2)
        waiting.cancel()
        await asyncio.wait([waiting])
        assert [thread.name for thread in threading.enumerate() if "modem lines" in thread.name] == []
        waiting = asyncio.create_task(port.async_wait_for_lines(cts=True, timeout=BOUND_SECONDS))
        await asyncio.sleep(0.2)
        await port.async_close(policy="abort")
        with pytest.raises(StreamClosed):
            await waiting


@pytest.mark.promise("a baud rate that the driver silently changed is an error")
def test_baudrate_is_read_back(device: Device):
    if "baud-clamped" in device.quirks:
        with pytest.raises(ValueError, match=r"baudrate=3000000: the driver of .* has set \d+ instead"):
            SerialPort(device.path, 3000000)
    else:
        with contextlib.closing(SerialPort(device.path, 3000000)) as port:
            assert raw.baudrate(port.serial.fd) == 3000000


@pytest.mark.promise("RS-485: not a byte is cut, and the line is turned around")
@pytest.mark.parametrize("who", ["serialwrite", "driver"])
async def test_rs485(device: Device, who):
    device.use_transceiver()
    if who == "driver":
        device.without("no-rs485")
    device.pace(11520)
    data = payload(2000)
    settings = serial.rs485.RS485Settings(rts_level_for_tx=True, rts_level_for_rx=False)
    async with opened(device, **({"rs485_mode": settings} if who == "driver" else {})) as port:
        try:
            stream = RS485(port, settings) if who == "serialwrite" else port
            await until(lambda: not raw.modem_line(device.far.fd, termios.TIOCM_CTS))
            await async_write(stream, data, timeout=BOUND_SECONDS)
            assert await asyncio.to_thread(device.peer_read, len(data)) == data
            await until(lambda: not raw.modem_line(device.far.fd, termios.TIOCM_CTS))
            assert device.bytes_cut() == 0
        finally:
            if who == "driver":
                port.serial.rs485_mode = None


@pytest.mark.promise("twenty ports at once, each its own bytes")
async def test_twenty_ports_at_once(device: Device):
    """All on one event loop."""
    with device.twenty() as devices:
        data = [payload(4000, seed) for seed in range(len(devices))]
        ports = [opened(each) for each in devices]
        try:
            counts = await asyncio.gather(
                *(async_write(port, mine, timeout=60) for port, mine in zip(ports, data, strict=True))
            )
            assert counts == [len(mine) for mine in data]
            for each, port, mine in zip(devices, ports, data, strict=True):
                await asyncio.to_thread(nothing_but, each, port, mine)
        finally:
            for port in ports:
                port.close()
