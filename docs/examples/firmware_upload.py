"""A firmware upload to a device that stalls half-way while it erases its flash, and is resumed: the tutorial."""

import asyncio
import hashlib
import os

import serialwrite as sw
from serialwrite.testing import SimulatedUart, receive

FIRMWARE = os.urandom(128 * 1024)


# begin device
def device():
    """921,600 baud, and at byte 20,000 the device stops reading for two seconds."""
    return SimulatedUart(baud=921_600, faults="at byte 20_000: stall 2 s")


# end device


# begin upload
async def upload(port, firmware):
    try:
        await sw.async_write(port, firmware, idle_timeout=1.0)
    except sw.TransferTimeout as error:
        print("stopped:", error)
        print("left to write:", sum(map(len, error.remaining)), "bytes")
        n = await sw.async_write(port, error.remaining, timeout=30.0)
        print("resumed:", n, "bytes more")


# end upload


# begin main
async def main():
    with device() as rig, rig.open_peer() as far_end:
        async with sw.SerialPort(rig.port, 921_600) as port:
            receiving = asyncio.create_task(asyncio.to_thread(receive, far_end, len(FIRMWARE), timeout=60))
            await upload(port, FIRMWARE)
            received = await receiving
    assert hashlib.sha256(received).digest() == hashlib.sha256(FIRMWARE).digest()
    print("the device has", len(received), "bytes, and they are the right ones")


if __name__ == "__main__":
    asyncio.run(main())
