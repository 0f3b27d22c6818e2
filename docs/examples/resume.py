"""Time out with the exact count, and resume to a byte-perfect end."""

import asyncio
import hashlib

import serialwrite as sw
from serialwrite.testing import PtyPair, receive


async def upload(port, firmware):
    """Write all of ``firmware``, however often the device makes us wait."""
    rest = firmware
    while True:
        try:
            return await sw.async_write(port, rest, idle_timeout=0.2)
        except sw.TransferTimeout as error:
            print(error)  # 13,824 of 262,144 bytes accepted in 0.20 s; idle for 0.2 s (idle_timeout); ...
            rest = error.remaining  # what is left: nothing is copied or sent twice


# end


async def main():
    firmware = bytes(range(256)) * 1024
    with PtyPair() as rig, rig.open_peer() as device:
        async with sw.SerialPort(rig.port, 115200) as port:
            writing = asyncio.create_task(upload(port, firmware))
            await asyncio.sleep(0.5)  # a device that is busy erasing its flash
            received = await asyncio.to_thread(receive, device, len(firmware))
            await writing
    assert hashlib.sha256(received).digest() == hashlib.sha256(firmware).digest()
    print("received, byte for byte:", len(received))


if __name__ == "__main__":
    asyncio.run(main())
