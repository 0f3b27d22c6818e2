"""A device that is unplugged in the middle of an upload, and plugged in again under another name."""

import asyncio
import pathlib
import tempfile

import serialwrite as sw
from serialwrite.testing import PtyPair, receive, receive_available, send


async def upload(match, image):
    """Send ``image``, across any number of unplugs, each byte once. Give up if the device is away for a minute."""
    async with sw.Reconnecting(match, 115200) as port:
        rest = (image,)
        while True:
            try:
                return await sw.async_write(port, rest, timeout=60)
            except sw.Disconnected as error:
                print("unplugged, with", "more to send" if any(error.remaining) else "all sent")
                rest = error.remaining  # this device goes on where it was; for one that starts anew: (image,)


# end upload
import serialwrite as sw


async def first_reply(match, question):
    """Ask whichever device is plugged in first, within half a minute."""
    found = await sw.async_wait_for_port(match, timeout=30)
    async with sw.SerialPort(found, 115200) as port:
        await sw.async_write(port, question, timeout=1)
        return await sw.async_read(port, 4, timeout=1)


# end wait
import serialwrite as sw


def adapters():
    """The paths of the USB adapters that are plugged in."""
    return [port.device for port in sw.ports() if port.vid is not None]


# end list


async def main():
    image = bytes(range(256)) * 1000
    with tempfile.TemporaryDirectory() as folder:
        match = str(pathlib.Path(folder) / "ttyUSB*")  # what a real one is: "0403:6001", or a serial number
        assert all(isinstance(path, str) for path in adapters())
        uploading = asyncio.create_task(upload(match, image))
        with PtyPair(links=(match.replace("*", "0"), None)) as first, first.open_peer() as device:
            flashed = await asyncio.to_thread(receive, device, 100_000)
            first.hang_up("port")
            flashed += await asyncio.to_thread(receive_available, device)
        with PtyPair(links=(match.replace("*", "1"), None)) as second, second.open_peer() as device:
            flashed += await asyncio.to_thread(receive, device, len(image) - len(flashed))
            await uploading
            reply = asyncio.create_task(first_reply(match, b"?"))
            assert await asyncio.to_thread(receive, device, 1) == b"?"
            await asyncio.to_thread(send, device, b"here")
            assert await reply == b"here"
        print("flashed" if flashed == image else "spoilt")
        # prints: unplugged, with more to send
        # prints: flashed


if __name__ == "__main__":
    asyncio.run(main())
