"""See what goes over the wire: every write and read, when, how it ended, and the bytes in hex and as text."""

import asyncio
import json
import tempfile
from pathlib import Path

import serialwrite as sw
from serialwrite.testing import Answering


async def ask(stream):
    lines = sw.Buffered(stream)
    await lines.async_write(b"AT+CSQ\r", timeout=1.0)
    return await lines.async_readline(timeout=1.0)


async def ask_and_see(port):
    return await ask(sw.Traced(port, print))


# end print


async def ask_and_keep(port, file):
    async with sw.Traced(port, file) as traced:  # .jsonl: a JSON object a line; .pcapng: for Wireshark
        return await ask(traced)


# end


async def main():
    with Answering({b"AT+CSQ\r": b"+CSQ: 23,0\r\n"}) as device, tempfile.TemporaryDirectory() as folder:
        port = sw.SerialPort(device.port, 115200)
        await ask_and_see(port)
        file = Path(folder) / "trace.jsonl"
        await ask_and_keep(port, file)
        print(json.loads(file.read_text().splitlines()[0])["data"])


if __name__ == "__main__":
    asyncio.run(main())
