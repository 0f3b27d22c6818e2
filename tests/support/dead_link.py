"""Run in a network namespace of its own: the link dies beneath ports that wait, and they say so."""

import asyncio
import socket
import subprocess
import time

from telnet_server import telnet_server

import serialwrite as sw


def link(state):
    subprocess.run(["ip", "link", "set", "lo", state], check=True)


async def ended(promise, started):
    error, _ = await asyncio.wait_for(promise, 60)
    return type(error).__name__, time.monotonic() - started


async def main():
    link("up")
    silently = sw.as_tuple(sw.use_promise)
    with telnet_server() as server, socket.create_server(("127.0.0.1", 0)) as listening:
        url = "socket://{}:{}".format(*listening.getsockname())
        ports = [await sw.async_open(one) for one in (server.url, url, url)]
        peers = [listening.accept()[0] for _ in ports[1:]]
        waiting = [sw.async_read(ports[0], bytearray(1), silently), sw.async_read(ports[1], bytearray(1), silently)]
        stalled = sw.async_write(ports[2], bytes(1 << 24), silently)  # its peer has stopped reading
        await asyncio.sleep(12)  # TCP_USER_TIMEOUT is 10 s
        assert not stalled.done(), "a device that has stopped is no dead link"
        link("down")
        started = time.monotonic()
        await sw.async_write(ports[1], b"what nobody acknowledges")
        for promise in waiting:
            print(*await ended(promise, started))
        link("up")
        for port in ports:
            port.close("abort")
        for peer in peers:
            peer.close()
        await stalled


if __name__ == "__main__":
    asyncio.run(main())
