"""An AT modem: replies, retries and unsolicited lines, separated by one reader task."""

import asyncio
import re
from contextlib import suppress

import serialwrite as sw
from serialwrite.testing import Answering

# begin
FINAL = re.compile(rb"OK|ERROR|\+CM[ES] ERROR: .*")
UNASKED = re.compile(rb"RING|\+CMTI: .*")


class Modem:
    def __init__(self, port, unasked):
        self.lines, self.unasked = sw.Buffered(port), unasked
        self.replies = asyncio.Queue()
        self.reader = asyncio.create_task(self.read())

    async def read(self):
        async for line in self.lines:
            if UNASKED.fullmatch(line := line.strip()):
                self.unasked(line.decode())
            elif line:
                self.replies.put_nowait(line)

    async def command(self, text, *, timeout=1.0, attempts=3):
        """Send ``text``; return the lines of its reply, without the OK."""
        for _ in range(attempts):
            self.replies = asyncio.Queue()  # the late reply to an attempt before is not this one's
            await sw.async_write(self.lines, text.encode() + b"\r", timeout=timeout)
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    return await self.reply(text)
        raise TimeoutError(f"{text}: no reply in {attempts} attempts")

    async def reply(self, text):
        reply = []
        while not FINAL.fullmatch(line := await self.replies.get()):
            reply.append(line.decode())
        if line != b"OK":
            raise RuntimeError(f"{text}: {line.decode()}")
        return reply


# end


async def main():
    rules = {b"AT\r": [None, b"\r\nOK\r\n"], b"AT+CSQ\r": b"\r\nRING\r\n\r\n+CSQ: 23,0\r\n\r\nOK\r\n"}
    with Answering(rules) as device:  # the simulated modem
        async with sw.SerialPort(device.port, 115200) as port:
            modem = Modem(port, unasked=print)
            await modem.command("AT", timeout=0.2)  # its first answer is silence: it is asked again
            print(await modem.command("AT+CSQ"))
            modem.reader.cancel()
            # prints: RING
            # prints: ['+CSQ: 23,0']


if __name__ == "__main__":
    asyncio.run(main())
