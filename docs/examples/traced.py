"""See every single write: when, how many bytes of how many, which, and how it ended."""

import asyncio
import json
import tempfile
from pathlib import Path

import serialwrite as sw
from serialwrite.testing import PtyPair


async def write_traced(port, data, file):
    with sw.Traced(port, file) as traced:  # .jsonl: a JSON object a line; .pcapng: for Wireshark
        return await sw.async_write(traced, data, timeout=5.0)


# end


async def main():
    with PtyPair() as rig, tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "trace.jsonl"
        await write_traced(sw.SerialPort(rig.port), b"hello", file)
        for line in file.read_text().splitlines():
            print(sorted(json.loads(line)))


if __name__ == "__main__":
    asyncio.run(main())
