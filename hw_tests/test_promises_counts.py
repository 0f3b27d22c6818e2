"""The count is the truth, however a write ends; what was not counted can be sent later, and nothing goes out by itself."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hw_tests import raw
from hw_tests.device import Device
from hw_tests.promises import BOUND_SECONDS, fill, more_than_fits, nothing_but, opened, payload, stuck
from serialwrite import (
    CancellationSignal,
    Disconnected,
    OperationAborted,
    TransferTimeout,
    async_write,
    bind_cancellation_slot,
    use_promise,
    write,
)
from serialwrite.streams.serial import _descriptor_driver


@pytest.fixture
def accepted(monkeypatch):
    """What the kernel's own write(2) said, call by call."""
    counts: list[int] = []
    genuine = _descriptor_driver.write_descriptor

    def noted(fd, buffers):
        n = genuine(fd, buffers)
        counts.append(n)
        return n

    monkeypatch.setattr(_descriptor_driver, "write_descriptor", noted)
    return counts


@pytest.mark.promise("exact count on timeout")
def test_the_count_on_timeout(device: Device):
    data = more_than_fits(device)
    with opened(device) as port:
        device.stall()
        with pytest.raises(TransferTimeout) as ended:
            write(port, data, timeout=0.5)
        device.resume()
        n = ended.value.bytes_transferred
        assert 0 < n < len(data)
        nothing_but(device, port, data[:n])


@pytest.mark.promise("exact count on cancel")
async def test_the_count_on_cancel(device: Device):
    data = more_than_fits(device)
    async with opened(device) as port:
        device.stall()
        operation = async_write(port, data)
        task = asyncio.ensure_future(operation)
        await stuck(lambda: operation.bytes_transferred)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        n = operation.bytes_transferred
        device.resume()
        assert 0 < n < len(data)
        assert await asyncio.to_thread(device.peer_read, n) == data[:n]


@pytest.mark.promise("no zombies after cancel; what the driver still holds is `queued`")
async def test_nothing_goes_out_after_cancel(device: Device):
    data = more_than_fits(device)
    async with opened(device) as port:
        device.stall()
        signal = CancellationSignal()
        operation = async_write(port, data)
        promise = operation(bind_cancellation_slot(signal.slot, use_promise))
        await stuck(lambda: operation.bytes_transferred)
        signal.emit()
        with pytest.raises(OperationAborted) as ended:
            await promise
        n = ended.value.bytes_transferred
        assert ended.value.queued == raw.queued(port.serial.fd) == port.queued
        assert ended.value.queued > 0
        if "outq-overcounts" not in device.quirks:
            assert ended.value.queued <= n
        device.resume()
        # All the time that a writer left behind would need: the port is ready again for long before this returns.
        await port.async_drain(timeout=BOUND_SECONDS)
        await asyncio.to_thread(nothing_but, device, port, data[:n])


@pytest.mark.promise("exact count on unplug mid-write")
@pytest.mark.parametrize("stalled", [True, False], ids=["stalled", "flowing"])
async def test_the_count_on_unplug(device: Device, accepted, stalled):
    device.without("no-unplug")
    if not stalled:
        device.pace(11520)
    data = more_than_fits(device)
    port = opened(device)
    try:
        if stalled:
            device.stall()
        operation = async_write(port, data)
        task = asyncio.ensure_future(operation)
        if stalled:
            await stuck(lambda: operation.bytes_transferred)
        else:
            await asyncio.to_thread(lambda: device.far.read(200))
        await asyncio.to_thread(device.unplug)
        with pytest.raises(Disconnected) as ended:
            await asyncio.wait_for(task, BOUND_SECONDS)
        assert ended.value.bytes_transferred == operation.bytes_transferred == sum(accepted)
        assert 0 < sum(accepted) < len(data)
        start = 0 if stalled else 200
        received = device.far.received
        assert received == data[start : start + len(received)]
        assert start + len(received) <= sum(accepted)
    finally:
        port.close("abort")


@pytest.mark.promise("exact count on unplug mid-write")
def test_the_count_of_a_blocking_write_on_unplug(device: Device, accepted):
    device.without("no-unplug")
    data = more_than_fits(device)
    port = opened(device)
    ended: list[BaseException] = []

    def work():
        try:
            write(port, data, timeout=60)
        except OSError as error:
            ended.append(error)

    try:
        device.stall()
        writer = threading.Thread(target=work)
        writer.start()
        writer.join(0.5)
        device.unplug()
        writer.join(BOUND_SECONDS)
        assert not writer.is_alive()
        (error,) = ended
        assert isinstance(error, Disconnected)
        assert error.bytes_transferred == sum(accepted)
    finally:
        port.close("abort")


@pytest.mark.promise("resume byte-exact")
def test_resume_from_the_remaining_bytes(device: Device):
    data = more_than_fits(device)
    with opened(device) as port:
        remaining, written = (memoryview(data),), 0
        for _ in range(2):
            device.stall()
            with pytest.raises(TransferTimeout) as ended:
                write(port, remaining, timeout=0.4)
            written += ended.value.bytes_transferred
            remaining = ended.value.remaining
            assert sum(map(len, remaining)) == len(data) - written
            device.resume()
        written += write(port, remaining, timeout=BOUND_SECONDS)
        assert written == len(data)
        nothing_but(device, port, data)


@pytest.mark.promise("resume byte-exact")
async def test_resume_many_buffers_after_many_cancels(device: Device):
    """The line moves all the time, and the write is cancelled wherever it happens to be."""
    data = payload(1 << 13, seed=1)
    remaining = tuple(memoryview(data)[at : at + 100] for at in range(0, len(data), 100))
    async with opened(device) as port:
        for _ in range(200):
            operation = async_write(port, remaining, timeout=0.005)
            try:
                await operation
                break
            except TransferTimeout as ended:
                remaining = ended.remaining
        else:
            await async_write(port, remaining, timeout=BOUND_SECONDS)
        await asyncio.to_thread(nothing_but, device, port, data)


def test_fill_is_what_arrives(device: Device):
    """What the other tests stand on: bytes that were accepted before a timeout are there after resume()."""
    with opened(device) as port:
        device.stall()
        n = fill(port, more_than_fits(device))
        device.resume()
        nothing_but(device, port, more_than_fits(device)[:n])
