"""python upload_to_a_port.py PORT FILE: upload a file, and resume once where the device makes us wait."""

import asyncio
import sys
from pathlib import Path

import serialwrite as sw


async def main(path, file):
    firmware = Path(file).read_bytes()
    async with sw.SerialPort(path, 115200) as port:
        try:
            await sw.async_write(port, firmware, idle_timeout=10.0)
        except sw.TransferTimeout as error:
            print("stopped:", error)
            await sw.async_write(port, error.remaining, idle_timeout=60.0)
        await port.async_drain(timeout=60.0)  # until the driver has nothing left to send
    print("done:", len(firmware), "bytes")


asyncio.run(main(*sys.argv[1:]))
