"""A device that loses what comes too fast: lines with a gap after each, then lines that wait for a prompt."""

import asyncio

import serialwrite as sw
from serialwrite.testing import PtyPair

PROGRAM = b"G28\nG1 X10 Y10\nG1 X20 Y20\nM84\n"


async def send_slowly(port):
    slow = sw.Paced(port, bytes_per_second=960, line_gap=0.05)
    return await sw.async_write(slow, PROGRAM, timeout=10)


async def send_line_by_line(port):
    """Each line waits until the device has asked for it."""
    replies = []
    asking = sw.Paced(port, prompt=b"ok\n", prompt_timeout=5, on_reply=replies.append)
    n = await sw.async_write(asking, PROGRAM, timeout=60)
    return n, replies


# end


async def printer(peer):
    """The simulated device: it reads a line, and prints a prompt when it is ready for the next."""
    stream, lines = sw.as_stream(peer), sw.dynamic_buffer(bytearray())
    while True:
        n = await sw.async_read_until(stream, lines, b"\n")
        lines.consume(n)
        await sw.async_write(stream, b"ok\n")


async def main():
    with PtyPair() as rig, rig.open_peer() as peer:
        async with sw.SerialPort(rig.port, 115200) as port:
            device = asyncio.create_task(printer(peer))
            print(f"{await send_slowly(port)} bytes, slowly")  # prints: 30 bytes, slowly
            await sw.async_read(port, bytearray(4 * len(b"ok\n")), timeout=5)  # its answers to these
            n, replies = await send_line_by_line(port)
            print(f"{n} bytes, {len(replies)} prompts waited for")  # prints: 30 bytes, 3 prompts waited for
            device.cancel()


if __name__ == "__main__":
    asyncio.run(main())
