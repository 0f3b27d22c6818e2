"""Asio's call beside ours."""

import asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair


async def main():
    with PtyPair() as rig:
        async with sw.SerialPort(rig.port) as port:
            data = b"hello"
            n = await sw.async_write(port, data, sw.cancel_after(1.0))
            # end
            print(n)  # prints: 5


if __name__ == "__main__":
    asyncio.run(main())
