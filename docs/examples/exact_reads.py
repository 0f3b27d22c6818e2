"""Reads that know how far they got: so many bytes, at least some, up to a delimiter, up to one of several."""

import asyncio
import re

import serialwrite as sw
from serialwrite.testing import PtyPair


async def read_all_ways(port):
    header = bytearray(4)
    await sw.async_read(port, header, timeout=1.0)  # just so many bytes
    print(header)

    line = sw.dynamic_buffer(bytearray())
    n = await sw.async_read_until(port, line, b"\r\n", timeout=1.0)  # up to a delimiter
    print(bytes(line.data[:n]))
    line.consume(n)  # what came after it stays, for the next read

    n = await sw.async_read_until(port, line, re.compile(rb"OK|ERROR"), timeout=1.0)  # up to one of several
    print(bytes(line.data[:n]))
    line.consume(n)

    chunk = bytearray(100)
    some = sw.transfer_at_least(1)
    n = await sw.async_read(port, chunk, completion_condition=some, timeout=1.0)  # what there is, and at least one
    print(n > 0)

    error, n = await sw.async_read(port, bytearray(4), sw.as_tuple(), timeout=0.2)
    print(type(error).__name__, n)  # a read that ends early has lost nothing


# end reads


async def main():
    with PtyPair() as rig:
        async with sw.SerialPort(rig.port) as port, sw.SerialPort(rig.peer) as device:
            reading = asyncio.create_task(read_all_ways(port))
            await sw.async_write(device, b"\x01\x02\x03\x04+CSQ: 17,99\r\nOK")
            await asyncio.sleep(0.1)
            await sw.async_write(device, b"!")
            await reading
        # prints: bytearray(b'\x01\x02\x03\x04')
        # prints: b'+CSQ: 17,99\r\n'
        # prints: b'OK'
        # prints: True
        # prints: TransferTimeout 0


if __name__ == "__main__":
    asyncio.run(main())
