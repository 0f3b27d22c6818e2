"""A port on another machine, by pyserial's URLs. Here a TCP server simulates that machine."""

import asyncio
import socket

import serialwrite as sw
from serialwrite.testing import receive


async def send(url, data):
    """``socket://host:port`` is the bare bytes; ``rfc2217://host:port`` sets the baud rate over there, too."""
    async with await asyncio.to_thread(sw.SerialPort, url, 115200) as port:  # opening may take its time
        n = await sw.async_write(port, data, timeout=5.0)
        await port.async_drain(timeout=5.0)  # as far as the server has acknowledged it
        return n, sw.strongest_proof(port)


# end remote


async def main():
    with socket.create_server(("127.0.0.1", 0)) as server:
        host, number = server.getsockname()
        sending = asyncio.create_task(send(f"socket://{host}:{number}", b"hello"))
        connection, _ = await asyncio.to_thread(server.accept)
        with connection:
            print(await asyncio.to_thread(receive, connection, 5))  # prints: b'hello'
            n, proof = await sending
            print(n, proof)  # prints: 5 acknowledged


if __name__ == "__main__":
    asyncio.run(main())
