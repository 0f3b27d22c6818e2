"""Many tasks write to one port: each of their messages arrives whole, in the order in which they were started."""

import asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair, receive_available


async def sensor(port, name):
    for value in range(3):
        await sw.async_write(port, f"{name}={value};".encode(), timeout=5)


async def report(port):
    queued = sw.Queued(port)
    await asyncio.gather(*(sensor(queued, name) for name in ("temperature", "pressure", "humidity")))


# end


async def main():
    with PtyPair() as rig, rig.open_peer() as peer:
        async with sw.SerialPort(rig.port) as port:
            await report(port)
            arrived = await asyncio.to_thread(receive_available, peer)
            for message in arrived.split(b";")[:3]:
                print(message.decode())
        # prints: temperature=0
        # prints: pressure=0
        # prints: humidity=0


if __name__ == "__main__":
    asyncio.run(main())
