"""``python -m tests.benchmarks.idle``: what reads that wait cost: CPU and wake-ups, beside asyncio's own."""

import asyncio
import contextlib
import os
import pty
import resource
import socket
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import serialwrite as sw

SECONDS = 3.0


def sockets(stack: contextlib.ExitStack) -> socket.socket:
    """A socket whose peer is silent."""
    near, far = socket.socketpair()
    near.setblocking(False)
    stack.enter_context(far)
    return stack.enter_context(near)


def ports(stack: contextlib.ExitStack) -> sw.SerialPort:
    """A port that we open ourselves; its other end is silent."""
    master, slave = pty.openpty()
    stack.callback(os.close, master)
    stack.callback(os.close, slave)
    return stack.enter_context(sw.SerialPort(os.ttyname(slave)))


async def asyncios(target: Any) -> None:
    await asyncio.get_running_loop().sock_recv(target, 1)


async def ours(target: Any) -> None:
    await sw.async_read(target, bytearray(1))


def used_in(seconds: float) -> tuple[float, float]:
    """The CPU of a core, and the wake-ups a second, of this process in the next ``seconds``."""
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    time.sleep(seconds)
    after, elapsed = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - began
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used / elapsed, (after.ru_nvcsw - before.ru_nvcsw) / elapsed


def awaited(count: int, make: Callable[[contextlib.ExitStack], Any], read: Any, seconds: float) -> tuple[float, float]:
    """What ``count`` reads cost that wait on one event loop."""

    async def measure() -> tuple[float, float]:
        with contextlib.ExitStack() as stack:
            reads = [asyncio.ensure_future(read(make(stack))) for _ in range(count)]
            await asyncio.sleep(0.2)
            measured = await asyncio.to_thread(used_in, seconds)
            for one in reads:
                one.cancel()
            await asyncio.gather(*reads, return_exceptions=True)
        return measured

    return asyncio.run(measure())


def blocking(count: int, make: Callable[[contextlib.ExitStack], Any], seconds: float) -> tuple[float, float]:
    """What ``count`` reads cost that wait on a thread each."""

    def read(target: Any) -> None:
        with contextlib.suppress(sw.StreamClosed):
            sw.read(target, bytearray(1))

    with contextlib.ExitStack() as stack:
        targets = [sw.as_stream(make(stack)) for _ in range(count)]
        threads = [threading.Thread(target=read, args=(each,)) for each in targets]
        for thread in threads:
            thread.start()
        time.sleep(1)
        measured = used_in(seconds)
        for each in targets:
            each.close()
        for thread in threads:
            thread.join()
    return measured


def main(seconds: float = SECONDS) -> None:
    """Print a table: the CPU of a core, and wake-ups a second."""
    kinds: dict[str, Callable[[int], tuple[float, float]]] = {
        "asyncio": lambda count: awaited(count, sockets, asyncios, seconds),
        "awaited, opened": lambda count: awaited(count, ports, ours, seconds),
        "awaited, adopted": lambda count: awaited(count, sockets, ours, seconds),
        "blocking, opened": lambda count: blocking(count, ports, seconds),
        "blocking, adopted": lambda count: blocking(count, sockets, seconds),
    }
    print(f"{'reads':>6}", *(f"{name:>22}" for name in kinds))
    for count in (1, 100, 1000):
        cells = (kind(count) for kind in kinds.values())
        print(f"{count:6,}", *(f"{cpu:9.1%} {wakes:10.1f}/s" for cpu, wakes in cells), flush=True)


if __name__ == "__main__":
    main(float(sys.argv[1]) if sys.argv[1:] else SECONDS)
