"""Code that reads as blocking, and lets the event loop run: spawn and yield_ (the extra `stackful`)."""

import asyncio
import socket

import serialwrite as sw


def session(port, received, yield_):
    n = sw.async_write(port, b"AT\r", yield_)  # waits here; the event loop goes on
    print(f"{n} bytes written")  # prints: 3 bytes written

    n = sw.async_read_until(port, received, b"\r", sw.cancel_after(5.0, yield_))
    line = bytes(received.data[:n])
    received.consume(n)
    return line


async def main():
    near, far = socket.socketpair()  # replaces a serial port and its modem
    async with sw.SocketStream(near) as port, sw.SocketStream(far) as modem:
        received = sw.dynamic_buffer(bytearray())
        answer = asyncio.create_task(sw.spawn(port, lambda yield_: session(port, received, yield_)))
        command = bytearray(3)
        await sw.async_read(modem, command)
        await sw.async_write(modem, b"OK\r")
        print(await answer)  # prints: b'OK\r'


asyncio.run(main())
