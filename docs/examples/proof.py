"""How far is it proved to have come? What to wait for, and what is proved, on any port."""

import asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair


async def write_and_prove(port, data):
    await sw.async_write(port, data, timeout=5)  # accepted by the operating system
    await port.async_drain(timeout=5)  # as far as this port's driver reports it
    return sw.strongest_proof(port)


# end


async def main():
    with PtyPair() as rig:
        async with sw.SerialPort(rig.port) as port:
            print(await write_and_prove(port, b"hello"))  # prints: accepted
            print(port.proof_levels["transmitted"])  # prints: unknown


if __name__ == "__main__":
    asyncio.run(main())
