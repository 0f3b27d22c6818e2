"""``python -m tests.benchmarks.idle``: what reads that wait cost: CPU and wake-ups, beside asyncio's own."""

import asyncio
import resource
import socket
import sys
import time
from collections.abc import Awaitable, Callable

import serialwrite as sw

SECONDS = 3.0


async def ours(sock: socket.socket) -> None:
    await sw.async_read(sw.SocketStream(sock), bytearray(1))


async def asyncios(sock: socket.socket) -> None:
    await asyncio.get_running_loop().sock_recv(sock, 1)


async def measure(count: int, read: Callable[[socket.socket], Awaitable[None]], seconds: float) -> tuple[float, float]:
    """The CPU of a core, and the wake-ups a second, of ``count`` reads that wait for ``seconds``."""
    pairs = [socket.socketpair() for _ in range(count)]
    for near, _ in pairs:
        near.setblocking(False)
    reads = [asyncio.ensure_future(read(near)) for near, _ in pairs]
    await asyncio.sleep(0.2)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    await asyncio.sleep(seconds)
    after, elapsed = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    for one in reads:
        one.cancel()
    await asyncio.gather(*reads, return_exceptions=True)
    for pair in pairs:
        for end in pair:
            end.close()
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / elapsed, (after.ru_nvcsw - before.ru_nvcsw) / elapsed


def main(seconds: float = SECONDS) -> None:
    """Print a table."""
    print(f"{'reads that wait':>16} {'asyncio':>9} {'wake-ups':>9} {'serialwrite':>12} {'wake-ups':>9}")
    for count in (1, 100, 1000):
        theirs = asyncio.run(measure(count, asyncios, seconds))
        mine = asyncio.run(measure(count, ours, seconds))
        print(f"{count:16,} {theirs[0]:9.1%} {theirs[1]:7.1f}/s {mine[0]:12.1%} {mine[1]:7.1f}/s")


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else SECONDS)
