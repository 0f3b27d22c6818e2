"""Many ports in one process, each at 115,200 Bd both ways: ``python -m tests.benchmarks.many``; about half a minute.

Ten times a second each port writes what its line takes in that time, and reads it again from another process.
"""

import argparse
import asyncio
import contextlib
import os
import random
import resource
import selectors
import signal
import socket
import time
import tty

import serialwrite as sw

SIZE, PERIOD = 1152, 0.1  # bytes, seconds
BEAT = 0.005  # seconds between two looks how late the loop is
DATA = random.Random(1).randbytes(SIZE)


def echo(fds):
    """Send back what comes, for ever."""
    selector = selectors.DefaultSelector()
    for fd in fds:
        selector.register(fd, selectors.EVENT_READ)
    while True:
        for key, _ in selector.select():
            with contextlib.suppress(OSError):
                data = os.read(key.fd, 65536)
                while data:
                    with contextlib.suppress(BlockingIOError):
                        data = data[os.write(key.fd, data) :]


@contextlib.contextmanager
def ends(kind, count):
    """What to open, whose far ends echo in a child process."""
    if kind == "pty":
        pairs = [os.openpty() for _ in range(count)]
        for pair in pairs:
            tty.setraw(pair[1])
            os.set_blocking(pair[0], False)
        far, near = [pair[0] for pair in pairs], [os.ttyname(pair[1]) for pair in pairs]
    else:
        pairs = [socket.socketpair() for _ in range(count)]
        for pair in pairs:
            pair[0].setblocking(False)
            pair[1].setblocking(False)
        far, near = [pair[0].fileno() for pair in pairs], [pair[1] for pair in pairs]
    child = os.fork()
    if child == 0:
        echo(far)
    try:
        yield near
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


async def opened(kind, end):
    """One port: its exchange of DATA, and its close."""
    if kind == "asyncio streams":
        reader, writer = await asyncio.open_connection(sock=end)

        async def exchange():
            writer.write(DATA)
            await writer.drain()
            return await reader.readexactly(SIZE)

        return exchange, writer.close
    port = sw.SerialPort(end, 115200) if kind == "pty" else sw.SocketStream(end)
    got = bytearray(SIZE)

    async def exchange_exactly():
        await sw.async_write(port, DATA, timeout=30)
        await sw.async_read(port, got, timeout=30)
        return got

    return exchange_exactly, port.close


async def run(kind, near, seconds):
    made = [await opened(kind, end) for end in near]
    late, exchanges = [], 0

    async def work(exchange, first):
        nonlocal exchanges
        await asyncio.sleep(first)
        due = time.monotonic()
        while True:
            assert await exchange() == DATA
            exchanges += 1
            due = max(due + PERIOD, time.monotonic())
            await asyncio.sleep(due - time.monotonic())

    async def beat():
        while True:
            before = time.monotonic()
            await asyncio.sleep(BEAT)
            late.append(time.monotonic() - before - BEAT)

    tasks = [asyncio.ensure_future(work(each[0], random.random() * PERIOD)) for each in made]
    tasks.append(asyncio.ensure_future(beat()))
    await asyncio.sleep(1.5)
    late.clear()
    exchanges, used, started = 0, time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    took = time.monotonic() - started
    used = time.process_time() - used
    late.sort()
    print(
        f"| {kind} | {len(near):,} | {exchanges * SIZE / took / 1e6:.1f} MB/s of {len(near) * SIZE / PERIOD / 1e6:.1f} | "
        f"{used / exchanges * len(near) / PERIOD:.0%} | {late[len(late) // 2] * 1e3:.1f} | {late[int(len(late) * 0.99)] * 1e3:.1f} ms |",
        flush=True,
    )
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    for _, close in made:
        close()


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.many", description=__doc__.splitlines()[0])
    parser.add_argument("--ports", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--kinds", nargs="*", default=["pty", "socket", "asyncio streams"])
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    try:
        import uvloop as loops  # noqa: PLC0415
    except ImportError:
        loops = asyncio
    print(
        "| what | ports | both ways | of a core, at that rate (≤ 60 %) | late p50 | p99 (≤ 15 ms) |\n|---|---|---|---|---|---|"
    )
    for kind in given.kinds:
        with ends(kind, given.ports) as near:
            loops.run(run(kind, near, given.seconds))
    print(f"\nOn {loops.__name__}; load {os.getloadavg()[0]:.1f}.")


if __name__ == "__main__":
    main()
