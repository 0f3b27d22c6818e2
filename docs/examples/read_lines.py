"""Read lines: with a limit, one after the other, and by a task that is cancelled and loses nothing."""

import asyncio

import serialwrite as sw
from serialwrite.testing import Answering


async def measure(port):
    lines = sw.Buffered(port)
    await sw.async_write(lines, b"START\r\n")
    try:
        print(await lines.async_readline(timeout=1.0))
    except sw.TransferTimeout as error:
        print("no whole line, only", error.data)
    async for line in lines:
        print(line)
        if line == b"END\r\n":
            break


# end


async def main():
    answers = {b"START\r\n": b"STARTED\r\n1.25\r\n1.27\r\nEND\r\n"}
    with Answering(answers) as device:
        async with sw.SerialPort(device.port, 115200) as port:
            await measure(port)
            # prints: b'STARTED\r\n'
            # prints: b'1.25\r\n'
            # prints: b'1.27\r\n'
            # prints: b'END\r\n'


if __name__ == "__main__":
    asyncio.run(main())
