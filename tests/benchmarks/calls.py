"""``python -m tests.benchmarks.calls``: the Python calls of one write, and the files of the package that they are in."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import FrameType
from typing import Any

import serialwrite as sw

PACKAGE = str(Path(sw.__file__).parent)
DATA = bytes(16)


class Counter:
    """Counts the calls of Python functions in the package while it is on."""

    def __init__(self) -> None:
        self.calls = 0
        self.files: set[str] = set()

    def _note(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            self.calls += 1
            self.files.add(frame.f_code.co_filename)

    async def count(self, once: Callable[[], Awaitable[object]]) -> None:
        sys.setprofile(self._note)
        try:
            with contextlib.suppress(sw.TransferTimeout):
                await once()
        finally:
            sys.setprofile(None)


class OwnStream:
    """A user's stream that takes everything, one turn later."""

    def __init__(self) -> None:
        self.executor = sw.EventLoopExecutor()

    def get_executor(self) -> sw.EventLoopExecutor:
        return self.executor

    def async_write_some(self, buffers: Any, token: Any = sw.deferred, /) -> Any:
        def initiation(handler: Any) -> None:
            self.executor.post(handler, None, sw.buffer_size(buffers))

        return sw.async_initiate(initiation, token, self.executor)


async def by_callback(stream: Any) -> None:
    done = asyncio.get_running_loop().create_future()
    sw.async_write(stream, DATA, lambda error, n: done.set_result(n))
    await done


async def resumed(stream: Any, peer: socket.socket) -> None:
    try:
        await sw.async_write(stream, bytes(1 << 20), timeout=0.01)
    except sw.TransferTimeout as error:
        rest = asyncio.ensure_future(sw.async_write(stream, error.remaining))
        while not rest.done():
            with contextlib.suppress(BlockingIOError):
                while peer.recv(1 << 20):
                    pass
            await asyncio.sleep(0)
        await rest


async def measure() -> list[tuple[str, Counter]]:
    """Each kind of write, and what was counted."""
    counted: list[tuple[str, Counter]] = []

    async def add(name: str, once: Callable[[], Awaitable[object]]) -> None:
        counter = Counter()
        await counter.count(once)
        counted.append((name, counter))

    here, peer = socket.socketpair()
    peer.setblocking(False)
    with peer, sw.SocketStream(here) as stream:
        own = OwnStream()
        await add("the first write on a stream", lambda: sw.async_write(stream, DATA))
        await add("warm, one bytes object", lambda: sw.async_write(stream, DATA))
        await add("warm, a list of two", lambda: sw.async_write(stream, [DATA, DATA]))
        await add("callback, warm", lambda: by_callback(stream))
        await add("as_tuple, timeout=", lambda: sw.async_write(stream, DATA, sw.as_tuple(), timeout=1.0))
        await add("a user's stream", lambda: sw.async_write(own, DATA))
        await add("blocked, timed out", lambda: sw.async_write(stream, bytes(1 << 20), timeout=0.01))
        while len(peer.recv(1 << 20)) == 1 << 20:
            pass
        await add("the same, then resumed", lambda: resumed(stream, peer))
    return counted


def main() -> None:
    """Print a table."""
    print(f"{'write':30} {'calls':>6} {'files':>6}")
    for name, counter in asyncio.run(measure()):
        print(f"{name:30} {counter.calls:6} {len(counter.files):6}")


if __name__ == "__main__":
    main()
