"""The same write over a socket, an asyncio connection and a Unix socket: exact, and without a copy."""

import asyncio
import socket

import serialwrite as sw
from serialwrite.testing import TcpPair, receive


async def over_a_socket(sock):
    """A plain socket; several buffers go out in one call of the system, unjoined."""
    return await sw.async_write(sock, [b"header ", b"and payload"], timeout=1.0)


async def over_a_connection(sock):
    """asyncio's reader goes on reading while we write past its writer."""
    reader, writer = await asyncio.open_connection(sock=sock)
    n = await sw.async_write(writer, b"question", timeout=1.0)
    answer = await reader.readline()
    writer.close()
    await writer.wait_closed()
    return n, answer


async def to_a_peer_that_stalls(sock):
    error, n = await sw.async_write(sock, bytes(64 << 20), sw.as_tuple(), timeout=0.2)
    assert isinstance(error, sw.TransferTimeout)
    return n, error.queued  # accepted by this machine; not yet acknowledged by the other


# end sockets


async def main():
    with TcpPair() as (sock, peer):
        print(await over_a_socket(sock), receive(peer, 18))  # prints: 18 b'header and payload'
    with TcpPair() as (sock, peer):
        peer.sendall(b"answer\n")
        print(await over_a_connection(socket.socket(fileno=sock.detach())))  # prints: (8, b'answer\n')
    with TcpPair() as (sock, peer):
        n, queued = await to_a_peer_that_stalls(sock)
        print("stalled after some, with more of it on the way:", 0 < queued <= n < 64 << 20)
        # prints: stalled after some, with more of it on the way: True


if __name__ == "__main__":
    asyncio.run(main())
