"""Exact writes beside a live pyserial-asyncio connection, which goes on reading."""

import asyncio

import serial_asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair


async def talk(reader, writer):
    writer.write(b"as before; ")  # plain writes keep their order
    n = await sw.async_write(writer, b"and exactly", timeout=1.0)
    print(n, "bytes accepted")
    print(await reader.readexactly(5))  # the reader never noticed


# end


async def main():
    with PtyPair() as rig:
        async with sw.SerialPort(rig.peer) as far:
            reader, writer = await serial_asyncio.open_serial_connection(url=rig.port, baudrate=115200)
            await sw.async_write(far, b"reply")
            await talk(reader, writer)
            writer.close()
            received = bytearray(22)
            await sw.async_read(far, received, timeout=5)
            assert received == b"as before; and exactly"


if __name__ == "__main__":
    asyncio.run(main())
